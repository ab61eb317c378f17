//! The frontend under load: many connections, from one address or from many, and many incomplete
//! requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{Peer, Rig, peer_of, peer_over, rig_with};
use crate::frontend::FrontendConfig;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection from one of the loopback's other addresses.
fn from(last: u8, address: SocketAddr) -> Peer {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(
        &socket,
        &SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)),
    )
    .unwrap();
    connect(&socket, &address).unwrap();
    peer_over(TcpStream::from(socket))
}

/// Whether the frontend has closed a connection, which must not have been answered.
fn is_gone(peer: &mut Peer) -> bool {
    peer.stream.set_nonblocking(true).unwrap();
    let read = peer.stream.read(&mut [0; 64]);
    peer.stream.set_nonblocking(false).unwrap();
    match read {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks until the frontend has taken every connection made before.
fn settle(rig: &Rig) {
    assert_eq!(from(99, rig.address).ask(GET).status, 200);
}

#[test]
fn one_address_takes_no_place_of_others() {
    let config = FrontendConfig {
        max_connections: 20,
        max_per_address: 4,
        ..FrontendConfig::default()
    };
    let rig = rig_with(4, config);
    let mut others: Vec<_> = (2..6).map(|last| from(last, rig.address)).collect();
    for other in &mut others {
        assert_eq!(other.ask(GET).status, 200);
    }
    let mut crowd: Vec<_> = (0..30).map(|_| from(7, rig.address)).collect();
    settle(&rig);
    eventually("the oldest of the crowd go", || {
        crowd[..26].iter_mut().all(is_gone)
    });
    assert!(!crowd[26..].iter_mut().any(is_gone), "the newest stay");
    for other in others.iter_mut().chain(&mut crowd[26..]) {
        assert_eq!(other.ask(GET).status, 200);
    }
}

#[test]
fn a_busy_address_is_refused_more_and_has_them_back_afterwards() {
    let config = FrontendConfig {
        max_per_address: 3,
        ..FrontendConfig::default()
    };
    let rig = rig_with(4, config);
    let mut busy: Vec<_> = (0..3).map(|_| from(7, rig.address)).collect();
    for peer in &mut busy {
        peer.send("GET /sleep/300 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    std::thread::sleep(Duration::from_millis(50));
    let refused = from(7, rig.address).answer(false).unwrap();
    assert!(refused.status == 503 && refused.head.contains("Retry-After"));
    assert_eq!(from(8, rig.address).ask(GET).status, 200);
    for peer in &mut busy {
        assert_eq!(peer.answer(false).unwrap().status, 200);
    }
    drop(busy);
    for _ in 0..3 {
        assert_eq!(from(7, rig.address).ask(GET).status, 200);
    }
}

#[test]
fn trusted_proxies_have_no_limit_and_report_the_client() {
    let config = FrontendConfig {
        max_per_address: 2,
        trusted_proxies: vec!["127.0.0.7/32".parse().unwrap()],
        ..FrontendConfig::default()
    };
    let rig = rig_with(4, config);
    let forwarded = "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n\r\n";
    let other = forwarded.replace("192.0.2.1", "[2001:db8::1]:80");
    let mut proxy: Vec<_> = (0..10).map(|_| from(7, rig.address)).collect();
    for peer in &mut proxy {
        assert!(peer.ask(forwarded).body.contains("\nX-Peer: 192.0.2.1\n"));
        assert!(peer.ask(&other).body.contains("\nX-Peer: 2001:db8::1\n"));
        assert!(peer.ask(GET).body.contains("\nX-Peer: 127.0.0.7\n"));
    }
    let body = from(8, rig.address).ask(forwarded).body;
    assert!(body.contains("\nX-Peer: 127.0.0.8\n"), "{body}");
}

#[test]
fn half_sent_requests_go_before_a_whole_one_is_refused() {
    let config = FrontendConfig {
        max_connections: 4,
        ..FrontendConfig::default()
    };
    let rig = rig_with(4, config);
    let mut heads: Vec<_> = (0..2).map(|_| rig.peer()).collect();
    let mut bodies: Vec<_> = (0..2).map(|_| rig.peer()).collect();
    for peer in &mut heads {
        peer.send("GET /half HTT");
    }
    for peer in &mut bodies {
        peer.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc");
    }
    std::thread::sleep(Duration::from_millis(100));
    // Each new one is answered and stays busy: first the heads go, then the bodies.
    let mut busy = Vec::new();
    let refused = |peers: &mut [Peer]| peers.iter_mut().filter_map(is_refused).count();
    for count in 1..=4_usize {
        let mut peer = rig.peer();
        assert_eq!(peer.ask(GET).status, 200);
        peer.send("GET /sleep/3000 HTTP/1.1\r\nHost: x\r\n\r\n");
        busy.push(peer);
        let counts = (refused(&mut heads), refused(&mut bodies));
        assert_eq!(counts, (count.min(2), count.saturating_sub(2)));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(rig.peer().answer(false).unwrap().status, 503);
    for peer in &mut busy {
        assert_eq!(peer.answer(false).unwrap().status, 200);
    }
}

/// Something, if a connection was refused; the bytes stay readable.
fn is_refused(peer: &mut Peer) -> Option<()> {
    peer.stream.set_nonblocking(true).unwrap();
    let seen = peer.stream.peek(&mut [0; 16]);
    peer.stream.set_nonblocking(false).unwrap();
    match seen {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        _ => Some(()),
    }
}

#[test]
fn what_all_hold_together_is_bounded_and_small_calls_come_through() {
    // Five fit and six do not, regardless of how much arrived with each head: 8 KiB of that
    // buffer are kept.
    const LARGE: usize = 190_000;
    let config = FrontendConfig {
        max_buffered: 1024 * 1024,
        max_body: 1024 * 1024,
        ..FrontendConfig::default()
    };
    let rig = rig_with(4, config);
    let head = format!("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE}\r\n\r\n");
    let mut hoarders: Vec<_> = (0..30).map(|_| rig.peer()).collect();
    for peer in &mut hoarders {
        peer.send(&head);
        // The frontend may refuse on the way.
        let _ = peer.stream.write_all(&vec![b'h'; LARGE - 1]);
        assert_eq!(rig.once(GET).status, 200);
    }
    let mut refused = 0;
    for peer in &mut hoarders {
        if is_refused(peer).is_some() {
            let answer = peer.answer(false).unwrap();
            assert!(answer.status == 503 && answer.head.contains("Retry-After"));
            refused += 1;
        } else {
            peer.send("!");
            assert!(peer.answer(false).unwrap().body.ends_with("h!"));
        }
    }
    // Five of them fit, not six.
    assert_eq!(refused, 25);
    // And nothing of them is held against those who come later.
    let mut peer = rig.peer();
    for _ in 0..20 {
        peer.post("/in", &"b".repeat(900_000));
        assert_eq!(peer.answer(false).unwrap().status, 200);
    }
}

#[test]
fn answers_that_nobody_takes_are_bounded_too() {
    let config = FrontendConfig {
        max_buffered: 64 * 1024 * 1024,
        write_timeout: Duration::from_millis(300),
        ..FrontendConfig::default()
    };
    let rig = rig_with(4, config);
    let mut deaf: Vec<_> = (0..12).map(|_| rig.peer()).collect();
    for peer in &mut deaf {
        peer.send("GET /big/20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for _ in 0..20 {
        assert_eq!(rig.once(GET).status, 200);
        std::thread::sleep(Duration::from_millis(10));
    }
    // Longer than deadlines are looked at.
    std::thread::sleep(Duration::from_secs(3));
    for peer in &mut deaf {
        let mut all = Vec::new();
        // It breaks off, well or not.
        let _ = peer.stream.read_to_end(&mut all);
        assert!(all.len() < 20_000_000);
    }
    assert_eq!(peer_of(rig.address).ask(GET).status, 200);
}
