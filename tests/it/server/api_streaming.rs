//! Answers of the query API that are long, broken off or incomplete.
//!
//! Proven: long answers come in chunks, to HTTP/1.0 until the connection closes, and
//! block nobody; a client can see that an answer was broken off; an answer reports
//! what cannot be read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::support::api::{API, call, fill, text};
use crate::support::http::{ask, token};
use crate::support::{
    BINARY, BODY, Client, NEVER, Server, clean, cli, data, eventually, flip, json_lines, keys,
    new_server, segments,
};

/// A server with some MiB to export, and a token.
fn much() -> (tempfile::TempDir, Server, String) {
    let (dir, server) = new_server(&API);
    let mut client = server.client();
    let long = "x".repeat(450_000);
    for number in 0..60 {
        let time = 1_760_000_000 + number;
        client.post("/webhook", call(number + 1, time, &long)).seq();
    }
    let token = token(&data(&dir), "read");
    (dir, server, token)
}

/// Asks on a connection of its own, without reading.
fn begin(server: &Server, token: &str, target: &str, version: &str) -> TcpStream {
    begin_from(server, token, target, version, "")
}

/// The same with further header lines.
fn begin_from(
    server: &Server,
    token: &str,
    target: &str,
    version: &str,
    headers: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(server.api()).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    let request = format!(
        "GET {target} {version}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn long_answers_come_piece_by_piece_and_hold_up_nobody() {
    let (dir, server, token) = much();
    let expected = cli(&data(&dir), &["export"]).ok();
    assert!(expected.len() > 50_000_000);
    let reply = ask(server.api(), &token, "/v1/export");
    assert_eq!(reply.header("Transfer-Encoding"), Some("chunked"));
    assert!(text(&reply) == expected);
    // HTTP/1.0 gets it up to the end of the connection.
    let mut old = begin(&server, &token, "/v1/export", "HTTP/1.0");
    let mut bytes = Vec::new();
    old.read_to_end(&mut bytes).unwrap();
    assert!(!bytes.starts_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding"));
    assert!(bytes.ends_with(expected.as_bytes()));
    // Readers that do not read take the places for long answers, and no other: here
    // half of them with each of two tokens.
    let second = crate::support::http::token(&data(&dir), "read");
    let stalled: Vec<_> = [&token, &token, &second, &second]
        .map(|token| begin(&server, token, "/v1/export", "HTTP/1.1"))
        .into();
    let busy = || {
        let reply = ask(server.api(), &token, "/v1/stats");
        assert!(matches!(reply.status, 200 | 503));
        reply.header("Retry-After").is_some()
    };
    eventually("all places are taken", busy);
    assert_eq!(server.client().post("/webhook", BODY).status, 200);
    assert_eq!(Client::connect(server.api()).get("/healthz").status, 200);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 200 * 1024, "{kib} KiB");
    // With them gone there is room again.
    drop(stalled);
    eventually("there is room", || {
        ask(server.api(), &token, "/v1/stats").status == 200
    });
    server.stop();
}

#[test]
fn commands_whose_readers_pause_leave_the_api_its_places() {
    let (dir, server, token) = much();
    let paused: Vec<_> = (0..2)
        .map(|_| {
            let mut command = clean(BINARY);
            command.arg("changes").arg("--data").arg(data(&dir));
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            // The first byte comes once the command has its permit.
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            child
        })
        .collect();
    let answers = [0; 2].map(|_| ask(server.api(), &token, "/v1/changes?limit=1").status);
    for mut child in paused {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(answers, [200; 2]);
    server.stop();
}

/// Whoever does not read long answers takes half of the places at most, be it with one
/// token from many addresses or with many tokens from one network.
#[test]
fn one_client_that_does_not_read_leaves_half_of_the_places() {
    let args = [&API[..], &["--trusted-proxy", "127.0.0.1"]].concat();
    let (dir, server) = new_server(&args);
    let mut client = server.client();
    let long = "x".repeat(450_000);
    for number in 0..60 {
        let call = call(number + 1, 1_760_000_000 + number, &long);
        client.post("/webhook", call).seq();
    }
    let tokens: Vec<_> = (0..5).map(|_| token(&data(&dir), "read")).collect();
    let stall = |target, token: &str, address: &str| {
        let headers = format!("X-Forwarded-For: {address}\r\n");
        begin_from(&server, token, target, "HTTP/1.1", &headers)
    };
    let status = |target: &str, token: &str, address: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("Authorization", &*authorization),
            ("X-Forwarded-For", address),
        ];
        Client::connect(server.api())
            .request("GET", target, &headers, b"")
            .status
    };
    for target in ["/v1/export", "/v1/changes"] {
        // One token, at four addresses.
        let stalled =
            [1, 2, 3, 4].map(|number| stall(target, &tokens[0], &format!("192.0.2.{number}")));
        let is_refused = || status("/v1/changes?limit=1", &tokens[0], "192.0.2.5") == 503;
        eventually("the token has its share", is_refused);
        let other = status("/v1/changes?limit=1", &tokens[1], "192.0.2.5");
        assert_eq!(other, 200, "{target}");
        assert_eq!(
            cli(&data(&dir), &["changes", "--limit", "1"]).status,
            Some(0)
        );
        drop(stalled);
        // Four tokens, in one network.
        let stalled = [1, 2, 3, 4]
            .map(|number| stall(target, &tokens[number], &format!("2001:db8::{number}")));
        let is_refused = || status("/v1/changes?limit=1", &tokens[0], "2001:db8::5") == 503;
        eventually("the network has its share", is_refused);
        let other = status("/v1/changes?limit=1", &tokens[0], "2001:db8:0:1::1");
        assert_eq!(other, 200, "{target}");
        drop(stalled);
    }
    server.stop();
}

#[test]
fn a_stop_breaks_off_what_nobody_reads() {
    let (_dir, server, token) = much();
    let mut stalled = begin(&server, &token, "/v1/export", "HTTP/1.1");
    let mut head = [0; 15];
    stalled.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    server.stop();
    let mut bytes = Vec::new();
    let read = stalled.read_to_end(&mut bytes);
    assert!(read.is_err() && !bytes.ends_with(b"0\r\n\r\n"), "{read:?}");
}

#[test]
fn what_cannot_be_read_is_reported_in_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    let server = Server::start(&data, &["--segment-size", "1000B"]);
    fill(&server);
    server.stop();
    // A byte of the first event's record.
    flip(&segments(&data)[0], |bytes| bytes.len() / 2);
    let server = Server::start(&data, &API);
    let command = cli(&data, &["export"]);
    assert_eq!(command.status, Some(3), "{}", command.stderr);
    let token = token(&data, "read");
    let reply = ask(server.api(), &token, "/v1/export");
    assert_eq!(reply.status, 200);
    let lines = text(&reply).strip_prefix(command.stdout.as_str()).unwrap();
    let last = json_lines(lines);
    assert_eq!(last.len(), 1);
    assert_eq!(keys(&last[0]), ["damage"]);
    let damage = last[0]["damage"][0].as_str().unwrap();
    assert!(
        command.stderr.contains(damage),
        "{damage}: {}",
        command.stderr
    );
    server.stop();
}
