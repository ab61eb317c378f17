//! What becomes of calls that are refused.
//!
//! Proven: every status has its reason and place as JSON; the connection stays
//! usable, or is closed only after the sender can have read why; `rejected`
//! lists the call with its bytes, reason and address, and it takes no number;
//! whatever bytes come, none is lost.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use crate::support::http::FORM;
use crate::support::{BODY, Client, NEVER, cli, data, exported, has, json_lines, keys, new_server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

fn rejected(data: &Path) -> Vec<Value> {
    json_lines(&cli(data, &["rejected", "--format", "jsonl"]).ok())
}

/// The body of a call that was refused.
fn body_of(line: &Value) -> Vec<u8> {
    match line.get("body") {
        Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
        None => STANDARD
            .decode(line["body_base64"].as_str().unwrap())
            .unwrap(),
    }
}

/// Target, headers, body; the answer's status and place.
type Call = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [u8],
    u16,
    &'static str,
);

#[test]
fn what_cannot_be_read_is_listed_and_takes_no_number() {
    let (dir, server) = new_server(&["--max-body", "1000B"]);
    let mut client = server.client();
    const FORM_TYPE: &[(&str, &str)] = &[("Content-Type", FORM)];
    let calls: [Call; 9] = [
        (
            "/webhook/l",
            FORM_TYPE,
            b"type=update&fields[a]=b",
            400,
            "profile",
        ),
        (
            "/webhook",
            FORM_TYPE,
            b"type=update&profile=x&a=\xff\xfe%00",
            400,
            "profile",
        ),
        (
            "/webhook",
            FORM_TYPE,
            b"type=update&subprofile=9&time=1",
            400,
            "profile",
        ),
        (
            "/webhook",
            &[("Content-Type", "application/json")],
            b"{\"type\":",
            400,
            "",
        ),
        (
            "/webhook",
            &[("Content-Type", "text/plain")],
            BODY.as_bytes(),
            415,
            "Content-Type",
        ),
        (
            "/webhook",
            &[(
                "Content-Type",
                "application/x-www-form-urlencoded; charset=foo",
            )],
            BODY.as_bytes(),
            415,
            "Content-Type",
        ),
        ("/webhook", FORM_TYPE, b"", 400, "body"),
        ("/webhook", FORM_TYPE, b"test=1", 400, "body"),
        (
            "/webhook",
            FORM_TYPE,
            b"type=click&id=abc&recipient=a%40example.com&time=1760000000",
            400,
            "type",
        ),
    ];
    for (target, headers, body, status, place) in calls {
        let reply = client.request("POST", target, headers, body);
        assert_eq!(reply.status, status, "{:?}", reply.json());
        assert_eq!(keys(&reply.json()), ["error", "where"]);
        assert!(
            reply.json()["where"].as_str().unwrap().contains(place),
            "{:?}",
            reply.json()
        );
    }
    // The first calls that can be read are the first that count.
    assert_eq!(client.post("/webhook", BODY).seq(), 1);
    let listed = rejected(&data(&dir));
    assert_eq!(listed.len(), calls.len());
    for (number, (line, (target, headers, body, status, _))) in listed.iter().zip(calls).enumerate()
    {
        assert_eq!(line["number"], number as u64 + 1);
        assert_eq!(line["status"], status);
        assert_eq!(line["remote"], "127.0.0.1");
        assert_eq!(line["label"].as_str(), target.strip_prefix("/webhook/"));
        assert_eq!(
            line["content_type"].as_str(),
            headers.first().map(|(_, value)| *value)
        );
        assert_eq!(body_of(line), body);
        let last = if line.get("body").is_some() {
            "body"
        } else {
            "body_base64"
        };
        let names = [
            "number",
            "received",
            "remote",
            "label",
            "content_type",
            "status",
            "error",
        ];
        assert_eq!(keys(line), [names.as_slice(), &["where", last]].concat());
    }
    assert_eq!(exported(&data(&dir)).len(), 1);
    let offline = {
        server.stop();
        rejected(&data(&dir))
    };
    assert_eq!(offline, listed);
}

#[test]
fn a_compressed_body_is_refused_by_its_name_and_kept() {
    let (dir, server) = new_server(&[]);
    let call = |coding: &str| {
        let mut client = server.client();
        let length = BODY.len();
        let head = format!(
            "POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Encoding: {coding}\r\n\
             Content-Length: {length}\r\n\r\n{BODY}"
        );
        client.send(head.as_bytes()).unwrap();
        client.receive(false).unwrap()
    };
    for coding in ["gzip", "br", "deflate, gzip"] {
        let reply = call(coding);
        assert_eq!(
            (reply.status, reply.json()["where"].as_str()),
            (415, Some("Content-Encoding"))
        );
    }
    for coding in ["identity", ""] {
        assert_eq!(call(coding).status, 200, "{coding}");
    }
    let listed = rejected(&data(&dir));
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|line| line["where"] == "Content-Encoding"),
        "{listed:?}"
    );
    server.stop();
}

