//! Every answer goes to the one who asked, whatever else is under way.
//!
//! Proven: on connections that mix calls, questions and mistakes of every kind,
//! one by one and pipelined, with bodies of a few bytes to hundreds of
//! thousands, each answer fits its own request; the number that a call is
//! answered with is that of its own body, byte for byte; senders that leave in
//! the middle change nothing for the others, and nothing is kept that nobody
//! sent or that was sent once and is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;

use crate::support::http::{FORM, Reply};
use crate::support::{Client, Server, cli, json_lines};

const SENDERS: usize = 16;
const ROUNDS: usize = 60;
/// A body beyond this is refused.
const MAX_BODY: usize = 256 * 1024;

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// A request and what its answer must be.
struct Asked {
    bytes: Vec<u8>,
    head_only: bool,
    status: u16,
    /// The body of a call that is to be kept.
    kept: Option<String>,
    /// What the answer must name, for everything else.
    named: String,
}

/// A request of some kind that nobody else sends.
fn some_request(unique: &str, numbers: &mut Numbers) -> Asked {
    let form = [("Content-Type", FORM)];
    let call = format!("type=update&profile={unique}&time=1760000000&fields%5Bn%5D={unique}");
    let long = |length: usize| format!("{call}&fields%5Bl%5D={}", "y".repeat(length));
    let kept = |headers: &[(&str, &str)], body: String| Asked {
        bytes: Client::bytes("POST", "/webhook", headers, body.as_bytes()),
        head_only: false,
        status: 200,
        kept: Some(body),
        named: String::new(),
    };
    let other =
        |status, method: &str, target: &str, headers: &[_], body: &str, named: &str| Asked {
            bytes: Client::bytes(method, target, headers, body.as_bytes()),
            head_only: method == "HEAD",
            status,
            kept: None,
            named: named.to_owned(),
        };
    match numbers.next(16) {
        0..6 => kept(&form, call),
        6 => kept(&form, long(1000 + numbers.next(3000))),
        7 => kept(&form, long(30_000 + numbers.next(170_000))),
        8 => kept(
            &[("Content-Type", "application/json")],
            format!(r#"{{"type":"update","profile":{unique},"time":1760000000}}"#),
        ),
        9 => other(200, "GET", "/healthz", &[], "", r#"{"status":"ok"}"#),
        10 => other(200, "HEAD", "/healthz", &[], "", ""),
        11 => other(
            404,
            "POST",
            &format!("/{unique}"),
            &form,
            &call,
            &format!("/{unique}"),
        ),
        12 => other(405, "DELETE", "/webhook", &[], "", "only POST"),
        13 => {
            let body = format!("type=update&profile={unique}x");
            other(400, "POST", "/webhook", &form, &body, &format!("{unique}x"))
        }
        14 => {
            let plain = [("Content-Type", "text/plain")];
            other(415, "POST", "/webhook", &plain, &call, "Content-Type")
        }
        _ => {
            let label = "l".repeat(65);
            let target = format!("/webhook/{label}{unique}");
            other(404, "POST", &target, &form, &call, unique)
        }
    }
}

fn check(asked: &Asked, reply: &Reply, kept: &mut Vec<(u64, String)>) {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, asked.status, "{text}");
    match &asked.kept {
        Some(body) => kept.push((reply.seq(), body.clone())),
        None => assert!(text.contains(&asked.named), "{:?} in {text}", asked.named),
    }
}

/// What a sender knows at its end.
#[derive(Default)]
struct Known {
    /// Answered 200.
    kept: Vec<(u64, String)>,
    /// Sent whole or in part, and left without an answer.
    left: Vec<String>,
}

fn send(address: SocketAddr, sender: usize) -> Known {
    let mut numbers = Numbers(0x9e37_79b9 * (sender as u64 + 1));
    let mut known = Known::default();
    let mut client = Client::connect(address);
    let mut count = 0;
    for _ in 0..ROUNDS {
        let batch: Vec<Asked> = (0..1 + numbers.next(8))
            .map(|_| {
                count += 1;
                some_request(&format!("{}", (sender + 1) * 100_000 + count), &mut numbers)
            })
            .collect();
        let bytes: Vec<u8> = batch.iter().flat_map(|asked| asked.bytes.clone()).collect();
        match numbers.next(10) {
            // Leaves after a part of it, or all of it, and some of the answers.
            0 => {
                let part = &bytes[..1 + numbers.next(bytes.len())];
                client.send(part).unwrap();
                known
                    .left
                    .extend(batch.into_iter().filter_map(|asked| asked.kept));
                client = Client::connect(address);
            }
            // Sends what is too long, which ends its connection.
            1 => {
                client.send(&bytes).unwrap();
                let long = "z".repeat(MAX_BODY + 1 + numbers.next(MAX_BODY));
                let long = Client::bytes(
                    "POST",
                    "/webhook",
                    &[("Content-Type", FORM)],
                    long.as_bytes(),
                );
                let (mut reader, replies) = (client, &batch);
                for asked in replies {
                    check(
                        asked,
                        &reader.receive(asked.head_only).unwrap(),
                        &mut known.kept,
                    );
                }
                reader.send(&long).unwrap();
                assert_eq!(reader.receive(false).unwrap().status, 413);
                assert!(reader.is_closed());
                client = Client::connect(address);
            }
            _ => {
                client.send(&bytes).unwrap();
                for asked in &batch {
                    check(
                        asked,
                        &client.receive(asked.head_only).unwrap(),
                        &mut known.kept,
                    );
                }
            }
        }
    }
    known
}

#[test]
fn each_answer_fits_its_own_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--max-body", &MAX_BODY.to_string()]);
    let address = server.address;
    let known: Vec<Known> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| scope.spawn(move || send(address, sender)))
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect()
    });
    server.stop();
    let exported = json_lines(&cli(dir.path(), &["export", "--raw"]).ok());
    let mut stored: BTreeMap<u64, &str> = exported
        .iter()
        .map(|line| {
            (
                line["seq"].as_u64().unwrap(),
                line["body"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(stored.len(), exported.len());
    let mut count = 0;
    for (seq, body) in known.iter().flat_map(|known| &known.kept) {
        assert_eq!(stored.remove(seq), Some(body.as_str()), "{seq}");
        count += 1;
    }
    assert!(count > SENDERS * ROUNDS, "{count}");
    // What is there beside that is of those who left, each once at most.
    let mut left: BTreeSet<&str> = known
        .iter()
        .flat_map(|known| known.left.iter().map(String::as_str))
        .collect();
    for (seq, body) in stored {
        assert!(left.remove(body), "{seq}");
    }
}
