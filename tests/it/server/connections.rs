//! Connections and signals: nobody is left without an answer.
//!
//! Proven: of many keep-alive connections that are opened together after a
//! quiet moment each is answered, again and again; more connections than the
//! most that may be open do no harm; a signal ends the server well, with every
//! call that was answered 200 kept.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Client, Server, cli, json_lines};
use rustix::process::Signal;

fn body(number: usize) -> String {
    let profile = number + 1;
    format!("type=update&profile={profile}&time=1760000000&fields%5Bn%5D={number}")
}

#[test]
fn connections_that_are_opened_together_are_all_answered() {
    const CONNECTIONS: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    for _ in 0..2 {
        thread::sleep(Duration::from_secs(1));
        let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| server.client()).collect();
        for _ in 0..2 {
            let barrier = Barrier::new(CONNECTIONS);
            thread::scope(|scope| {
                for (number, client) in clients.iter_mut().enumerate() {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        let begun = Instant::now();
                        client.post("/webhook", body(number)).seq();
                        assert!(begun.elapsed() < Duration::from_secs(5), "{number}");
                    });
                }
            });
        }
    }
    server.stop();
    let exported = cli(dir.path(), &["export"]).ok();
    assert_eq!(exported.lines().count(), 4 * CONNECTIONS);
}

#[test]
fn more_connections_than_may_be_open_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--max-connections", "8"]);
    // Idle strangers, many times as many as there is room for.
    let strangers: Vec<_> = (0..80)
        .filter_map(|_| Client::try_connect(server.address).ok())
        .collect();
    assert_eq!(server.client().post("/webhook", body(1)).seq(), 1);
    drop(strangers);
    // Busy ones: each comes through, if it tries again.
    thread::scope(|scope| {
        for number in 0..24 {
            let server = &server;
            scope.spawn(move || {
                crate::support::eventually("a call gets through", || {
                    Client::try_connect(server.address)
                        .and_then(|mut client| client.try_post("/webhook", body(number)))
                        .is_ok_and(|reply| reply.status == 200)
                });
            });
        }
    });
    server.stop();
    let exported = cli(dir.path(), &["export"]).ok();
    assert!(exported.lines().count() >= 25);
}

/// The bodies that a client has posted and that were acknowledged, until it
/// finds no server any more.
fn post_until_refused(server: &Server, number: usize, stopping: &AtomicBool) -> Vec<(u64, String)> {
    let mut kept = Vec::new();
    let Ok(mut client) = Client::try_connect(server.address) else {
        return kept;
    };
    for call in 0.. {
        let body = body(number * 1_000_000 + call);
        match client.try_post("/webhook", &body) {
            Ok(reply) => kept.push((reply.seq(), body)),
            // Only a server that is stopping may break off.
            Err(error) => {
                assert!(stopping.load(Ordering::Acquire), "{error}");
                break;
            }
        }
    }
    kept
}

#[test]
fn a_signal_loses_no_call_that_was_acknowledged() {
    for (round, signal) in [Signal::TERM, Signal::INT, Signal::TERM, Signal::INT]
        .into_iter()
        .enumerate()
    {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path(), &[]);
        let stopping = AtomicBool::new(false);
        let acknowledged: Vec<(u64, String)> = thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|number| {
                    let (server, stopping) = (&server, &stopping);
                    scope.spawn(move || post_until_refused(server, number, stopping))
                })
                .collect();
            thread::sleep(Duration::from_millis(60 + 37 * round as u64));
            stopping.store(true, Ordering::Release);
            server.signal(signal);
            clients
                .into_iter()
                .flat_map(|client| client.join().unwrap())
                .collect()
        });
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        let exported = json_lines(&cli(dir.path(), &["export", "--raw"]).ok());
        assert!(!acknowledged.is_empty());
        for (seq, body) in acknowledged {
            assert_eq!(exported[seq as usize - 1]["seq"], seq);
            assert_eq!(exported[seq as usize - 1]["body"], body);
        }
        // Nothing is left that says a server runs.
        assert!(!dir.path().join("socket").exists());
    }
}