#[test]
fn lengths() {
    let (dir, server) = new_server(&["--max-body", "1000B"]);
    let mut client = server.client();
    // As long as can be, and one more.
    let fits = format!("{BODY}&x={}", "y".repeat(1000 - BODY.len() - 3));
    assert_eq!(client.post("/webhook", &fits).seq(), 1);
    let reply = client.post("/webhook", format!("{fits}z"));
    assert_eq!(reply.status, 413);
    assert!(
        reply.json()["error"].as_str().unwrap().contains("1001"),
        "{:?}",
        reply.json()
    );
    // In chunks.
    let chunked = |body: &str| {
        let mut client = server.client();
        let length = body.len();
        let request = format!(
            "POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n\
             {length:x}\r\n{body}\r\n0\r\n\r\n"
        );
        client.send(request.as_bytes()).unwrap();
        client.receive(false).unwrap()
    };
    assert_eq!(chunked(&fits).seq(), 2);
    let reply = chunked(&format!("{fits}z"));
    assert_eq!(reply.status, 413);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    has(&error, &["1001", "--max-body"]);
    // Without a length, and in a coding that is not known.
    for header in ["Content-Type: a/b", "Transfer-Encoding: gzip"] {
        let mut client = server.client();
        let request = format!("POST /webhook HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n");
        client.send(request.as_bytes()).unwrap();
        let reply = client.receive(false).unwrap();
        assert_eq!(
            (reply.status, keys(&reply.json())),
            (411, vec!["error", "where"])
        );
    }
    // Declared far too large: answered before it is sent.
    let mut client = server.client();
    client
        .send(b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\ntype")
        .unwrap();
    assert_eq!(client.receive(false).unwrap().status, 413);
    let listed = rejected(&data(&dir));
    assert!(
        listed.iter().all(|line| line["status"] == 413),
        "{listed:?}"
    );
    assert_eq!(listed.len(), 3);
    server.stop();
}

#[test]
fn a_sender_that_keeps_sending_gets_to_read_why_not() {
    let (_dir, server) = new_server(&["--max-body", "100KB"]);
    let body = vec![b'x'; 8 << 20];
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    stream.set_write_timeout(Some(NEVER)).unwrap();
    stream
        .write_all(&Client::bytes(
            "POST",
            "/webhook",
            &[("Content-Type", FORM)],
            &body,
        ))
        .unwrap();
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("8388608"), "{answer}");
    server.stop();
}

#[test]
fn what_is_no_http_is_refused_and_closed() {
    let (_dir, server) = new_server(&[]);
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(40_000));
    for (bytes, status) in [
        ("\u{16}\u{3}\u{1}\0\0 not http\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (
            "POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            400,
        ),
        (long.as_str(), 431),
    ] {
        let mut client = server.client();
        client.send(bytes.as_bytes()).unwrap();
        let reply = client.receive(false).unwrap();
        assert_eq!(reply.status, status, "{bytes:.40}");
        assert_eq!(keys(&reply.json()), ["error", "where"]);
        assert!(client.is_closed());
    }
    assert_eq!(server.client().get("/healthz").status, 200);
    server.stop();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever bytes come, each call is either kept or refused, and its body
    /// comes back to the byte from where the answer says it went.
    #[test]
    fn bodies_of_any_bytes_are_kept_as_they_came(
        bodies in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 1..30
        ),
    ) {
        let (dir, server) = new_server(&[]);
        let mut client = server.client();
        let (mut kept, mut refused) = (Vec::new(), Vec::new());
        for (readable, noise) in bodies {
            let start: &[u8] = if readable { b"type=x&profile=1&fields[a]=" } else { b"" };
            let body = [start, &noise].concat();
            let reply = client.post("/webhook", &body);
            if reply.status == 200 {
                kept.push(body);
                prop_assert_eq!(reply.seq(), kept.len() as u64);
            } else {
                prop_assert_eq!(reply.status, 400);
                refused.push(body);
            }
        }
        let found = cli(&data(&dir), &["export", "--raw"]).stdout;
        let found: Vec<_> = json_lines(&found).iter().map(body_of).collect();
        prop_assert_eq!(found, kept);
        let found = cli(&data(&dir), &["rejected"]).stdout;
        let found: Vec<_> = json_lines(&found).iter().map(body_of).collect();
        prop_assert_eq!(found, refused);
        server.stop();
    }
}
