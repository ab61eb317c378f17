//! A server that runs out of descriptors.
//!
//! Proven: idle connections are closed so that calls come through; where none can be closed, a call
//! is answered 503; and afterwards everything is as before, in the same process.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::support::{BODY, Client, Server, data, eventually, exported, new_server};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The numbers of the descriptors that a server has open, and what each is of.
fn open(server: &Server) -> BTreeMap<u64, PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            // One that is closed meanwhile is not open.
            Some((number, std::fs::read_link(path).ok()?))
        })
        .collect()
}

/// Lets a server have so many descriptors more than it has now; returns the limit it had.
fn spare(server: &Server, count: u64) -> Rlimit {
    limit(server, open(server).len() as u64 + count)
}

/// Fills the gaps between the numbers of a server's descriptors with connections that the gate
/// cannot close, since the limit is on the numbers. The number that a thread has reserved while it
/// waits for a connection is in use, though it is not listed.
fn fill(server: &Server, data: &Path) -> Vec<UnixStream> {
    let before = open(server).len();
    let connect = |_| UnixStream::connect(data.join("socket")).unwrap();
    let filling: Vec<_> = (0..16).map(connect).collect();
    eventually("they are accepted", || {
        open(server).len() >= before + filling.len()
    });
    filling
}

/// Lets a server have no descriptor but those it has, of which the gate's reserve is the last;
/// returns the limit it had.
fn spare_none(server: &Server) -> Rlimit {
    let open = open(server);
    let reserve = open.iter().rfind(|(_, of)| **of == Path::new("/dev/null"));
    limit(server, reserve.unwrap().0 + 1)
}

fn limit(server: &Server, current: u64) -> Rlimit {
    let limit = Rlimit {
        current: Some(current),
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
    eventually("it is logged", || {
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
fn without_any_descriptor_a_call_is_answered_503() {
    let (dir, server) = new_server(&[]);
    let filling = fill(&server, &data(&dir));
    assert!(is_kept(&server));
    // The connection of the call before may be open still.
    eventually("none is open but its own", || {
        let before = spare_none(&server);
        let reply =
            Client::try_connect(server.address).and_then(|mut client| client.receive(false));
        set(&server, before);
        reply.is_ok_and(|reply| reply.status == 503 && reply.header("Retry-After").is_some())
    });
    for _ in 0..20 {
        eventually("calls are taken again", || is_kept(&server));
    }
    drop(filling);
    server.stop();
}
