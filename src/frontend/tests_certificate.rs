//! The gate's certificate: what is taken, what is not, and that it changes under way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::tests_secure::{GET, PATIENCE, answer, certificate, connect, secure, settings};
use super::tests_support::rig_with;
use super::{GateConfig, Tls, TlsFiles};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

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
    let config = GateConfig {
        tls: Some(Tls::load(live.clone()).unwrap()),
        ..GateConfig::default()
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
fn what_cannot_be_used_is_told_with_its_file_and_the_way_out() {
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
