//! Answers that come in process: each to the one who asked, in whatever order, or to nobody.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::tests_support::{Answer, Peer, call_of, peer_of};
use super::{Answers, CallId, Gate, GateConfig, connect_private};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server behind that answers nothing by itself.
pub(super) struct Silent {
    pub(super) gate: Option<Gate>,
    address: SocketAddr,
    pub(super) answers: Answers,
    server: Arc<tiny_http::Server>,
    _dir: tempfile::TempDir,
}

impl Silent {
    pub(super) fn new(private: usize, config: GateConfig) -> Self {
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
        let gate = Gate::start(listener, streams, config, answers.clone()).unwrap();
        Self {
            gate: Some(gate),
            address,
            answers,
            server,
            _dir: dir,
        }
    }

    pub(super) fn peer(&self) -> Peer {
        peer_of(self.address)
    }

    /// The next request's number, and its target and body.
    pub(super) fn next(&self) -> Option<(CallId, String)> {
        let mut request = self.server.recv_timeout(PATIENCE).unwrap()?;
        let mut body = String::new();
        request.as_reader().read_to_string(&mut body).unwrap();
        let call = call_of(&request).unwrap();
        let text = format!("{} {body}", request.url());
        drop(request.into_writer());
        Some((call, text))
    }

    fn send(&self, call: CallId, body: &str) {
        self.answers.send(&mut vec![whole(call, body)]);
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

/// Leaves so that the gate lets go of the client at once: with a reset.
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
    let rig = Silent::new(3, GateConfig::default());
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
                    // Some leave before they are answered, their place goes to others.
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
            if let Some(mut request) = waiting {
                let mut body = String::new();
                request.as_reader().read_to_string(&mut body).unwrap();
                let call = call_of(&request).unwrap();
                let text = format!("{} {body}", request.url());
                drop(request.into_writer());
                held.push((call, text));
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
            rig.answers.send(&mut batch);
            std::thread::yield_now();
        }
    });
}

#[test]
fn one_for_somebody_who_has_gone_reaches_nobody() {
    let config = GateConfig {
        max_connections: 1,
        ..GateConfig::default()
    };
    let rig = Silent::new(1, config);
    for _ in 0..20 {
        let (first, old) = rig.ask("first");
        leave(first);
        // There is room for one alone, so this takes the place of the one before.
        let mut tries = (0..200).filter_map(|number| {
            let mut peer = rig.peer();
            let target = format!("/second/{number}");
            peer.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            // None where the gate had not seen yet that the first has gone.
            while let Some(request) = rig.server.recv_timeout(Duration::from_millis(100)).unwrap() {
                let call = call_of(&request).unwrap();
                let own = request.url() == target;
                drop(request.into_writer());
                if own {
                    return Some((peer, call));
                }
                // Of an earlier try that was given up too early.
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
    let config = GateConfig {
        calls_per_connection: 2,
        ..GateConfig::default()
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
        assert_eq!(rig.answers.under_way(), 4);
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
    let config = GateConfig {
        calls_per_connection: 3,
        ..GateConfig::default()
    };
    let rig = Silent::new(2, config);
    let mut asked: Vec<_> = (0..5).map(|n| rig.ask(&n.to_string())).collect();
    let mut breaker = rig.peer();
    // The sixth is the third on the second connection, beside numbers 3 and 4.
    breaker.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n");
    let request = rig.server.recv_timeout(PATIENCE).unwrap().unwrap();
    let call = call_of(&request).unwrap();
    // Whoever drops a request has tiny_http answer it, which nobody expects.
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
    let mut rig = Silent::new(1, GateConfig::default());
    let (mut peer, call) = rig.ask("a");
    rig.gate.take().unwrap().shutdown(Duration::ZERO);
    rig.send(call, "late");
    assert!(peer.is_closed());
}
