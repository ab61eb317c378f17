//! A dossier as a page, and who signed its events.
//!
//! Proven: the page loads nothing from elsewhere, and nothing that a stranger has
//! sent can run or hide in it; it is never written over another file, and never in
//! part; it names the keys by which events were verified, and says what cannot be
//! read.

use crate::support::dns::DnsServer;
use crate::support::dossier::{HOSTILE, form, must_be_harmless, of_part};
use crate::support::signer;
use crate::support::signer::{ACCOUNT, HOST, KEY_NAME, Key};
use crate::support::{Server, cli, data, flip, json_lines, new_server, segments};
use bytesize::ByteSize;
use profiletrail::event::now_seconds;
use serde_json::json;

#[test]
fn nothing_that_a_stranger_sent_runs_or_hides_in_the_page() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut client = server.client();
    for (time, kind) in [
        ("1760000000", "create"),
        ("1760000100", "update"),
        ("1760000200", HOSTILE),
        ("1760000300", "update"),
    ] {
        for subprofile in [None, Some(("subprofile", "70"))] {
            let (name, parameter) = (
                format!("fields[{HOSTILE}]"),
                format!("parameters[{HOSTILE}]"),
            );
            let value = format!("{time}{HOSTILE}");
            let mut pairs = vec![
                ("type", kind),
                ("profile", "7"),
                ("time", time),
                ("created", HOSTILE),
                ("modified", HOSTILE),
                (&*name, &*value),
                (&*parameter, HOSTILE),
                ("interests[]", HOSTILE),
                (HOSTILE, HOSTILE),
            ];
            pairs.extend(subprofile);
            client.post("/webhook/x", form(&pairs)).seq();
        }
    }
    let out = dir.path().join("dossier.html");
    let path = out.to_str().unwrap();
    let page = |args: &[&str]| {
        let line = cli(&data, &[&["dossier", "7", "--out", path], args].concat()).ok();
        let size = ByteSize(std::fs::metadata(&out).unwrap().len())
            .display()
            .iec();
        assert_eq!(line, format!("wrote the dossier of 7 to {path} ({size})\n"));
        let page = std::fs::read_to_string(&out).unwrap();
        std::fs::remove_file(&out).unwrap();
        must_be_harmless(&page);
        page
    };
    let all = page(&[]);
    for wanted in [
        "id=\"now\"",
        "id=\"values\"",
        "id=\"gaps\"",
        "id=\"events\"",
        "id=\"evidence\"",
        "id=\"words\"",
        "&lt;script&gt;",
        "\\u{202e}",
        "\\u{0}",
        "subprofile 7/70",
    ] {
        assert!(all.contains(wanted), "{wanted}");
    }
    let name = HOSTILE.trim_end_matches('\u{0}');
    let one = page(&[
        "--field",
        "no <b>such</b>",
        "--interest",
        &name.replace('\u{0}', ""),
        "--timezone",
        "UTC",
    ]);
    assert!(one.contains("no &lt;b&gt;such&lt;/b&gt;"));
    assert!(one.contains("no event has ever shown it"));
    assert!(one.contains("2025-10-09 08:53:20 UTC"));

    // It is never written over another file, and not where there is nothing to say.
    std::fs::write(&out, "mine").unwrap();
    let refused = cli(&data, &["dossier", "7", "--out", path]).failed(2);
    assert!(refused.contains("name another file"), "{refused}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    std::fs::remove_file(&out).unwrap();
    cli(&data, &["dossier", "8", "--out", path]).failed(1);
    cli(
        &data,
        &["dossier", "7", "--out", &format!("{path}/no/such.html")],
    )
    .failed(3);
    cli(&data, &["dossier", "7", "--at", "@5", "--until", "@5"]).failed(2);
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["data"]);
    let html = cli(&data, &["dossier", "7", "--format", "html"]).ok();
    must_be_harmless(&html);
    cli(&data, &["dossier", "7", "--format", "jsonl", "--out", path]).ok();
    let lines = json_lines(&std::fs::read_to_string(&out).unwrap());
    assert_eq!(lines[0]["part"], "about");
    // A file of its owner's alone.
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&out).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn it_says_who_signed_what() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = DnsServer::start();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    let address = dns.address().to_string();
    let mut args = vec!["--copernica-id", ACCOUNT, "--public-host", HOST];
    args.extend(["--dns-server", &address]);
    let data = data(&dir);
    let server = Server::start(&data, &args);
    let now = now_seconds();
    for value in ["x", "y"] {
        let body = format!("type=update&profile=1&fields[a]={value}&parameters[a]={value}");
        let mut client = server.client();
        client
            .send(&signer::Call::new(&body, now).signed(&key))
            .unwrap();
        client.receive(false).unwrap().seq();
    }
    server.stop();
    let server = Server::start(&data, &[]);
    server
        .client()
        .post(
            "/webhook",
            "type=update&profile=1&fields[a]=z&parameters[a]=z",
        )
        .seq();
    let lines = json_lines(&cli(&data, &["dossier", "1"]).ok());
    let total = of_part(&lines, "total")[0];
    assert_eq!(
        (&total["verified"], &total["unsigned"], &total["unchecked"]),
        (&json!(2), &json!(0), &json!(1))
    );
    let events = of_part(&lines, "event");
    assert_eq!(
        (&events[0]["verified"], &events[0]["key"]),
        (&json!(true), &json!(KEY_NAME))
    );
    assert_eq!(
        (events[2].get("verified"), events[2].get("key")),
        (None, None)
    );
    let keys = of_part(&lines, "key");
    assert_eq!(
        keys,
        [&json!({"part": "key", "key": KEY_NAME, "events": 2, "example": 1})]
    );
    let page = cli(&data, &["dossier", "1", "--format", "html"]).ok();
    must_be_harmless(&page);
    for wanted in [
        "profiletrail evidence 1 --out event-1",
        KEY_NAME,
        "signed by Copernica and checked",
        "its signature was not checked",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // What is lost of the log is said in the dossier, too.
    server.stop();
    flip(&segments(&data)[0], |bytes| {
        memchr::memmem::find(bytes, b"fields[a]=y").unwrap()
    });
    let damaged = cli(&data, &["dossier", "1"]);
    assert_eq!(damaged.status, Some(3), "{}", damaged.stderr);
    let lines = json_lines(&damaged.stdout);
    assert_eq!(
        of_part(&lines, "gap")
            .iter()
            .filter(|line| line["kind"] == "damage")
            .count(),
        1
    );
    assert_eq!(of_part(&lines, "total")[0]["damaged"], 1);
    let out = dir.path().join("dossier.html");
    cli(&data, &["dossier", "1", "--out", out.to_str().unwrap()]).failed(3);
    assert!(
        std::fs::read_to_string(&out)
            .unwrap()
            .contains("events cannot be read")
    );
}
