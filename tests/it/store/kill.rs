//! No kill loses an acknowledged event, and none comes twice.
//!
//! A server is started on the same folder a hundred times; each time several
//! clients post distinct bodies until it is killed at a random moment. Proven:
//! every body that was answered 200 stands under the `seq` of its answer, byte
//! for byte; no body stands twice; the numbers have no gaps; and the index,
//! which had no chance to be closed either, finds every event of every profile.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::support::{Client, Dice, Server, cli, json_lines};

const ROUNDS: u64 = 100;
const MOST_ROUNDS: u64 = 400;

/// The fewest acknowledged events, and sealed segments, that prove something.
const ENOUGH: usize = 1_000;
const SEALED: usize = 10;

const CLIENTS: u64 = 4;
const PROFILES: u64 = 11;

/// Posts distinct bodies until the server is gone: what was acknowledged.
fn post_until_dead(mut client: Client, round: u64, number: u64) -> Vec<(u64, String)> {
    let mut acknowledged = Vec::new();
    for call in 0.. {
        let profile = (round + number + call) % PROFILES + 1;
        let time = 1_760_000_000 + round * 60 - call % 7;
        let body = format!(
            "type=update&profile={profile}&time={time}&fields%5Bv%5D={round}.{number}.{call}"
        );
        match client.try_post("/webhook", &body) {
            Ok(reply) => acknowledged.push((reply.seq(), body)),
            Err(_) => break,
        }
    }
    acknowledged
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(20_260_101);
    let mut acknowledged: HashMap<u64, String> = HashMap::new();
    let sealed = || {
        let names = std::fs::read_dir(dir.path().join("log")).into_iter();
        let names = names.flatten().map(|name| name.unwrap().file_name());
        names
            .filter(|name| name.to_str().unwrap().ends_with(".log.zst"))
            .count()
    };
    for round in 0..MOST_ROUNDS {
        // On a busy machine a round may end before anything was sealed: later ones last longer.
        if round >= ROUNDS && acknowledged.len() > ENOUGH && sealed() > SEALED {
            break;
        }
        // Small segments, so that their closing and sealing is hit as well.
        let server = Server::start(dir.path(), &["--segment-size", "20KB", "--log", "warn"]);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = server.client();
                std::thread::spawn(move || post_until_dead(client, round, number))
            })
            .collect();
        let longest = 80_000 * (1 + round / ROUNDS);
        std::thread::sleep(Duration::from_micros(2_000 + dice.below(longest)));
        server.kill();
        for client in clients {
            for (seq, body) in client.join().unwrap() {
                let before = acknowledged.insert(seq, body);
                assert_eq!(before, None, "{seq} was given twice");
            }
        }
    }
    // A silent machine that kept nothing would prove nothing.
    assert!(acknowledged.len() > ENOUGH, "{}", acknowledged.len());
    assert!(sealed() > SEALED, "sealing was not hit");

    let server = Server::start(dir.path(), &[]);
    let exported = json_lines(&cli(dir.path(), &["export", "--raw"]).ok());
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut profiles: BTreeMap<u64, Vec<(i64, u64)>> = BTreeMap::new();
    for (place, line) in exported.iter().enumerate() {
        let seq = line["seq"].as_u64().unwrap();
        let body = line["body"].as_str().unwrap();
        assert_eq!(seq, place as u64 + 1, "a gap");
        assert_eq!(
            seen.insert(body.to_owned(), seq),
            None,
            "{body} stands twice"
        );
        if let Some(sent) = acknowledged.remove(&seq) {
            assert_eq!(body, sent, "{seq}");
        }
        let time = body
            .split("time=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        let events = profiles
            .entry(line["profile"].as_u64().unwrap())
            .or_default();
        events.push((time.parse().unwrap(), seq));
    }
    assert!(acknowledged.is_empty(), "lost: {acknowledged:?}");

    for (profile, mut events) in profiles {
        events.sort_unstable();
        let expected: Vec<u64> = events.into_iter().map(|(_, seq)| seq).collect();
        let history = cli(dir.path(), &["history", &profile.to_string(), "--all"]).ok();
        let history = json_lines(&history);
        let found: Vec<u64> = history
            .iter()
            .filter_map(|line| line["seq"].as_u64())
            .collect();
        assert_eq!(found, expected, "profile {profile}");
    }
    server.stop();
}
