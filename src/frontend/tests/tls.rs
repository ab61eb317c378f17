//! TLS: handshakes, sessions, hostile clients, and certificates that change.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{Rig, rig_with};
use crate::frontend::{FrontendConfig, Tls, TlsFiles};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use rustls::{SupportedProtocolVersion, version};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a certificate for `localhost` and writes it and its key into a folder.
fn certificate(folder: &Path) -> TlsFiles {
    std::fs::create_dir_all(folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    files
}

struct Secure {
    rig: Rig,
    files: TlsFiles,
    dir: tempfile::TempDir,
}

fn secure_with(config: FrontendConfig) -> Secure {
    let dir = tempfile::tempdir().unwrap();
    let files = certificate(dir.path());
    let tls = Some(Tls::load(files.clone()).unwrap());
    let rig = rig_with(4, FrontendConfig { tls, ..config });
    Secure { rig, files, dir }
}

fn secure() -> Secure {
    secure_with(FrontendConfig::default())
}

type Client = StreamOwned<ClientConnection, TcpStream>;

/// A client's settings that trust the certificate in a file.
fn settings(cert: &Path, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(cert).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn connect(address: SocketAddr, settings: &Arc<ClientConfig>) -> Client {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let name = "localhost".try_into().unwrap();
    let tls = ClientConnection::new(Arc::clone(settings), name).unwrap();
    StreamOwned::new(tls, stream)
}

impl Secure {
    fn client(&self, version: &'static SupportedProtocolVersion) -> Client {
        connect(self.rig.address, &settings(&self.files.cert, version))
    }

    fn serves(&self) -> bool {
        let mut client = self.client(&version::TLS13);
        client.write_all(GET.as_bytes()).unwrap();
        answer(&mut client).0 == 200
    }
}

/// Reads one answer: its status, head and body.
fn answer(client: &mut impl Read) -> (u16, String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).unwrap();
    (status, head, body)
}

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Whether the frontend has sent `close_notify`, as TLS requires.
fn ended_well(client: &mut Client) -> bool {
    matches!(client.read(&mut [0]), Ok(0))
}

#[test]
fn serves_both_versions_and_many_requests_of_all_sizes() {
    let secure = secure();
    for version in BOTH {
        let mut client = secure.client(version);
        for size in [0, 1, 1000, 16_384, 40_000, 1024 * 1024, 3] {
            let body = "z".repeat(size);
            client.write_all(post(&body).as_bytes()).unwrap();
            let (status, head, echoed) = answer(&mut client);
            assert_eq!(status, 200);
            assert!(!head.contains("Connection"));
            assert!(echoed.starts_with(b"POST /in\nX-Peer: 127.0.0.1\n"));
            assert!(echoed.ends_with(body.as_bytes()));
        }
        assert_eq!(client.conn.protocol_version(), Some(version.version));
        assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let big = "GET /big/8000000 HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(big.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(answer(&mut client).2.len(), 8_000_000);
        let last = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        client.write_all(last.as_bytes()).unwrap();
        assert_eq!(answer(&mut client).0, 200);
        assert!(ended_well(&mut client));
    }
}

#[test]
fn puts_requests_together_from_crumbs_and_takes_many_at_once() {
    let secure = secure();
    for version in BOTH {
        let mut client = secure.client(version);
        for byte in post("crumbs").bytes() {
            client.write_all(&[byte]).unwrap();
            client.flush().unwrap();
        }
        assert!(answer(&mut client).2.ends_with(b"\n\ncrumbs"));
        let many: String = (0..300)
            .map(|number| post(&format!("{number:05}")))
            .collect();
        client.write_all(many.as_bytes()).unwrap();
        for number in 0..300 {
            let expected = format!("\n\n{number:05}");
            assert!(answer(&mut client).2.ends_with(expected.as_bytes()));
        }
    }
}

#[test]
fn many_clients_at_one_time_each_get_their_own() {
    let secure = secure();
    std::thread::scope(|scope| {
        for number in 0..24 {
            let secure = &secure;
            scope.spawn(move || {
                for round in 0..5 {
                    let mut client = secure.client(BOTH[number % 2]);
                    for size in [10, 20_000, 100_000] {
                        let body = format!("{number}.{round}.{}", "y".repeat(size));
                        client.write_all(post(&body).as_bytes()).unwrap();
                        assert!(answer(&mut client).2.ends_with(body.as_bytes()));
                    }
                }
            });
        }
    });
}

#[test]
fn whoever_has_ended_its_side_is_answered() {
    let secure = secure();
    let slow = "GET /sleep/50 HTTP/1.1\r\nHost: x\r\n\r\n";
    for version in BOTH {
        for farewell in [true, false] {
            for wait in [0, 20] {
                let mut client = secure.client(version);
                client.write_all(format!("{slow}{GET}").as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(wait));
                if farewell {
                    client.conn.send_close_notify();
                    client.flush().unwrap();
                }
                client.sock.shutdown(Shutdown::Write).unwrap();
                assert!(answer(&mut client).2.starts_with(b"GET /sleep"));
                assert!(answer(&mut client).2.starts_with(b"GET /a\n"));
                assert!(ended_well(&mut client));
            }
        }
    }
}

#[test]
fn a_farewell_without_an_end_of_the_connection_is_an_end() {
    let secure = secure();
    for version in BOTH {
        let mut client = secure.client(version);
        client.write_all(GET.as_bytes()).unwrap();
        assert_eq!(answer(&mut client).0, 200);
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert!(ended_well(&mut client));
        // With the last request in one piece.
        let mut client = secure.client(version);
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock).unwrap();
        }
        client.conn.writer().write_all(GET.as_bytes()).unwrap();
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert_eq!(answer(&mut client).0, 200);
        assert!(ended_well(&mut client));
    }
}

