//! The gate against clients, and a server behind, that do not keep to the rules.
#![allow(clippy::unwrap_used)]

use super::tests_support::{echo, rig, rig_with};
use super::{Answers, Gate, GateConfig, connect_private};
use std::io::{Read, Write};
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
        (with("Content-Length: 5\r\nContent-Length: 6"), 400),
        (with("Content-Length: 5, 5"), 400),
        (with("Content-Length: -5"), 400),
        (with("Content-Length: +5"), 400),
        (with("Content-Length: 0x5"), 400),
        (with("Content-Length: "), 400),
        (with("Content-Length: 99999999999999999999999"), 400),
        (with("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400),
        (with("Content-Length : 5"), 400),
        (with("A: b\r\n folded"), 400),
        (with("A: b\0c"), 400),
        (with("A: b\rc"), 400),
        (with("Host: y"), 400),
        (with("Expect: more"), 417),
        (with(&many), 431),
        (with(&format!("A: {}", "b".repeat(17_000))), 431),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "b".repeat(17_000)),
            431,
        ),
        ("GET /a HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /a HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(), 505),
        ("GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("CONNECT h:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 505),
        ("GET ftp://h/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
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
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(json.get("error").is_some() && json.get("where").is_some());
        assert!(answer.head.contains("Connection: close\r\n"));
        assert!(peer.is_closed());
    }
    assert_eq!(rig.reached.load(Ordering::SeqCst), 0);
    let answer = rig.once(with("Content-Length: 5\r\ncontent-length: 5"));
    assert!(answer.status == 200 && answer.body.ends_with("\n\n12345"));
}

#[test]
fn passes_bodies_without_a_length_on_as_a_fault() {
    let rig = rig();
    let mut peer = rig.peer();
    let answer = peer.ask("POST /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.status == 411 && answer.body.contains("X-Fault: no-length\n"));
    assert_eq!(peer.ask(GET).status, 200);
    let answer = peer.ask(
        "GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert!(answer.status == 411 && answer.body.contains("Content-Length: 0\n"));
    assert!(answer.head.contains("Connection: close\r\n"));
    assert!(peer.is_closed());
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
        assert!(answer.body.contains("X-Fault: too-large 3145728\n"));
        assert!(answer.head.contains("Connection: close\r\n"));
        assert!(peer.is_closed());
    }
}

#[test]
fn clients_that_vanish_take_nothing_with_them() {
    let rig = rig_with(4, GateConfig::default());
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
    let config = GateConfig {
        max_connections: 4,
        ..GateConfig::default()
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
    let rig = rig_with(2, GateConfig::default());
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
        let config = GateConfig {
            private_path: Some(path.clone()),
            ..GateConfig::default()
        };
        let upstreams = connect_private(&path, 1).unwrap();
        let gate = Gate::start(listener, upstreams, config, answers).unwrap();
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
        gate.shutdown(Duration::from_secs(1));
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
    let pieces: [&[u8]; 14] = [
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
            } else if let Some(piece) = pieces.get((next() % 14) as usize) {
                bytes.extend_from_slice(piece);
            }
        }
        let mut peer = rig.peer();
        // The gate may have closed already.
        let _ = peer.stream.write_all(&bytes);
        let _ = peer.stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = peer.stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "));
    }
    assert!(rig.serves());
}
