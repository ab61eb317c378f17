//! Whole and streamed answers reach the client that asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{Answer, Peer, call_of, peer_of};
use crate::frontend::{Answers, CallId, Frontend, FrontendConfig, ResponseStream, connect_private};
use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A request's number, and its target and body.
fn taken(request: tiny_http::Request, answers: &Answers) -> (CallId, String) {
    let call = call_of(&request).unwrap();
    let body = answers.take_payload(call).unwrap().body;
    let text = format!("{} {}", request.url(), String::from_utf8(body).unwrap());
    drop(request.into_writer());
    (call, text)
}

/// A server behind that answers nothing by itself.
struct Silent {
    frontend: Option<Frontend>,
    address: SocketAddr,
    answers: Answers,
    server: Arc<tiny_http::Server>,
    _dir: tempfile::TempDir,
}

impl Silent {
    fn new(private: usize, config: FrontendConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("private");
        let server = Arc::new(tiny_http::Server::http_unix(&path).unwrap());
        let greeted = Arc::clone(&server);
        let greeter = std::thread::spawn(move || {
            for _ in 0..private {
                let request = greeted.recv().unwrap();
                request
                    .respond(tiny_http::Response::from_string("hello"))
                    .unwrap();
            }
        });
        let streams = connect_private(&path, private).unwrap();
        greeter.join().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Answers::default();
        let frontend = Frontend::start(listener, streams, config, answers.clone()).unwrap();
        Self {
            frontend: Some(frontend),
            address,
            answers,
            server,
            _dir: dir,
        }
    }

    fn peer(&self) -> Peer {
        peer_of(self.address)
    }

    /// The next request's number, and its target and body.
    fn next(&self) -> Option<(CallId, String)> {
        let request = self.server.recv_timeout(PATIENCE).unwrap()?;
        Some(taken(request, &self.answers))
    }

    fn send(&self, call: CallId, body: &str) {
        self.answers.send([whole(call, body)]);
    }

