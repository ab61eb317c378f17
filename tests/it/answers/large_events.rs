//! Many large events of one profile.
//!
//! Proven: the first and the last few changes and events are answered in memory that
//! does not grow with the profile's history, by the running server.

use crate::support::http::{ask, token};
use crate::support::{cli, data, json_lines, new_server};

/// Together the bodies have 144 MB, and the lines of their changes twice as much.
const CALLS: usize = 150;
const VALUE_LEN: usize = 960_000;

/// A server that has answered nothing takes less than half of it.
const MOST_KIB: u64 = 128 << 10;

#[test]
fn the_first_and_the_last_changes_of_large_events_take_little_memory() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let mut client = server.client();
    for number in 0..CALLS {
        let time = 1_760_000_000 + number;
        let value = format!("{number} {}", "x".repeat(VALUE_LEN));
        let call = format!("type=update&profile=7&time={time}&fields[big]={value}");
        client.post("/webhook", call).seq();
    }
    let token = token(&data(&dir), "read");
    for (question, first) in [
        ("/v1/changes?limit=4", 1),
        ("/v1/changes?limit=4&reverse", CALLS),
        ("/v1/history/7?limit=4", 1),
        ("/v1/history/7?limit=4&reverse", CALLS),
    ] {
        let reply = ask(server.api(), &token, question);
        let lines = json_lines(std::str::from_utf8(&reply.body).unwrap());
        assert_eq!(lines.len(), 4, "{question}");
        assert_eq!(lines[0]["seq"], first, "{question}");
    }
    let newest = cli(&data(&dir), &["tail", "-n", "2"]);
    assert_eq!(json_lines(&newest.stdout).len(), 2);
    let most = server.memory_kib("VmHWM:");
    assert!(most < MOST_KIB, "{most} KiB");
}
