//! The requests that are passed on to tiny_http, and the guarantees for well-behaved
//! clients.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{rig, rig_with};
use crate::frontend::FrontendConfig;
use crate::frontend::head::parse;
use crate::frontend::origin::Peer;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn passes_the_method_target_type_peer_and_body_and_nothing_else() {
    let rig = rig();
    let mut peer = rig.peer();
    let answer = peer.ask(
        "POST /in?a=b HTTP/1.1\r\nHost: example\r\nX-Peer: 6.6.6.6\r\nx-fault: no-length\r\n\
         Content-Type: text/x\r\nContent-Type: text/y\r\nCookie: c\r\nContent-Length: 5\r\n\r\nhello",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        "POST /in?a=b\nContent-Type: text/x\nX-Peer: 127.0.0.1\n\nhello"
    );
    assert!(!answer.head.contains("Connection"));
    let answer =
        peer.ask("GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\nContent-Type: caf\u{e9}\r\n\r\n");
    assert_eq!(
        answer.body,
        "GET /p?q\nContent-Type: caf??\nX-Peer: 127.0.0.1\n\n"
    );
    let answer = peer.ask("OPTIONS HTTPS://h?q HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(answer.body.starts_with("OPTIONS /?q\n"));
}

#[test]
fn passes_the_head_as_it_came_before_the_body_where_it_is_asked_to() {
    let rig = rig_with(
        2,
        FrontendConfig {
            pass_head: true,
            max_body: 10,
            ..FrontendConfig::default()
        },
    );
    let mut peer = rig.peer();
    let head = "POST /in HTTP/1.1\r\nhOst:  x \r\nSignature: s\r\nContent-Length: 5\r\n\r\n";
    let answer = peer.ask(format!("{head}hello"));
    let (above, below) = answer.body.split_once("\n\n").unwrap();
    assert_eq!(above, "POST /in\nX-Peer: 127.0.0.1");
    assert_eq!(below, format!("{head}hello"));
    let answer = peer.ask(GET);
    assert!(answer.body.ends_with("\n\n"), "{}", answer.body);
    let head = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n";
    let answer = peer.ask(format!("{head}hello world"));
    assert!(answer.body.contains("fault: TooLarge(11)\n"));
    assert!(answer.body.contains(head), "{}", answer.body);
}

#[test]
fn keeps_a_connection_for_many_requests() {
    let rig = rig();
    let mut peer = rig.peer();
    for round in 0..500 {
        let body = format!("{round}").repeat(round);
        peer.post("/in", &body);
        let answer = peer.answer(false).unwrap();
        assert!(answer.body.ends_with(&format!("\n\n{body}")));
    }
}

#[test]
fn answers_many_connections_opened_at_once_after_a_quiet_moment() {
    let rig = rig();
    std::thread::sleep(Duration::from_millis(300));
    let mut peers: Vec<_> = (0..64).map(|_| rig.peer()).collect();
    for _ in 0..3 {
        let start = Instant::now();
        for peer in &mut peers {
            peer.post("/in", "x");
        }
        for peer in &mut peers {
            assert_eq!(peer.answer(false).unwrap().status, 200);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn answers_pipelined_requests_in_order() {
    let rig = rig();
    let mut peer = rig.peer();
    let mut bytes = String::new();
    for n in 0..200 {
        bytes.push_str(&format!(
            "POST /{n} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{n:03}\r\n"
        ));
    }
    peer.send(bytes);
    for n in 0..200 {
        let answer = peer.answer(false).unwrap();
        assert!(
            answer.body.starts_with(&format!("POST /{n}\n")),
            "{n}: {answer:.300?}"
        );
        assert!(answer.body.ends_with(&format!("\n\n{n:03}")));
    }
}

#[test]
fn pipelined_input_beyond_the_bound_is_read_later() {
    let rig = rig();
    let mut peer = rig.peer();
    let mut clone = peer.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let body = "y".repeat(10_000);
        clone
            .write_all(b"GET /sleep/200 HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        for n in 0..300 {
            let head =
                format!("POST /{n} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n{body}");
            clone.write_all(head.as_bytes()).unwrap();
        }
    });
    assert!(peer.answer(false).unwrap().body.starts_with("GET /sleep"));
    for n in 0..300 {
        let answer = peer.answer(false).unwrap();
        assert!(
            answer.body.starts_with(&format!("POST /{n}\n")),
            "{n}: {answer:.300?}"
        );
    }
    writer.join().unwrap();
}

#[test]
fn chunked_bodies_are_decoded_up_to_the_limit() {
    let config = FrontendConfig {
        max_body: 10,
        pass_head: true,
        ..FrontendConfig::default()
    };
    let rig = rig_with(2, config);
    let head = "POST /in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n";
    for wait in [0, 30] {
        let mut peer = rig.peer();
        peer.send(format!("{head}4\r\nwi"));
        std::thread::sleep(Duration::from_millis(wait));
        let answer = peer.ask(format!("ki\r\n6;x\r\npedia!\r\n0\r\nA: b\r\n\r\n{GET}"));
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.ends_with(&format!("{head}wikipedia!")),
            "{}",
            answer.body
        );
        // Nothing after it is read.
        assert!(answer.head.contains("Connection: close") && peer.is_closed());
    }
    let answer = rig.once(format!("{head}b\r\nhello world\r\n0\r\n\r\n"));
    assert_eq!(answer.status, 413);
    assert!(
        answer.body.contains("fault: TooLarge(11)\n"),
        "{}",
        answer.body
    );
    assert!(answer.body.ends_with("hello worl"), "{}", answer.body);
    for malformed in ["x\r\n", "1\nabc", "5\r\nabcdefg", "1\r\na\n0\r\n\r\n"] {
        assert_eq!(
            rig.once(format!("{head}{malformed}")).status,
            400,
            "{malformed:?}"
        );
    }
    let mut peer = rig.peer();
    let expecting = head.replace("Host: x", "Host: x\r\nExpect: 100-continue");
    assert_eq!(peer.ask(&expecting).status, 100);
    assert_eq!(peer.ask("2\r\nok\r\n0\r\n\r\n").status, 200);
}

#[test]
fn puts_a_request_together_from_single_bytes() {
    let rig = rig();
    let mut peer = rig.peer();
    for byte in b"\r\nPOST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" {
        peer.send([*byte]);
        std::thread::sleep(Duration::from_micros(200));
    }
    let answer = peer.answer(false).unwrap();
    assert!(answer.body.ends_with("\n\nbody"));
    peer.send("POST /split HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nfour");
    std::thread::sleep(Duration::from_millis(30));
    let answer = peer.ask("more");
    assert!(answer.body.ends_with("\n\nfourmore"));
}

#[test]
fn takes_bodies_up_to_the_limit_and_gives_large_answers() {
    let rig = rig();
    let mut peer = rig.peer();
    let body = "z".repeat(1024 * 1024);
    for _ in 0..3 {
        peer.post("/in", &body);
        assert!(peer.answer(false).unwrap().body.ends_with(&body));
    }
    peer.send("GET /big/8000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(peer.answer(false).unwrap().body.len(), 8_000_000);
    assert_eq!(peer.ask(GET).status, 200);
}

#[test]
fn serves_a_head_request_and_an_empty_answer() {
    let rig = rig();
    let mut peer = rig.peer();
    peer.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = peer.answer(true).unwrap();
    assert!(answer.status == 200 && answer.head.contains("Content-Length"));
    assert_eq!(
        peer.ask("GET /empty HTTP/1.1\r\nHost: x\r\n\r\n").status,
        204
    );
    assert_eq!(peer.ask(GET).status, 200);
}

#[test]
fn serves_http_1_0_and_honours_close() {
    let rig = rig();
    let mut peer = rig.peer();
    let answer = peer.ask("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert!(answer.head.contains("Connection: keep-alive\r\n"));
    let answer = peer.ask("GET /a HTTP/1.0\r\n\r\n");
    assert!(answer.head.contains("Connection: close\r\n"));
    assert!(peer.is_closed());
    let mut peer = rig.peer();
    let answer = peer.ask("GET /a HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n");
    assert!(
        answer
            .head
            .starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\n")
    );
    assert!(peer.is_closed());
}

#[test]
fn answers_a_client_that_has_ended_its_side() {
    let rig = rig();
    for wait in [0, 20] {
        let mut peer = rig.peer();
        peer.send(format!("GET /sleep/50 HTTP/1.1\r\nHost: x\r\n\r\n{GET}"));
        std::thread::sleep(Duration::from_millis(wait));
        peer.stream.shutdown(Shutdown::Write).unwrap();
        assert!(peer.answer(false).unwrap().body.starts_with("GET /sleep"));
        assert!(peer.answer(false).unwrap().body.starts_with("GET /a\n"));
        assert!(peer.is_closed());
    }
}

#[test]
fn closes_idle_connections_and_answers_unfinished_requests() {
    let config = FrontendConfig {
        idle_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(300),
        ..FrontendConfig::default()
    };
    let rig = rig_with(2, config);
    let (mut idle, mut head, mut body) = (rig.peer(), rig.peer(), rig.peer());
    assert_eq!(idle.ask(GET).status, 200);
    head.send("GET /a HT");
    body.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
    assert!(idle.is_closed());
    for peer in [&mut head, &mut body] {
        let answer = peer.answer(false).unwrap();
        assert_eq!(answer.status, 408);
        assert!(answer.head.contains("nosniff") && answer.head.contains("Connection: close"));
        assert!(
            serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["where"].is_string()
        );
    }
}

#[test]
fn a_request_that_takes_too_long_is_given_up_but_its_connection_is_not() {
    let config = FrontendConfig {
        answer_timeout: Duration::from_millis(300),
        calls_per_connection: 1,
        ..FrontendConfig::default()
    };
    let rig = rig_with(1, config);
    let (mut slow, mut queued) = (rig.peer(), rig.peer());
    slow.send("GET /sleep/3000 HTTP/1.1\r\nHost: x\r\n\r\n");
    std::thread::sleep(Duration::from_millis(50));
    queued.send(GET);
    assert_eq!(slow.answer(false).unwrap().status, 502);
    let answer = queued.answer(false).unwrap();
    assert!(answer.status == 503 && answer.head.contains("Retry-After: 1\r\n"));
    std::thread::sleep(Duration::from_millis(3000));
    assert!(rig.serves());
}

#[test]
fn stops_when_the_last_request_is_answered() {
    let rig = rig_with(2, FrontendConfig::default());
    let mut idle = rig.peer();
    assert_eq!(idle.ask(GET).status, 200);
    let mut flying: Vec<_> = (0..6).map(|_| rig.peer()).collect();
    for peer in &mut flying {
        peer.send("GET /sleep/100 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    // One that has not begun its request yet, and one that never does.
    let (mut new, mut silent) = (rig.peer(), rig.peer());
    let mut begun = rig.peer();
    begun.send("POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n1");
    std::thread::sleep(Duration::from_millis(50));
    let (address, reached) = (rig.address, rig.reached.clone());
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rig = rig;
            rig.frontend.shutdown(Duration::from_secs(8));
        });
        assert!(idle.is_closed());
        assert!(std::net::TcpStream::connect(address).is_err());
        begun.send("23");
        new.send("GET /sleep/100 HTTP/1.1\r\nHost: x\r\n\r\n");
        for peer in flying.iter_mut().chain([&mut begun, &mut new]) {
            let answer = peer.answer(false).unwrap();
            assert!(answer.status == 200 && answer.head.contains("Connection: close"));
            assert!(peer.is_closed());
        }
        assert!(silent.is_closed());
    });
    assert_eq!(reached.load(Ordering::SeqCst), 9);
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[test]
fn stops_after_the_grace_in_any_case() {
    let rig = rig();
    let mut peer = rig.peer();
    peer.send("GET /never-finished HTTP/1.1\r\n");
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    let mut rig = rig;
    rig.frontend.shutdown(Duration::from_millis(300));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5));
}