    /// Asks for a target without waiting for the answer, and returns the call.
    fn ask(&self, target: &str) -> (Peer, CallId) {
        let mut peer = self.peer();
        peer.send(format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let (call, text) = self.next().unwrap();
        assert_eq!(text, format!("/{target} "));
        (peer, call)
    }
}

fn whole(call: CallId, body: &str) -> (CallId, Vec<u8>) {
    let length = body.len();
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    (call, bytes.into_bytes())
}

/// Disconnects with a reset, so that the frontend drops the client at once.
fn leave(peer: Peer) {
    rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
}

fn answered(peer: &mut Peer) -> Answer {
    peer.answer(false).unwrap()
}

/// Numbers that are the same in every run.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}

#[test]
fn in_any_order_and_twice_they_reach_those_who_asked() {
    const CLIENTS: usize = 24;
    const CALLS: usize = 120;
    let rig = Silent::new(3, FrontendConfig::default());
    let address = rig.address;
    std::thread::scope(|scope| {
        let asking = (0..CLIENTS).map(|client| {
            scope.spawn(move || {
                let mut next = numbers(client as u64 + 1);
                let mut peer = peer_of(address);
                for call in 0..CALLS {
                    // Short ones, and some beyond every buffer on the way.
                    let long = [0, 3, 700, 1100, 3000, 90_000][next(6)];
                    let body = format!("{client}.{call}.{}", "z".repeat(long));
                    peer.post(&format!("/{client}/{call}"), &body);
                    // Some disconnect before they are answered, and others get their
                    // place.
                    if next(8) == 0 {
                        let left = std::mem::replace(&mut peer, peer_of(address));
                        if next(2) == 0 {
                            leave(left);
                        }
                        continue;
                    }
                    let answer = answered(&mut peer);
                    assert_eq!(answer.body, format!("/{client}/{call} {body}"));
                }
            })
        });
        let asking: Vec<_> = asking.collect();
        let mut next = numbers(99);
        let mut held: Vec<(CallId, String)> = Vec::new();
        while !asking.iter().all(|client| client.is_finished()) {
            let waiting = rig.server.try_recv().unwrap();
            if let Some(request) = waiting {
                held.push(taken(request, &rig.answers));
                if next(4) > 0 {
                    continue;
                }
            }
            let mut batch = Vec::new();
            for _ in 0..=next(held.len() + 1) {
                if held.is_empty() {
                    break;
                }
                let (call, text) = held.swap_remove(next(held.len()));
                batch.push(whole(call, &text));
                // A second answer to the same call, and one to no call at all.
                batch.push(whole(call, "twice"));
                batch.push(whole(
                    CallId::parse("18446744073709551615").unwrap(),
                    "none",
                ));
            }
            rig.answers.send(batch);
            std::thread::yield_now();
        }
    });
}

#[test]
fn one_for_somebody_who_has_gone_reaches_nobody() {
    let config = FrontendConfig {
        max_connections: 1,
        ..FrontendConfig::default()
    };
    let rig = Silent::new(1, config);
    for _ in 0..20 {
        let (first, old) = rig.ask("first");
        leave(first);
        // There is room for only one, so this replaces the one before.
        let mut tries = (0..200).filter_map(|number| {
            let mut peer = rig.peer();
            let target = format!("/second/{number}");
            peer.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            // No answer if the frontend had not yet noticed that the first has
            // disconnected.
            while let Some(request) = rig.server.recv_timeout(Duration::from_millis(100)).unwrap() {
                let call = call_of(&request).unwrap();
                let own = request.url() == target;
                drop(request.into_writer());
                if own {
                    return Some((peer, call));
                }
                // From an earlier attempt that was abandoned too early.
                rig.send(call, "");
            }
            None
        });
        let (mut second, call) = tries.next().unwrap();
        rig.send(old, "first");
        rig.send(call, "second");
        assert_eq!(answered(&mut second).body, "second");
        second.send("GET /third HTTP/1.1\r\nHost: x\r\n\r\n");
        let (third, _) = rig.next().unwrap();
        rig.send(call, "second again");
        rig.send(third, "third");
        assert_eq!(answered(&mut second).body, "third");
        rig.send(third, "third again");
    }
}

#[test]
fn what_is_under_way_is_bounded_and_the_rest_has_its_turn() {
    let config = FrontendConfig {
        calls_per_connection: 2,
        ..FrontendConfig::default()
    };
    let rig = Silent::new(2, config);
    let mut peers: Vec<_> = (0..9).map(|_| rig.peer()).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    let mut held: HashMap<CallId, String> = (0..4).map(|_| rig.next().unwrap()).collect();
    for _ in 4..9 {
        let more = rig.server.recv_timeout(Duration::from_millis(50)).unwrap();
        assert!(more.is_none(), "more than four are under way");
        assert_eq!(rig.answers.in_flight(), 4);
        let call = *held.keys().next().unwrap();
        let text = held.remove(&call).unwrap();
        rig.send(call, &text);
        let (call, text) = rig.next().unwrap();
        held.insert(call, text);
    }
    for (call, text) in held {
        rig.send(call, &text);
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        assert_eq!(answered(peer).body, format!("/{number} "));
    }
}

#[test]
fn a_lost_private_connection_takes_what_it_carries_and_no_more() {
    let config = FrontendConfig {
        calls_per_connection: 3,
        ..FrontendConfig::default()
    };
    let rig = Silent::new(2, config);
    let mut asked: Vec<_> = (0..5).map(|n| rig.ask(&n.to_string())).collect();
    let mut breaker = rig.peer();
    // The sixth is the third on the second connection, beside numbers 3 and 4.
    breaker.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n");
    let request = rig.server.recv_timeout(PATIENCE).unwrap().unwrap();
    let call = call_of(&request).unwrap();
    // If a request is dropped, tiny_http answers it, which nobody expects.
    drop(request);
    assert_eq!(answered(&mut breaker).status, 502);
    for (peer, lost) in &mut asked[3..] {
        assert_eq!(answered(peer).status, 502);
        rig.send(*lost, "too late");
        assert!(peer.is_closed());
    }
    rig.send(call, "too late");
    for (number, (peer, call)) in asked[..3].iter_mut().enumerate() {
        rig.send(*call, &number.to_string());
        assert_eq!(answered(peer).body, number.to_string());
    }
    let (mut peer, call) = rig.ask("after");
    rig.send(call, "after");
    assert_eq!(answered(&mut peer).body, "after");
}

#[test]
fn those_made_after_the_gate_has_gone_harm_nobody() {
    let mut rig = Silent::new(1, FrontendConfig::default());
    let (mut peer, call) = rig.ask("a");
    rig.frontend.take().unwrap().shutdown(Duration::ZERO);
    rig.send(call, "late");
    assert!(peer.is_closed());
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Kind: long\r\n\r\n";

fn ask(rig: &Silent, version: &str) -> (Peer, CallId) {
    let mut peer = rig.peer();
    peer.send(format!("GET /long {version}\r\nHost: x\r\n\r\n"));
    let (call, _) = rig.next().unwrap();
    (peer, call)
}

fn begin(rig: &Silent, call: CallId) -> ResponseStream {
    ResponseStream::begin(call, rig.answers.clone(), HEAD.to_vec())
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

/// Reads until the received text ends with this.
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
    let rig = Silent::new(1, FrontendConfig::default());
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
    let rig = Silent::new(1, FrontendConfig::default());
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
    let rig = Silent::new(1, FrontendConfig::default());
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
    let rig = Silent::new(1, FrontendConfig::default());
    let (mut peer, call) = ask(&rig, "HTTP/1.1");
    let mut stream = begin(&rig, call);
    let (handing, handed) = std::sync::mpsc::channel();
    let maker = std::thread::spawn(move || {
        for number in 0..PIECES {
            stream
                .write(vec![b'a' + (number % 26) as u8; PIECE])
                .unwrap();
            handing.send(()).unwrap();
        }
        stream.end(Vec::new());
    });
    // It stops when the sockets and the watermark are full, long before the end.
    let mut count = 0;
    while handed.recv_timeout(Duration::from_secs(1)).is_ok() {
        count += 1;
    }
    assert!(count > 4 && count < PIECES / 2, "{count}");
    // Others are still answered.
    let (mut other, call) = ask(&rig, "HTTP/1.1");
    begin(&rig, call).end(Vec::new());
    until(&mut other, "0\r\n\r\n");
    // And it continues.
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
    let rig = Silent::new(1, FrontendConfig::default());
    let (peer, call) = ask(&rig, "HTTP/1.1");
    let mut stream = begin(&rig, call);
    rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
    drop(peer);
    while stream.write(vec![b'x'; 64 * 1024]).is_ok() {}
    // Also one that had disconnected before the first piece.
    let (peer, call) = ask(&rig, "HTTP/1.1");
    rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let mut stream = begin(&rig, call);
    while stream.write(vec![b'x'; 64 * 1024]).is_ok() {}
    drop(stream);
    // The frontend holds nothing of them.
    let (mut peer, call) = ask(&rig, "HTTP/1.1");
    begin(&rig, call).end(Vec::new());
    until(&mut peer, "0\r\n\r\n");
}

#[test]
fn a_gate_that_stops_ends_the_making() {
    let mut rig = Silent::new(1, FrontendConfig::default());
    let (mut peer, call) = ask(&rig, "HTTP/1.0");
    let mut stream = begin(&rig, call);
    stream.write(b"one\n".to_vec()).unwrap();
    until(&mut peer, "one\n");
    rig.frontend
        .take()
        .unwrap()
        .shutdown(Duration::from_millis(10));
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
