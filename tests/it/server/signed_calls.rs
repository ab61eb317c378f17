//! Signed calls through a real server, with a DNS server of its own.
//!
//! Proven: what is signed well is kept with evidence that openssl can check;
//! what is not leaves no trace but a count; a message is taken once, over a
//! restart too; a key that cannot be looked up is a reason to send again.

use std::path::Path;
use std::process::Command;

use crate::support::dns::{DnsServer, Mode};
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key};
use crate::support::{Cli, Client, Server, cli, data, eventually, exported, json_lines};
use profiletrail::event::now_seconds;
use serde_json::Value;

const FIELDS: &str = "type=update&profile=1&fields[a]=";

/// A call of this moment that sets the field `a`.
fn call(value: &str) -> Call {
    Call::new(&format!("{FIELDS}{value}"), now_seconds())
}

/// A DNS server that knows the sender's key.
fn dns(key: &Key) -> DnsServer {
    let dns = DnsServer::start();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    dns
}

fn start(dir: &tempfile::TempDir, dns: &DnsServer, more: &[&str]) -> Server {
    let address = dns.address().to_string();
    let mut args = vec!["--copernica-id", ACCOUNT, "--public-host", HOST];
    args.extend(["--dns-server", &address]);
    args.extend(more);
    Server::start(&data(dir), &args)
}

fn send(server: &Server, request: &[u8]) -> crate::support::http::Reply {
    let mut client = server.client();
    client.send(request).unwrap();
    client.receive(false).unwrap()
}

fn history(data: &Path) -> Vec<Value> {
    json_lines(&cli(data, &["history", "1", "--format", "jsonl"]).ok())
}