#[test]
fn what_browsers_are_known_by_goes_upstream_only_where_they_are_answered() {
    let peer = Peer::new("192.0.2.7:9".parse().unwrap(), &[]);
    let sent =
        b"GET / HTTP/1.1\r\nHost: a.example\r\ncookie: a=b\r\nCookie: c\r\nAuthorization: x\r\n\
        Origin: null\r\nReferer: y\r\nSec-Fetch-Site: none\r\nX-Peer: 1.1.1.1\r\n\r\n";
    let upstream = |pass_browser| {
        let config = FrontendConfig {
            pass_browser,
            ..FrontendConfig::default()
        };
        let mut out = Vec::new();
        parse(sent, &peer, &config, &mut out).unwrap().unwrap();
        String::from_utf8(out).unwrap()
    };
    let common = "X-Peer: 192.0.2.7\r\n\r\n";
    assert_eq!(
        upstream(false),
        format!("GET / HTTP/1.1\r\nAuthorization: x\r\n{common}")
    );
    assert_eq!(
        upstream(true),
        format!(
            "GET / HTTP/1.1\r\nAuthorization: x\r\nCookie: a=b\r\nHost: a.example\r\nOrigin: null\r\n\
             Sec-Fetch-Site: none\r\n{common}"
        )
    );
}
