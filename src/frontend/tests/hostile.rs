//! Malformed, conflicting and slow requests: each is refused with the right status, and nothing is smuggled.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{Answer, Peer, Rig, echo, rig, rig_with};
use crate::frontend::{Answers, Frontend, FrontendConfig, connect_private};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn refuses_what_is_malformed_with_the_right_status() {
    let rig = rig();
    let with = |headers: &str| format!("POST /a HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n12345");
    let many = (0..65)
        .map(|n| format!("A{n}: b"))
        .collect::<Vec<_>>()
        .join("\r\n");
    let cases = [
        (with("Host: y"), 400),
        (with("Expect: more"), 417),
        ("GET /a HTTP/1.1\r\nHost: \r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/1.1\r\nHost: :80\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/1.1\r\nHost: a:b\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned(), 400),
        (with(&many), 431),
        (with(&format!("A: {}", "b".repeat(17_000))), 431),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "b".repeat(17_000)),
            431,
        ),
        ("GET /a HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(), 505),
        ("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 505),
        ("\x16\x03\x01\x02\0\x01\0".to_owned(), 400),
        ("\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n".to_owned(), 400),
    ];
    for (bytes, status) in cases {
        let mut peer = rig.peer();
        let answer = peer.ask(&bytes);
        assert!(
            answer.status == status || (status == 505 && answer.status == 400),
            "{bytes:.80}: {answer:?}"
        );
        assert_own(&answer);
        assert!(answer.head.contains("Connection: close\r\n"));
        assert!(peer.is_closed());
    }
    assert_eq!(rig.reached.load(Ordering::SeqCst), 0);
}

#[test]
fn a_body_without_a_length_is_a_fault_and_a_request_without_a_type_has_none() {
    let rig = rig();
    let mut peer = rig.peer();
    assert_eq!(peer.ask("POST /a HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    let answer = peer.ask("POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n\r\n");
    assert!(answer.status == 411 && answer.body.contains("fault: NoLength\n"));
    assert_eq!(peer.ask(GET).status, 200);
    let answer = peer
        .ask("GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert!(answer.status == 411 && answer.body.ends_with("fault: NoLength\n\n"));
    assert!(answer.head.contains("Connection: close\r\n"));
    assert!(peer.is_closed());
}

#[test]
fn a_host_may_be_a_name_or_an_address_with_a_port() {
    let rig = rig();
    for host in [
        "x",
        "a.example.com:8080",
        "192.0.2.1",
        "[::1]",
        "[::1]:443",
        "a_b:",
    ] {
        let answer = rig.once(format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn a_body_that_is_too_large_is_answered_after_its_last_byte() {
    let rig = rig();
    let mut peer = rig.peer();
    peer.send("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n");
    peer.send("w".repeat(3_145_727));
    let wait = |peer: &Peer, wait| peer.stream.set_read_timeout(Some(wait)).unwrap();
    wait(&peer, Duration::from_millis(100));
    let early = peer.stream.peek(&mut [0]).unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    wait(&peer, Duration::from_secs(10));
    assert_eq!(peer.ask("w").status, 413);
    // A request whose sender stops is answered, too.
    let mut peer = rig.peer();
    peer.send("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\nw");
    assert_eq!(peer.answer(false).unwrap().status, 413);
}

#[test]
fn a_client_that_keeps_sending_too_much_reads_its_answer() {
    let rig = rig();
    for _ in 0..5 {
        let mut peer = rig.peer();
        peer.send("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n");
        for _ in 0..48 {
            peer.send("w".repeat(65_536));
        }
        let answer = peer.answer(false).unwrap();
        assert_eq!(answer.status, 413);
        assert!(answer.body.contains("fault: TooLarge(3145728)\n"));
        assert!(answer.head.contains("Connection: close\r\n"));
        assert!(peer.is_closed());
    }
}

#[test]
fn clients_that_vanish_take_nothing_with_them() {
    let rig = rig_with(4, FrontendConfig::default());
    for round in 0..200 {
        let mut peer = rig.peer();
        match round % 4 {
            0 => peer.send("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"),
            1 => peer.send("GET /sleep/5 HTTP/1.1\r\nHost: x\r\n\r\n"),
            2 => peer.send("GET /big/1000000 HTTP/1.1\r\nHost: x\r\n\r\n"),
            _ => peer.send("GET /sleep/2 HTTP/1.1\r\nHost: x\r\n\r\nGET /next"),
        }
        if round % 3 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(peer);
        if round % 10 == 0 {
            assert!(rig.serves());
        }
    }
    for _ in 0..20 {
        assert!(rig.serves());
    }
}

#[test]
fn a_new_connection_takes_the_place_of_the_longest_idle_one() {
    let config = FrontendConfig {
        max_connections: 4,
        ..FrontendConfig::default()
    };
    let rig = rig_with(8, config);
    let mut peers: Vec<_> = (0..4).map(|_| rig.peer()).collect();
    for peer in &mut peers {
        assert_eq!(peer.ask(GET).status, 200);
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut fifth = rig.peer();
    assert_eq!(fifth.ask(GET).status, 200);
    let mut first = peers.remove(0);
    assert!(first.is_closed());
    for peer in peers.iter_mut().chain([&mut fifth]) {
        peer.send("GET /sleep/300 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    std::thread::sleep(Duration::from_millis(50));
    let mut none = rig.peer();
    assert_eq!(none.answer(false).unwrap().status, 503);
    for peer in peers.iter_mut().chain([&mut fifth]) {
        assert_eq!(peer.answer(false).unwrap().status, 200);
    }
}

#[test]
fn rubbish_from_behind_is_a_502_and_costs_one_connection() {
    let rig = rig_with(2, FrontendConfig::default());
    let rubbish = "GET /rubbish HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(rig.once(rubbish).status, 502);
    assert!(rig.serves());
    assert_eq!(rig.once(rubbish).status, 502);
    assert_eq!(rig.once(GET).status, 503);
}

#[test]
fn a_lost_private_connection_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    let server = tiny_http::Server::http_unix(&path).unwrap();
    let answers = Answers::default();
    std::thread::scope(|scope| {
        let (server, own) = (&server, answers.clone());
        scope.spawn(move || {
            while let Ok(request) = server.recv() {
                echo(request, &own);
            }
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = FrontendConfig {
            private_path: Some(path.clone()),
            ..FrontendConfig::default()
        };
        let upstreams = connect_private(&path, 1).unwrap();
        let mut frontend = Frontend::start(listener, upstreams, config, answers).unwrap();
        let ask = |target: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        assert!(ask("/rubbish").starts_with("HTTP/1.1 502"));
        let start = Instant::now();
        while !ask("/").starts_with("HTTP/1.1 200") {
            assert!(start.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(50));
        }
        frontend.shutdown(Duration::from_secs(1));
        server.unblock();
    });
}

#[test]
fn random_bytes_do_no_harm() {
    let rig = rig();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let stream_events: [&[u8]; 14] = [
        b"GET ",
        b"POST ",
        b"/a ",
        b"HTTP/1.1",
        b"\r\n",
        b"\n",
        b"Host: x\r\n",
        b"\r\n\r\n",
        b"Content-Length: ",
        b"12",
        b"Transfer-Encoding: chunked\r\n",
        b":",
        b" ",
        b"\0\xff",
    ];
    for _ in 0..400 {
        let mut bytes = Vec::new();
        for _ in 0..next() % 24 {
            if next() % 5 == 0 {
                bytes.extend(next().to_le_bytes());
            } else if let Some(piece) = stream_events.get((next() % 14) as usize) {
                bytes.extend_from_slice(piece);
            }
        }
        let mut peer = rig.peer();
        // The frontend may have closed already.
        let _ = peer.stream.write_all(&bytes);
        let _ = peer.stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = peer.stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "));
    }
    assert!(rig.serves());
}

/// The bytes that a smuggler wants to pass off as a separate request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends bytes and ends; every answer that comes.
fn answers(rig: &Rig, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
    let mut peer = rig.peer();
    // The frontend may have closed already.
    let _ = peer.stream.write_all(bytes.as_ref());
    let _ = peer.stream.shutdown(Shutdown::Write);
    std::iter::from_fn(|| peer.answer(false)).collect()
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /in HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{body}")
}

/// Asserts that an answer is the frontend's own, which says what is wrong and where.
#[track_caller]
fn assert_own(answer: &Answer) {
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert!(json.get("error").is_some() && json.get("where").is_some());
}

/// The answer to bytes, which must be answered once, with this status, and the connection ended.
#[track_caller]
fn one(rig: &Rig, bytes: &str, status: u16) -> Answer {
    let mut got = answers(rig, bytes);
    assert_eq!(got.len(), 1, "{bytes:.200?}: {got:?}");
    assert_eq!(got[0].status, status, "{bytes:.200?}: {got:?}");
    assert!(!got[0].body.contains("smuggled HTTP"), "{bytes:.200?}");
    assert!(
        got[0].head.contains("Connection: close\r\n"),
        "{bytes:.200?}"
    );
    got.remove(0)
}

#[test]
fn lengths_and_codings_in_conflict_are_refused_and_nothing_is_read_behind_them() {
    let rig = rig();
    let chunked = format!("0\r\n\r\n{SMUGGLED}");
    for headers in [
        // CL.TE and TE.CL
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: identity",
        "content-length: 5\r\ntransfer-encoding:\tchunked",
        // Lengths that are not one number
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 05",
        "Content-Length: 5,5",
        "Content-Length: 5, 5",
        "Content-Length: 5 5",
        "Content-Length: +5",
        "Content-Length: -0",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length: 1e1",
        "Content-Length: \"5\"",
        "Content-Length: 5;",
        "Content-Length: \u{665}",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 18446744073709551621",
        "Content-Length: 99999999999999999999999999999999999999",
        "Content-Length: 5\u{b}",
        // Invalid names
        "Content-Length : 5",
        "Content-Length\t: 5",
        " Content-Length: 5",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\u{b}: chunked",
        "Content-Length\0: 5",
        "Con tent-Length: 5",
        ": 5",
        "Content-Length",
        // Invalid lines
        "A: b\r\n Content-Length: 5",
        "A: b\r\n\tTransfer-Encoding: chunked",
        "A: b\rTransfer-Encoding: chunked",
        "A: b\r\r\nTransfer-Encoding: chunked",
        "A: b\nTransfer-Encoding: chunked",
        "A: b\nContent-Length: 5",
        "A: b\0\r\nContent-Length: 5",
        "A: b\0c",
        "A: b\u{1}",
    ] {
        assert_own(&one(&rig, &post(headers, &chunked), 400));
    }
    assert_eq!(rig.reached.load(Ordering::SeqCst), 0);
}

#[test]
fn codings_however_they_are_written_are_refused_as_such() {
    let rig = rig();
    for headers in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: gzip, chunked",
        "TRANSFER-ENCODING: cHuNkEd",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked, chunked",
    ] {
        let bytes = post(headers, &format!("0\r\n\r\n{SMUGGLED}"));
        // A vertical tab is no part of a value.
        let status = match headers {
            _ if headers.contains('\u{b}') => 400,
            // The only coding that is decoded; bytes after it are not read.
            "Transfer-Encoding: chunked" | "TRANSFER-ENCODING: cHuNkEd" => 200,
            _ => 411,
        };
        one(&rig, &bytes, status);
    }
}

#[test]
fn equal_lengths_and_blanks_around_them_are_understood() {
    let rig = rig();
    for headers in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\ncontent-length: 5",
        "Content-Length:5",
        "Content-Length: \t 5 \t ",
        "cONTENT-lENGTH: 0000005",
    ] {
        let got = answers(&rig, format!("{}{SMUGGLED}", post(headers, "12345")));
        let bodies: Vec<_> = got.iter().map(|answer| answer.body.as_str()).collect();
        assert_eq!(bodies.len(), 2, "{headers}: {got:?}");
        assert!(bodies[0].ends_with("\n\n12345"), "{headers}");
        // Every reader agrees on the bytes after the body.
        assert!(bodies[1].starts_with("GET /smuggled\n"), "{headers}");
    }
}

#[test]
fn targets_of_every_form() {
    let rig = rig();
    for (line, target) in [
        ("GET / HTTP/1.1", "/"),
        ("GET //x//y HTTP/1.1", "//x//y"),
        ("GET /../../etc/passwd HTTP/1.1", "/../../etc/passwd"),
        ("GET /%00%0d%0aHost:%20y HTTP/1.1", "/%00%0d%0aHost:%20y"),
        ("GET http://h/p HTTP/1.1", "/p"),
        ("GET hTTp://u:p@h:1/p?q#f HTTP/1.1", "/p?q#f"),
        ("GET http://h HTTP/1.1", "/"),
    ] {
        let answer = rig.once(format!("{line}\r\nHost: x\r\n\r\n"));
        assert!(
            answer.body.starts_with(&format!("GET {target}\n")),
            "{line}: {answer:?}"
        );
    }
    for line in [
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT example.com:443 HTTP/1.1",
        "GET example.com/ HTTP/1.1",
        "GET http:/h HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET /caf\u{e9} HTTP/1.1",
    ] {
        assert_own(&one(&rig, &format!("{line}\r\nHost: x\r\n\r\n"), 400));
    }
    for line in [
        "GET \\ HTTP/1.1",
        "GET /a\0b HTTP/1.1",
        "GET /a\u{7f} HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1",
        "G\0T / HTTP/1.1",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET /",
        "",
        "\0",
    ] {
        let got = answers(&rig, format!("{line}\r\nHost: x\r\n\r\n"));
        let refused = got.iter().all(|answer| matches!(answer.status, 400 | 505));
        assert!(refused && got.len() <= 1, "{line:?}: {got:?}");
    }
    for line in ["GET / HTTP/1.2", "GET / HTTP/3.0", "GET / HTTP/1."] {
        one(&rig, &format!("{line}\r\nHost: x\r\n\r\n"), 505);
    }
}

#[test]
fn heads_beyond_every_bound_are_refused_while_they_come() {
    let rig = rig();
    for start in [
        "GET / HTTP/1.1\r\nHost: x\r\nX: ",
        "GET /",
        "",
        "GET / HTTP/1.1\r\nHost: x\r\n",
        "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: ",
    ] {
        for piece in ["1", "a: b\r\n", "\0"] {
            let mut peer = rig.peer();
            let _ = peer.stream.write_all(start.as_bytes());
            let mut sent = 0;
            while sent < 1024 * 1024 {
                let bytes = piece.repeat(65_536 / piece.len());
                if peer.stream.write_all(bytes.as_bytes()).is_err() {
                    break;
                }
                sent += bytes.len();
            }
            let answer = peer.answer(false);
            let status = answer.map_or(431, |answer| answer.status);
            assert!(
                matches!(status, 400 | 431 | 505),
                "{start:?} {piece:?}: {status}"
            );
        }
    }
    assert_eq!(rig.reached.load(Ordering::SeqCst), 0);
    assert!(rig.serves());
}

#[test]
fn continue_is_sent_to_those_who_wait_and_for_nothing_that_is_refused() {
    let rig = rig();
    let expecting = |headers: &str| post(&format!("Expect: 100-Continue\r\n{headers}"), "");
    let mut peer = rig.peer();
    for _ in 0..3 {
        assert_eq!(peer.ask(expecting("Content-Length: 2")).status, 100);
        assert!(peer.ask("ok").body.ends_with("\n\nok"));
    }
    // Nothing is awaited, so no `100 Continue` is sent.
    assert_eq!(peer.ask(expecting("Content-Length: 0")).status, 200);
    let whole = expecting("Content-Length: 2") + "ok";
    assert_eq!(peer.ask(whole).status, 200);
    // Too large a body is refused at once; of those who do not wait, it is read first.
    let answer = peer.ask(expecting("Content-Length: 2000000"));
    assert!(answer.status == 413 && answer.head.contains("Connection: close"));
    let old = expecting("Content-Length: 2").replace("HTTP/1.1", "HTTP/1.0");
    let got = answers(&rig, format!("{old}ok"));
    assert_eq!(
        got.iter().map(|answer| answer.status).collect::<Vec<_>>(),
        [200]
    );
    one(&rig, &expecting("Transfer-Encoding: gzip"), 411);
    one(&rig, &expecting("Content-Length: 99999999"), 413);
    one(&rig, &expecting("Content-Length: x"), 400);
    one(
        &rig,
        &expecting("Expect: 200-maybe\r\nContent-Length: 2"),
        417,
    );
}

#[test]
fn everything_may_be_slow_but_not_for_ever() {
    let config = FrontendConfig {
        head_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(600),
        ..FrontendConfig::default()
    };
    let rig = rig_with(2, config);
    let whole = post("Content-Length: 4000", &"s".repeat(4000));
    let (head, _) = whole.split_at(whole.len() - 4000);
    // Small pieces gain no time: neither those of a head nor those of a body.
    for sent_first in [&head[..5], head] {
        let mut peer = rig.peer();
        peer.send(sent_first);
        let mut rest = whole[sent_first.len()..].bytes();
        while peer.stream.write_all(&[rest.next().unwrap()]).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
            peer.stream.set_nonblocking(true).unwrap();
            let is_answered = peer.stream.peek(&mut [0]).is_ok();
            peer.stream.set_nonblocking(false).unwrap();
            if is_answered {
                break;
            }
        }
        assert_eq!(peer.answer(false).unwrap().status, 408);
    }
    assert_eq!(rig.reached.load(Ordering::SeqCst), 0);
    assert_eq!(rig.once(&whole).status, 200);
}
