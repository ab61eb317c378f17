//! `tail -f --cursor-file` loses nothing and repeats nothing.
//!
//! Under load, the server and the tail are killed in turns, fifty times. What the
//! tail has written to its file is then every event that is in the log, once, in
//! order; each that was acknowledged is among them, with the value that was sent.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::{BINARY, Dice, Server, clean, cli, eventually, json_lines};

const KILLS: u64 = 50;
const PROFILES: u64 = 7;

/// Posts until the server is gone or `stop` is set; returns what was acknowledged.
fn post(server: &Server, round: u64, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<(u64, String)>> {
    let (mut client, stop) = (server.client(), Arc::clone(stop));
    std::thread::spawn(move || {
        let mut acknowledged = Vec::new();
        for call in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let value = format!("{round}.{call}");
            let profile = call % PROFILES + 1;
            let body = format!("type=update&profile={profile}&fields%5Bv%5D={value}");
            match client.try_post("/webhook", &body) {
                Ok(reply) => acknowledged.push((reply.seq(), value)),
                Err(_) => break,
            }
        }
        acknowledged
    })
}

fn tail(data: &Path, out: &Path, on: bool) -> Command {
    let mut command = clean(BINARY);
    command.args(["tail", "-n", "all", "--format", "jsonl", "--cursor-file"]);
    command.arg(out.with_extension("cursor"));
    command.args(on.then_some("-f")).arg("--data").arg(data);
    let out = OpenOptions::new().create(true).append(true).open(out);
    command
        .stdin(Stdio::null())
        .stdout(out.unwrap())
        .stderr(Stdio::null());
    command
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn seqs(out: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(out).unwrap();
    let lines = json_lines(&text);
    lines
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn fifty_kills_of_either_side_skip_nothing_and_repeat_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let out = dir.path().join("out");
    let mut dice = Dice(20_261_124);
    let stop = Arc::new(AtomicBool::new(false));
    let start = || Server::start(&data, &["--segment-size", "20KB", "--log", "error"]);
    let mut server = start();
    let mut posting = vec![post(&server, 0, &stop)];
    let mut following = tail(&data, &out, true).spawn().unwrap();
    for round in 1..=KILLS {
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        if round % 2 == 0 {
            server.kill();
            server = start();
            posting.push(post(&server, round, &stop));
            continue;
        }
        kill(following);
        if dice.below(4) == 0 {
            // The same file and cursor, now and then as a timer would.
            let mut once = tail(&data, &out, false).spawn().unwrap();
            if dice.below(2) == 0 {
                std::thread::sleep(Duration::from_micros(dice.below(30_000)));
                once.kill().unwrap();
            }
            once.wait().unwrap();
        }
        following = tail(&data, &out, true).spawn().unwrap();
    }
    let written = || std::fs::read_to_string(&out).unwrap().lines().count();
    eventually("many events are written", || written() > 500);
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged: HashMap<u64, String> = HashMap::new();
    for thread in posting {
        for (seq, value) in thread.join().unwrap() {
            assert_eq!(
                acknowledged.insert(seq, value),
                None,
                "{seq} was given twice"
            );
        }
    }
    let last = *acknowledged.keys().max().unwrap();
    eventually("the tail comes to the end", || {
        seqs(&out).last().is_some_and(|seq| *seq >= last)
    });
    kill(following);
    server.stop();

    let lines = json_lines(&std::fs::read_to_string(&out).unwrap());
    for (line, expected) in lines.iter().zip(1_u64..) {
        assert_eq!(line["seq"], expected, "an event is skipped, or comes twice");
        if let Some(value) = acknowledged.remove(&expected) {
            assert_eq!(line["changes"][0]["new"], value, "{line}");
        }
    }
    assert!(acknowledged.is_empty(), "never shown: {acknowledged:?}");
    assert!(lines.len() > 500, "{}", lines.len());
    // What was written is what the log has.
    let exported = json_lines(&cli(&data, &["export"]).ok());
    assert_eq!(exported.len(), lines.len());
    // Nothing is new, and nothing is written.
    let status = tail(&data, &out, false).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(seqs(&out).len(), lines.len());
}