#[test]
fn a_refusal_reaches_those_who_still_send() {
    let secure = secure();
    for version in BOTH {
        let mut client = secure.client(version);
        let head = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        for _ in 0..48 {
            client.write_all("w".repeat(65_536).as_bytes()).unwrap();
        }
        let (status, head, _) = answer(&mut client);
        assert!(status == 413 && head.contains("Connection: close"));
        assert!(ended_well(&mut client));
        let mut client = secure.client(version);
        client.write_all("h".repeat(17_000).as_bytes()).unwrap();
        assert_eq!(answer(&mut client).0, 431);
        assert!(ended_well(&mut client));
    }
}

#[test]
fn sessions_are_resumed() {
    let secure = secure();
    for version in BOTH {
        let settings = settings(&secure.files.cert, version);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut client = connect(secure.rig.address, &settings);
            client.write_all(GET.as_bytes()).unwrap();
            assert_eq!(answer(&mut client).0, 200);
            assert_eq!(client.conn.handshake_kind(), Some(kind));
        }
    }
}

/// All that comes until the end of a connection, however it ends.
fn all_that_comes(mut stream: &TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => all,
    }
}

#[test]
fn whoever_does_not_speak_tls_gets_no_word() {
    let secure = secure();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for bytes in [
        GET.as_bytes(),
        b"\0\0\0\0\0\0\0\0\0\0\0",
        b"SSH-2.0-x\r\n",
        &[0x16; 100],
    ] {
        let mut stream = TcpStream::connect(secure.rig.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(all_that_comes(&stream).is_empty(), "{bytes:?}");
    }
    for _ in 0..200 {
        let mut stream = TcpStream::connect(secure.rig.address).unwrap();
        // Half of them begin as a record of a handshake does.
        let mut bytes = if next() % 2 == 0 {
            vec![22, 3, 1, 0]
        } else {
            Vec::new()
        };
        for _ in 0..next() % 50 {
            bytes.extend(next().to_le_bytes());
        }
        // The frontend may have closed already.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        assert!(all_that_comes(&stream).len() < 100);
    }
    assert!(secure.serves());
}

#[test]
fn rubbish_within_a_session_ends_it() {
    let secure = secure();
    for version in BOTH {
        let mut client = secure.client(version);
        client.write_all(GET.as_bytes()).unwrap();
        assert_eq!(answer(&mut client).0, 200);
        client.sock.write_all(&[23, 3, 3, 0, 20]).unwrap();
        client.sock.write_all(&[7; 20]).unwrap();
        assert!(client.read(&mut [0]).is_err(), "an alert");
    }
    assert!(secure.serves());
}

#[test]
fn a_handshake_that_stalls_is_given_up() {
    let secure = secure_with(FrontendConfig {
        handshake_timeout: Duration::from_millis(300),
        ..FrontendConfig::default()
    });
    let silent = TcpStream::connect(secure.rig.address).unwrap();
    let mut half = TcpStream::connect(secure.rig.address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
    let mut open = secure.client(&version::TLS13);
    open.write_all(GET.as_bytes()).unwrap();
    assert_eq!(answer(&mut open).0, 200);
    assert!(all_that_comes(&silent).is_empty());
    assert!(all_that_comes(&half).is_empty());
    // The time for a handshake is not that of an open connection.
    open.write_all(GET.as_bytes()).unwrap();
    assert_eq!(answer(&mut open).0, 200);
}

#[test]
fn a_stop_answers_and_says_farewell() {
    let mut secure = secure();
    let mut idle = secure.client(&version::TLS13);
    idle.write_all(GET.as_bytes()).unwrap();
    assert_eq!(answer(&mut idle).0, 200);
    let mut busy = secure.client(&version::TLS12);
    busy.write_all(b"GET /sleep/200 HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(50));
    secure.rig.frontend.shutdown(Duration::from_secs(8));
    assert!(ended_well(&mut idle));
    assert_eq!(answer(&mut busy).0, 200);
    assert!(ended_well(&mut busy));
}

/// The certificate that a new connection gets.
fn presented(address: SocketAddr, trusted: [&Path; 2]) -> Vec<u8> {
    for cert in trusted {
        let mut client = connect(address, &settings(cert, &version::TLS13));
        if client.write_all(GET.as_bytes()).is_ok() {
            assert_eq!(answer(&mut client).0, 200);
            return client.conn.peer_certificates().unwrap()[0].to_vec();
        }
    }
    panic!("a certificate that nobody knows");
}

#[test]
fn a_new_certificate_is_taken_when_its_key_is_there_and_nobody_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("1"), dir.path().join("2"));
    let (old, new) = (certificate(&one), certificate(&other));
    let der = |files: &TlsFiles| CertificateDer::from_pem_file(&files.cert).unwrap().to_vec();
    // Links, as certbot has them.
    let live = TlsFiles {
        cert: dir.path().join("live-cert.pem"),
        key: dir.path().join("live-key.pem"),
    };
    let point = |link: &Path, to: &Path| {
        let aside = link.with_extension("new");
        std::os::unix::fs::symlink(to, &aside).unwrap();
        std::fs::rename(&aside, link).unwrap();
    };
    point(&live.cert, &old.cert);
    point(&live.key, &old.key);
    let config = FrontendConfig {
        tls: Some(Tls::load(live.clone()).unwrap()),
        ..FrontendConfig::default()
    };
    let rig = rig_with(2, config);
    let known = || presented(rig.address, [&old.cert, &new.cert]);
    let mut open = connect(rig.address, &settings(&old.cert, &version::TLS13));
    open.write_all(GET.as_bytes()).unwrap();
    assert_eq!(answer(&mut open).0, 200);
    // Only one of the two, then nothing at all, for longer than it takes to look.
    point(&live.cert, &new.cert);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(known(), der(&old));
    std::fs::remove_file(&live.cert).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(known(), der(&old));
    point(&live.cert, &new.cert);
    point(&live.key, &new.key);
    let begun = Instant::now();
    while known() != der(&new) {
        assert!(begun.elapsed() < PATIENCE, "it is never taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    open.write_all(GET.as_bytes()).unwrap();
    assert_eq!(answer(&mut open).0, 200);
}

#[test]
fn an_unusable_file_is_reported_with_its_path_and_the_remedy() {
    let secure = secure();
    let folder = secure.dir.path();
    let other = certificate(&folder.join("other"));
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let said = |cert: &Path, key: &Path| {
        let (cert, key) = (cert.to_owned(), key.to_owned());
        Tls::load(TlsFiles { cert, key }).unwrap_err().to_string()
    };
    let (cert, key) = (&secure.files.cert, &secure.files.key);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (error, name, flag) in [
        (said(&folder.join("none"), key), "none", "--tls-cert"),
        (said(cert, &folder.join("none")), "none", "--tls-key"),
        (said(&file("empty", ""), key), "empty", "--tls-cert"),
        (said(cert, &file("empty", "")), "empty", "--tls-key"),
        (
            said(cert, &file("locked", encrypted)),
            "passphrase",
            "--tls-key",
        ),
        (said(key, key), "key.pem", "--tls-cert"),
        (said(cert, cert), "cert.pem", "--tls-key"),
        (said(cert, &other.key), "key.pem", "--tls-key"),
        (
            said(&file("cut", "-----BEGIN CERTIFICATE-----\nAAAA\n"), key),
            "cut",
            "--tls-cert",
        ),
    ] {
        assert!(error.contains(name) && error.contains(flag), "{error}");
    }
}