#[test]
fn a_signed_call_is_kept_once_with_evidence_and_nothing_else_is() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = dns(&key);
    let server = start(&dir, &dns, &["--api", "127.0.0.1:0"]);
    let signed = call("x y").signed(&key);
    assert_eq!(send(&server, &signed).seq(), 1);
    // The same message again adds nothing, and its sender learns the first number.
    assert_eq!(send(&server, &signed).seq(), 1);
    // A nonce that is not covered makes no other message of it.
    let bare = "(request-target) host date x-copernica-id digest";
    let once = call("z").covering(bare);
    assert_eq!(send(&server, &once.signed(&key)).seq(), 2);
    assert_eq!(
        send(&server, &once.set("X-Nonce", "fresh").signed(&key)).seq(),
        2
    );
    for (refused, status) in [
        (call("q").unsigned(), 401),
        (call("q").signed(&Key::new("other-2048")), 401),
        (
            call("q")
                .key_id("two._domainkey.copernica.com")
                .signed(&key),
            401,
        ),
        (
            call("q").set("X-Copernica-ID", "account_5").signed(&key),
            401,
        ),
    ] {
        let reply = send(&server, &refused);
        assert_eq!(
            reply.status,
            status,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        assert!(!String::from_utf8_lossy(&reply.body).contains("1234"));
        assert!(reply.header("WWW-Authenticate").is_some());
    }
    // What was signed well but cannot be read is kept as such.
    let unreadable = Call::new("type=update&profile=12x", now_seconds()).signed(&key);
    assert_eq!(send(&server, &unreadable).status, 400);
    // Sent again, it gets the same answer, and is not kept again.
    assert_eq!(send(&server, &unreadable).status, 400);
    // So is what was signed well but has a wrong date or address, once.
    let stale = Call::new(FIELDS, now_seconds() - 3600).signed(&key);
    assert_eq!(send(&server, &stale).status, 401);
    assert_eq!(send(&server, &stale).status, 401);
    let ahead = Call::new(FIELDS, now_seconds() + 3600).signed(&key);
    assert_eq!(send(&server, &ahead).status, 401);
    let expected = "kept as rejected: the date is in the future";
    eventually("the log says that it is kept", || {
        server.log().contains(expected)
    });
    let forged = Call::new(FIELDS, now_seconds() - 3600).signed(&Key::new("other-2048"));
    assert_eq!(send(&server, &forged).status, 401);
    let mut lost = call("l");
    lost.target = "/webhook//crm".to_owned();
    let signed = lost.signed(&key);
    assert_eq!(send(&server, &signed).status, 404);
    assert_eq!(send(&server, &signed).status, 404);
    assert_eq!(send(&server, &lost.unsigned()).status, 401);
    let data = data(&dir);
    let rejected = json_lines(&cli(&data, &["rejected", "--format", "jsonl"]).ok());
    let listed: Vec<_> = rejected
        .iter()
        .map(|line| {
            (
                line["status"].as_u64().unwrap(),
                line["where"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        listed,
        [
            (400, "profile"),
            (401, "Date"),
            (401, "Date"),
            (404, "/webhook//crm")
        ]
    );
    let log = server.log();
    assert!(log.contains("refused"), "{log}");

    let lines = history(&data);
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["verified"] == true));
    assert!(exported(&data).iter().all(|line| line["verified"] == true));
    let live = cli(&data, &["evidence", "1", "--format", "jsonl"]).ok();
    let token = crate::support::http::token(&data, "read");
    for (target, known) in [("/v1/evidence/1", live.as_str()), ("/v1/evidence/9", "")] {
        let reply = crate::support::http::ask(server.api(), &token, target);
        assert_eq!((reply.status, reply.body), (200, known.into()), "{target}");
    }
    // What a retry has entered is answered as any message that is sent again.
    let retried = json_lines(&cli(&data, &["rejected", "--retry", "4"]).ok());
    assert_eq!(retried[0]["seq"], 3, "{retried:?}");
    assert_eq!(send(&server, &signed).seq(), 3);
    server.stop();
    assert_eq!(exported(&data).len(), 3);
    let why = cli(&data, &["rejected", "--retry", "99"]).failed(1);
    assert!(why.contains("no rejected call has such a number"), "{why}");
    assert_eq!(
        cli(&data, &["evidence", "1", "--format", "jsonl"]).ok(),
        live
    );
    let out = dir.path().join("proof");
    let written = cli(&data, &["evidence", "1", "--out", out.to_str().unwrap()]).ok();
    checked_by_openssl(&out, &written);
    assert!(
        cli(&data, &["evidence", "4"])
            .failed(1)
            .contains("no event 4")
    );
}

/// Runs the commands that `evidence --out` names.
fn checked_by_openssl(dir: &Path, written: &str) {
    let shell = |line: &str| {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(dir)
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let commands: Vec<&str> = written
        .lines()
        .filter(|line| line.starts_with("openssl"))
        .collect();
    assert_eq!(commands.len(), 2);
    assert_eq!(shell(commands[0]), (true, "Verified OK\n".to_owned()));
    let signed = std::fs::read_to_string(dir.join("signed.txt")).unwrap();
    let (good, digest) = shell(commands[1]);
    assert!(good && signed.contains(&format!("digest: SHA-256={}", digest.trim())));
    // And the check can fail.
    std::fs::write(dir.join("signed.txt"), signed.replace("post", "put")).unwrap();
    assert!(!shell(commands[0]).0);
}

#[test]
fn a_chunked_call_is_verified_with_the_length_that_was_read() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = dns(&key);
    let server = start(&dir, &dns, &[]);
    let sent = String::from_utf8(call("c").signed(&key)).unwrap();
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    let length = format!("Content-Length: {}", body.len());
    assert!(head.contains(&length), "{head}");
    let head = head.replace(&length, "Transfer-Encoding: chunked");
    let request = format!("{head}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    assert_eq!(send(&server, request.as_bytes()).seq(), 1);
    let other = request.replace("fields[a]=c", "fields[a]=d");
    assert_eq!(send(&server, other.as_bytes()).status, 401);
    server.stop();
}

#[test]
fn a_message_is_taken_once_over_a_restart_and_without_dns() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = dns(&key);
    let first = call("1").signed(&key);
    let server = start(&dir, &dns, &[]);
    assert_eq!(send(&server, &first).seq(), 1);
    eventually("the key is remembered", || data(&dir).join("keys").exists());
    server.kill();
    dns.set_mode(Mode::ServFail);
    let server = start(&dir, &dns, &[]);
    assert_eq!(send(&server, &first).seq(), 1);
    assert_eq!(send(&server, &call("2").signed(&key)).seq(), 2);
    // A key that was never seen may come later.
    let other = Key::new("other-2048");
    let unknown = call("3")
        .key_id("two._domainkey.copernica.com")
        .signed(&other);
    let reply = send(&server, &unknown);
    assert_eq!(reply.status, 503);
    assert!(reply.header("Retry-After").is_some());
    dns.set_mode(Mode::Truncate);
    dns.set_txt("two._domainkey.copernica.com", 3600, &[&other.record()]);
    eventually("the key is looked up again", || {
        send(&server, &unknown).status == 200
    });
    assert_eq!(history(&data(&dir)).len(), 3);
    server.stop();
}

#[test]
fn calls_that_wait_for_a_key_hold_nobody_up() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = dns(&key);
    let server = start(&dir, &dns, &["--workers", "1"]);
    assert_eq!(send(&server, &call("0").signed(&key)).seq(), 1);
    dns.set_mode(Mode::Silent);
    let name = "slow._domainkey.copernica.com";
    let mut waiting: Vec<Client> = (0..20).map(|_| server.client()).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        let call = call(&format!("w{number}")).key_id(name);
        client.send(&call.signed(&key)).unwrap();
    }
    for number in 1..=50 {
        let reply = send(&server, &call(&number.to_string()).signed(&key));
        assert_eq!(reply.status, 200);
    }
    // The waiting calls are answered 503, at the latest when the server stops.
    let log = server.stop();
    for mut client in waiting {
        if let Ok(reply) = client.receive(false) {
            assert_eq!(reply.status, 503, "{log}");
        }
    }
    assert_eq!(history(&data(&dir)).len(), 51);
}

