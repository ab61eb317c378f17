//! A server that runs out of descriptors.
//!
//! Proven: idle connections go so that calls come through; where nothing can go a call is told to
//! come again; and afterwards all is as it was, in the same process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use support::{BODY, Client, Server, data, eventually, exported, new_server};

/// Lets a server have so many descriptors more than it has now; returns the limit it had.
fn spare(server: &Server, count: usize) -> Rlimit {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let open: BTreeSet<u64> = open
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .collect();
    // The limit is of their numbers, among which one that was closed leaves a gap.
    let free = (0..).filter(|number| !open.contains(number)).nth(count);
    let limit = Rlimit {
        current: free,
        maximum: Some(20_000),
    };
    set(server, limit)
}

fn set(server: &Server, limit: Rlimit) -> Rlimit {
    let pid = Pid::from_raw(server.pid().cast_signed()).unwrap();
    let now = rustix::process::getrlimit(Resource::Nofile);
    // Its hard limit is this process's, which may not be raised by everybody.
    let limit = Rlimit {
        maximum: now.maximum,
        ..limit
    };
    prlimit(Some(pid), Resource::Nofile, limit).unwrap()
}

fn is_kept(server: &Server) -> bool {
    Client::try_connect(server.address)
        .and_then(|mut client| client.try_post("/webhook", BODY))
        .is_ok_and(|reply| reply.status == 200)
}

#[test]
fn idle_connections_go_where_descriptors_end() {
    let (dir, server) = new_server(&[]);
    assert!(is_kept(&server));
    let before = spare(&server, 12);
    for round in 0..10 {
        let idle: Vec<_> = (0..100)
            .filter_map(|_| TcpStream::connect(server.address).ok())
            .collect();
        eventually(&format!("call {round}"), || is_kept(&server));
        drop(idle);
    }
    eventually("it is told", || {
        server.log().contains("no new connection could be accepted")
    });
    set(&server, before);
    let idle: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    assert!(is_kept(&server));
    drop(idle);
    server.stop();
    assert!(exported(&data(&dir)).len() >= 12);
}

#[test]
fn without_any_descriptor_a_call_is_told_to_come_again() {
    let (_dir, server) = new_server(&[]);
    assert!(is_kept(&server));
    // The connection of the call before may be open still.
    eventually("none is open but its own", || {
        let before = spare(&server, 0);
        let reply =
            Client::try_connect(server.address).and_then(|mut client| client.receive(false));
        set(&server, before);
        reply.is_ok_and(|reply| reply.status == 503 && reply.header("Retry-After").is_some())
    });
    for _ in 0..20 {
        eventually("calls are taken again", || is_kept(&server));
    }
    server.stop();
}
