//! `docs/setup-in-copernica.md`, followed step by step with a simulated vendor.
//!
//! Proven: through nginx and through Caddy, the vendor fetches the validation file from both places;
//! its test button gets an answer that a person understands, before and after signatures are turned
//! on; calls that are signed with a fresh key, which a DNS server publishes, are kept as events of
//! their label; and `doctor` says at each step what is next.

use std::fs;

use serde_json::Value;

use super::proxies::{Kind, caddy, nginx, start};
use crate::support::dns::DnsServer;
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key};
use crate::support::{Cli, Server, cli, exported, has, json_lines};
use profiletrail::event::now_seconds;

fn a_first_day(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &["--trusted-proxy", "127.0.0.1"]);
    let proxy = start(kind, server.address);
    let roots = proxy.certificate();
    let host = format!("localhost:{}", proxy.address.port());
    let form = "Content-Type: application/x-www-form-urlencoded";
    let dns = DnsServer::start();
    let asked = dns.address().to_string();
    // The finding of a check of `doctor` with the roots that trust the proxy.
    let finding = |check: &str| {
        let args = ["doctor", "--format", "jsonl", "--public-host", &host];
        let args = [&args[..], &["--dns-server", &asked]].concat();
        let outcome = Cli::new(&data, &args).env("SSL_CERT_FILE", &roots).run();
        let lines = json_lines(&outcome.stdout);
        let found = lines.into_iter().find(|line| line["check"] == check);
        found.unwrap_or_else(|| panic!("{check} is not in {outcome:?}"))
    };

    // The address answers, and there is no file yet.
    let found = finding("validation");
    assert_eq!(found["result"], "unknown");
    assert!(
        found["fix"]
            .as_str()
            .unwrap()
            .contains("profiletrail validation add FILE")
    );
    // The vendor shows a file, and fetches it.
    let file = dir.path().join("smtpeter-abc12.txt");
    fs::write(&file, "smtpeter=42").unwrap();
    cli(&data, &["validation", "add", file.to_str().unwrap()]).ok();
    for path in ["/smtpeter-abc12.txt", "/webhook/smtpeter-abc12.txt"] {
        assert_eq!(proxy.call(path, &[], b""), (200, "smtpeter=42".to_owned()));
    }
    let found = finding("validation");
    assert_eq!(found["result"], "ok");
    assert!(
        found["what"]
            .as_str()
            .unwrap()
            .contains("let Copernica validate")
    );
    cli(&data, &["validation", "remove", "smtpeter-abc12.txt"]).ok();

    // The test button.
    let (status, text) = proxy.call("/webhook/crm", &[form], b"test=1");
    assert_eq!(status, 400);
    has(&text, &["the call arrived", "no event"]);
    assert_eq!(finding("rejected")["result"], "ok");
    assert_eq!(finding("signatures")["result"], "warning");
    drop(proxy);
    server.stop();

    // Signatures are turned on, with a key that nobody has seen.
    let key = Key::fresh();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    let args = [
        "--trusted-proxy",
        "127.0.0.1",
        "--copernica-id",
        ACCOUNT,
        "--public-host",
        HOST,
        "--dns-server",
        &asked,
    ];
    let server = Server::start(&data, &args);
    let proxy = start(kind, server.address);
    let send = |body: &str, key: &Key| {
        let now = now_seconds();
        let mut call = Call::new(body, now);
        call.target = "/webhook/crm".to_owned();
        let signature = call.signature(&key.sign(&call.text()));
        let call = call.set("Signature", signature);
        // curl itself sends the length.
        let sent = call
            .headers
            .iter()
            .filter(|(name, _)| name != "Content-Length");
        let headers: Vec<String> = sent
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        proxy.call("/webhook/crm", &headers, body.as_bytes())
    };
    let (status, text) = send("test=1", &key);
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("its signature is good"), "{text}");
    for (number, body) in [
        "type=create&profile=1&time=1760000000&fields[name]=Anna",
        "type=update&profile=1&time=1760000100&parameters[name]=Anne&fields[name]=Anne",
        "type=create&profile=1&subprofile=2&collection=3&time=1760000200&fields[order]=1",
        "type=delete&subprofile=2&time=1760000300",
        "type=delete&profile=1&time=1760000400",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(
            send(body, &key),
            (200, format!("{{\"seq\":{}}}", number + 1))
        );
    }
    // Nobody else gets in.
    assert_eq!(
        send("type=delete&profile=1", &Key::new("other-2048")).0,
        401
    );
    assert_eq!(
        proxy
            .call("/webhook/crm", &[form], b"type=delete&profile=1")
            .0,
        401
    );
    let events = exported(&data);
    assert_eq!(events.len(), 5);
    for event in &events {
        assert_eq!(
            (&event["verified"], &event["label"]),
            (&Value::Bool(true), &"crm".into())
        );
    }
    for check in ["rejected", "signatures", "clock", "events"] {
        let found = finding(check);
        assert_eq!(found["result"], "ok", "{found}");
    }
    server.stop();
}

#[test]
fn the_first_day_behind_nginx() {
    a_first_day(nginx);
}

#[test]
fn the_first_day_behind_caddy() {
    a_first_day(caddy);
}