#[test]
fn an_import_keeps_what_was_verified_and_takes_no_forged_proof() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = dns(&key);
    let server = start(&dir, &dns, &["--signature", "optional"]);
    assert_eq!(send(&server, &call("1").signed(&key)).seq(), 1);
    assert_eq!(send(&server, &call("2").unsigned()).seq(), 2);
    assert_eq!(
        send(&server, &call("3").signed(&Key::new("other-2048"))).status,
        401
    );
    server.stop();
    let data = data(&dir);
    let verified = |data: &Path| -> Vec<Value> {
        history(data)
            .iter()
            .map(|line| line["verified"].clone())
            .collect()
    };
    assert_eq!(verified(&data), [Value::Bool(true), Value::Bool(false)]);
    let evidence = |data: &Path| cli(data, &["evidence", "1", "--format", "jsonl"]);
    let proof = evidence(&data).ok();
    for raw in [true, false] {
        let copy = dir.path().join(format!("copy-{raw}"));
        let mut args = vec!["export", "--format", "jsonl"];
        args.extend(raw.then_some("--raw"));
        let lines = cli(&data, &args).ok();
        Cli::new(&copy, &["import", "-"])
            .stdin(lines.clone())
            .run()
            .ok();
        assert_eq!(verified(&copy), verified(&data));
        if raw {
            assert_eq!(evidence(&copy).ok(), proof);
            let forged = lines
                .replace("fields[a]=1", "fields[a]=9")
                .replace("\"a\":\"1\"", "\"a\":\"9\"");
            assert_ne!(forged, lines);
            let other = dir.path().join("forged");
            let said = Cli::new(&other, &["import", "-"])
                .stdin(forged)
                .run()
                .failed(3);
            assert!(said.contains("proves nothing"), "{said}");
        } else {
            evidence(&copy).failed(1);
        }
    }
}

#[test]
fn signatures_are_checked_only_when_it_is_known_whose() {
    let dir = tempfile::tempdir().unwrap();
    for (args, lacks) in [
        (vec!["--copernica-id", ACCOUNT], "--public-host"),
        (
            vec!["--signature", "required", "--public-host", HOST],
            "--copernica-id",
        ),
        (vec!["--signature", "optional"], "--copernica-id"),
        (vec!["--copernica-id", "me"], "account_1234"),
        (
            vec![
                "--copernica-id",
                ACCOUNT,
                "--public-host",
                HOST,
                "--max-age",
                "2d",
            ],
            "--max-age",
        ),
    ] {
        let (status, log) = Server::try_start(&data(&dir), &args).err().unwrap();
        assert_eq!(status, Some(2), "{log}");
        assert!(log.contains(lacks), "{log}");
    }
    let server = Server::start(&data(&dir), &[]);
    eventually("the warning is logged", || {
        server.log().contains("signatures are not checked")
    });
    server.client().post("/webhook", FIELDS).seq();
    server.stop();
    assert!(history(&data(&dir))[0].get("verified").is_none());
}
