//! Long answers: whole, broken off, to slow clients and to those that go.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::tests_answers::Silent;
use super::tests_support::Peer;
use super::{CallId, GateConfig, LongAnswer};
use std::io::{ErrorKind, Read};
use std::time::Duration;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Kind: long\r\n\r\n";

fn ask(rig: &Silent, version: &str) -> (Peer, CallId) {
    let mut peer = rig.peer();
    peer.send(format!("GET /long {version}\r\nHost: x\r\n\r\n"));
    let (call, _) = rig.next().unwrap();
    (peer, call)
}

fn begin(rig: &Silent, call: CallId) -> LongAnswer {
    LongAnswer::begin(call, rig.answers.clone(), HEAD.to_vec())
}

/// All that comes up to the connection's end, and whether that was a reset.
fn rest(peer: &mut Peer) -> (String, bool) {
    let mut bytes = Vec::new();
    let reset = match peer.stream.read_to_end(&mut bytes) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("neither an end nor a reset: {error}"),
    };
    (String::from_utf8(bytes).unwrap(), reset)
}

/// Reads until the text that came ends so.
fn until(peer: &mut Peer, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        peer.stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn an_answer_comes_in_chunks_and_the_connection_stays() {
    let rig = Silent::new(1, GateConfig::default());
    let (mut peer, call) = ask(&rig, "HTTP/1.1");
    let mut stream = begin(&rig, call);
    assert_eq!(
        until(&mut peer, "\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: long\r\n\r\n"
    );
    stream.write(b"one\n".to_vec()).unwrap();
    assert_eq!(until(&mut peer, "one\n\r\n"), "4\r\none\n\r\n");
    // An empty chunk would be the end.
    stream.write(Vec::new()).unwrap();
    stream.write(vec![b'x'; 300]).unwrap();
    stream.end(b"X-Note: a\r\n".to_vec());
    let text = until(&mut peer, "X-Note: a\r\n\r\n");
    assert_eq!(
        text,
        format!("12c\r\n{}\r\n0\r\nX-Note: a\r\n\r\n", "x".repeat(300))
    );
    // The next request of the same connection.
    peer.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    let (call, text) = rig.next().unwrap();
    assert_eq!(text, "/next ");
    begin(&rig, call).end(Vec::new());
    assert!(until(&mut peer, "0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn http_1_0_gets_it_plain_up_to_the_end() {
    let rig = Silent::new(1, GateConfig::default());
    let (mut peer, call) = ask(&rig, "HTTP/1.0");
    let mut stream = begin(&rig, call);
    stream.write(b"one\n".to_vec()).unwrap();
    stream.write(b"two\n".to_vec()).unwrap();
    stream.end(b"X-Note: a\r\n".to_vec());
    let (text, reset) = rest(&mut peer);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Kind: long\r\n\r\none\ntwo\n"
    );
    assert!(!reset);
}

#[test]
fn an_answer_that_is_broken_off_is_seen_to_be() {
    let rig = Silent::new(1, GateConfig::default());
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let (mut peer, call) = ask(&rig, version);
        let mut stream = begin(&rig, call);
        stream.write(b"one\n".to_vec()).unwrap();
        until(&mut peer, "one\n");
        drop(stream);
        let (text, reset) = rest(&mut peer);
        assert!(reset && !text.contains("0\r\n"), "{version}: {text:?}");
    }
}

#[test]
fn the_maker_waits_for_a_client_that_does_not_read() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 400;
    let rig = Silent::new(1, GateConfig::default());
    let (mut peer, call) = ask(&rig, "HTTP/1.1");
    let mut stream = begin(&rig, call);
    let (told, handed) = std::sync::mpsc::channel();
    let maker = std::thread::spawn(move || {
        for number in 0..PIECES {
            stream
                .write(vec![b'a' + (number % 26) as u8; PIECE])
                .unwrap();
            told.send(()).unwrap();
        }
        stream.end(Vec::new());
    });
    // It stops at what the sockets and the watermark take: far from all.
    let mut count = 0;
    while handed.recv_timeout(Duration::from_secs(1)).is_ok() {
        count += 1;
    }
    assert!(count > 4 && count < PIECES / 2, "{count}");
    // Others are answered meanwhile.
    let (mut other, call) = ask(&rig, "HTTP/1.1");
    begin(&rig, call).end(Vec::new());
    until(&mut other, "0\r\n\r\n");
    // And it goes on.
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; PIECE]);
    while !bytes.ends_with(b"\r\n0\r\n\r\n") {
        let count = peer.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the answer ended early");
        bytes.extend_from_slice(&buffer[..count]);
    }
    maker.join().unwrap();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_lowercase());
    let letters = letters.count();
    let head = "ransfer-ncoding: chunked-ind: long".len();
    assert!(letters >= PIECES * PIECE && letters < PIECES * (PIECE + 8) + head);
}

#[test]
fn a_client_that_goes_ends_the_making() {
    let rig = Silent::new(1, GateConfig::default());
    let (peer, call) = ask(&rig, "HTTP/1.1");
    let mut stream = begin(&rig, call);
    rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
    drop(peer);
    while stream.write(vec![b'x'; 64 * 1024]).is_ok() {}
    // One that had gone before the first piece, too.
    let (peer, call) = ask(&rig, "HTTP/1.1");
    rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let mut stream = begin(&rig, call);
    while stream.write(vec![b'x'; 64 * 1024]).is_ok() {}
    drop(stream);
    // The gate holds nothing of them.
    let (mut peer, call) = ask(&rig, "HTTP/1.1");
    begin(&rig, call).end(Vec::new());
    until(&mut peer, "0\r\n\r\n");
}

#[test]
fn a_gate_that_stops_ends_the_making() {
    let mut rig = Silent::new(1, GateConfig::default());
    let (mut peer, call) = ask(&rig, "HTTP/1.0");
    let mut stream = begin(&rig, call);
    stream.write(b"one\n".to_vec()).unwrap();
    until(&mut peer, "one\n");
    rig.gate.take().unwrap().shutdown(Duration::from_millis(10));
    let error = stream.write(b"two\n".to_vec()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(
        rest(&mut peer).1,
        "a part of an answer must not pass for all"
    );
    // Nor does one wait that begins only now.
    let mut late = begin(&rig, call);
    late.write(b"x".to_vec()).unwrap_err();
}
