//! What the tests of the gate with TLS share: a certificate, a gate that has it, and a client.
//!
//! Leaves out the tests. Invariant: every read has a deadline.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::tests_support::{Rig, rig_with};
use super::{GateConfig, Tls, TlsFiles};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls::{SupportedProtocolVersion, version};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
pub(super) const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a certificate for `localhost` and writes it and its key into a folder.
pub(super) fn certificate(folder: &Path) -> TlsFiles {
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

pub(super) struct Secure {
    pub(super) rig: Rig,
    pub(super) files: TlsFiles,
    pub(super) dir: tempfile::TempDir,
}

pub(super) fn secure_with(config: GateConfig) -> Secure {
    let dir = tempfile::tempdir().unwrap();
    let files = certificate(dir.path());
    let tls = Some(Tls::load(files.clone()).unwrap());
    let rig = rig_with(4, GateConfig { tls, ..config });
    Secure { rig, files, dir }
}

pub(super) fn secure() -> Secure {
    secure_with(GateConfig::default())
}

pub(super) type Client = StreamOwned<ClientConnection, TcpStream>;

/// A client's settings that trust the certificate in a file.
pub(super) fn settings(
    cert: &Path,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
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

pub(super) fn connect(address: SocketAddr, settings: &Arc<ClientConfig>) -> Client {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let name = "localhost".try_into().unwrap();
    let tls = ClientConnection::new(Arc::clone(settings), name).unwrap();
    StreamOwned::new(tls, stream)
}

impl Secure {
    pub(super) fn client(&self, version: &'static SupportedProtocolVersion) -> Client {
        connect(self.rig.address, &settings(&self.files.cert, version))
    }

    pub(super) fn serves(&self) -> bool {
        let mut client = self.client(&version::TLS13);
        client.write_all(GET.as_bytes()).unwrap();
        answer(&mut client).0 == 200
    }
}

/// Reads one answer: its status, head and body.
pub(super) fn answer(client: &mut impl Read) -> (u16, String, Vec<u8>) {
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

pub(super) fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Whether the gate has said farewell, as TLS asks for it.
pub(super) fn ended_well(client: &mut Client) -> bool {
    matches!(client.read(&mut [0]), Ok(0))
}
