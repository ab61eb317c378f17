//! `serve` with TLS, and with proxies: what the flags do.

use std::path::Path;

use crate::support::http::FORM;
use crate::support::tls::Certificate;
use crate::support::{
    BODY, Cli, Client, Server, clean, cli, data, exported, has, json_lines, new_server,
};

fn request(body: &str) -> Vec<u8> {
    let headers = [("Content-Type", FORM), ("Connection", "close")];
    Client::bytes("POST", "/webhook/crm", &headers, body.as_bytes())
}

#[test]
fn calls_come_with_tls_and_commands_without() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::new(dir.path());
    let server = Server::start(&data(&dir), &certificate.arguments());
    let answer = certificate.ask(server.address, &request(BODY)).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"seq\":1}"),
        "{answer}"
    );
    let lines = json_lines(&cli(&data(&dir), &["history", "5"]).ok());
    assert_eq!(lines[0]["label"], "crm");
    assert_eq!(exported(&data(&dir))[0]["remote"], "127.0.0.1");
    // Whoever comes without TLS gets nothing, and nothing of it is kept.
    assert!(server.client().try_post("/webhook", BODY).is_err());
    let log = server.stop();
    assert!(log.contains("listening on https://127.0.0.1:"), "{log}");
    assert_eq!(exported(&data(&dir)).len(), 1);
}

/// What `serve` says that does not start.
fn refused(data: &Path, args: &[&str], status: i32) -> String {
    let (ended, log) = Server::try_start(data, args).unwrap_err();
    assert_eq!(ended, Some(status), "{log}");
    assert!(!data.exists(), "nothing is made");
    log
}

#[test]
fn certificate_and_key_are_both_there_and_fit() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::new(dir.path());
    let [cert_flag, cert, key_flag, key] = certificate.arguments();
    let data = data(&dir);
    assert!(refused(&data, &[cert_flag, cert], 2).contains("--tls-key"));
    assert!(refused(&data, &[key_flag, key], 2).contains("--tls-cert"));
    let swapped = refused(&data, &[cert_flag, key, key_flag, cert], 3);
    has(&swapped, &[key, "--tls-cert"]);
    let missing = refused(&data, &[cert_flag, "/nowhere/cert.pem", key_flag, key], 3);
    has(&missing, &["/nowhere/cert.pem", "--tls-cert"]);
    // The environment does as flags do.
    let mut command = clean(crate::support::BINARY);
    command.args(Server::arguments(&data, &[]));
    command
        .env("PROFILETRAIL_TLS_CERT", cert)
        .env("PROFILETRAIL_TLS_KEY", key);
    let server = Server::spawn(command).unwrap();
    assert!(certificate.ask(server.address, &request(BODY)).is_ok());
    server.stop();
}

#[test]
fn a_certificate_that_expired_or_is_of_an_old_kind_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let expired = Certificate::until(dir.path(), 2001);
    let server = Server::start(&data(&dir), &expired.arguments());
    let log = server.stop();
    assert!(log.contains("cert.pem expired"), "{log}");
    let openssl = |args: &str| {
        let mut command = clean("openssl");
        command.current_dir(dir.path()).args(args.split(' '));
        assert!(command.output().unwrap().status.success(), "{args}");
    };
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out old.key");
    openssl("req -new -key old.key -subj /CN=localhost -out old.csr");
    // Without extensions it is of version 1.
    openssl("x509 -req -in old.csr -signkey old.key -days 9 -out old.pem");
    openssl("pkey -in old.key -aes128 -passout pass:word -out locked.key");
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (old, old_key, locked) = (path("old.pem"), path("old.key"), path("locked.key"));
    let data = dir.path().join("other");
    let log = refused(&data, &["--tls-cert", &old, "--tls-key", &old_key], 3);
    assert!(log.contains("version 3"), "{log}");
    let certificate = Certificate::new(dir.path());
    let [cert_flag, cert, key_flag, _] = certificate.arguments();
    let log = refused(&data, &[cert_flag, cert, key_flag, &locked], 3);
    assert!(log.contains("openssl pkey -in"), "{log}");
}

#[test]
fn the_remote_address_comes_from_trusted_proxies_only() {
    let said = [
        ("Content-Type", FORM),
        ("X-Forwarded-For", "6.6.6.6, 192.0.2.7:4711, 127.0.0.9"),
    ];
    let remote = |args: &[&str]| {
        let (dir, server) = new_server(args);
        let mut client = server.client();
        client
            .request("POST", "/webhook", &said, BODY.as_bytes())
            .seq();
        let bad = client.request("POST", "/webhook", &said, b"type=update");
        assert_eq!(bad.status, 400);
        server.stop();
        let rejected = json_lines(&cli(&data(&dir), &["rejected"]).ok());
        let kept = exported(&data(&dir));
        assert_eq!(rejected[0]["remote"], kept[0]["remote"]);
        kept[0]["remote"].as_str().unwrap().to_owned()
    };
    assert_eq!(remote(&[]), "127.0.0.1");
    assert_eq!(remote(&["--trusted-proxy", "192.0.2.0/24"]), "127.0.0.1");
    assert_eq!(remote(&["--trusted-proxy", "127.0.0.0/8"]), "192.0.2.7");
    let two = [
        "--trusted-proxy",
        "127.0.0.0/8",
        "--trusted-proxy",
        "192.0.2.7",
    ];
    assert_eq!(remote(&two), "6.6.6.6");
    let wrong = Cli::bare(&["serve", "--trusted-proxy", "localhost"])
        .run()
        .failed(2);
    assert!(wrong.contains("10.0.0.0/8"), "{wrong}");
}
