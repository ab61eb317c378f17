//! Nothing of a pruned event stays in the index, as `prune` and `serve --keep`
//! leave it.

use std::fs;
use std::path::Path;

use crate::support::{Cli, Server, cli, eventually, json_lines};

/// The address that only pruned events have. A look-up keeps 24 bytes of it.
const CANARY: &str = "canary-q7x@example.org";

/// Events of twenty years ago in closed segments, and one of this month in the
/// newest.
fn filled(data: &Path) {
    Server::start(data, &["--lookup", "mail"]).stop();
    let line = |seq: u64, time: &str, mail: &str| {
        format!(
            "{{\"seq\":{seq},\"received\":\"{time}.000000Z\",\"remote\":null,\"label\":null,\"type\":\"update\",\
             \"time\":\"{time}Z\",\"time_source\":\"time\",\"profile\":{seq},\"subprofile\":null,\"database\":1,\
             \"collection\":null,\"created\":null,\"modified\":null,\"parameters\":{{}},\
             \"fields\":{{\"mail\":\"{mail}\",\"w\":\"{}\"}},\"interests\":[],\"extra\":{{}}}}\n",
            "w".repeat(400)
        )
    };
    // The baseline of profile 1 has another address than its first event.
    let mut old = line(1, "2006-01-02T03:04:05", CANARY);
    for seq in 2..=40 {
        old.push_str(&line(seq, "2006-01-02T03:04:06", "other@example.org"));
    }
    let mut change = line(1, "2006-02-02T03:04:05", "kept@example.org");
    for seq in 2..=40 {
        change.push_str(&line(seq, "2006-02-02T03:04:06", "other@example.org"));
    }
    // As many as it takes to believe the clock.
    let new: String = (50..80)
        .map(|seq| line(seq, "2026-11-01T00:00:00", "kept@example.org"))
        .collect();
    for lines in [old, change, new] {
        Cli::new(data, &["import", "--segment-size", "4KiB"])
            .stdin(lines)
            .run()
            .ok();
    }
}

/// Whether a file of the folder, or of those in it, holds the address.
fn holds_canary(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    // A running server replaces the index: then there is none for a moment.
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holds_canary(&path));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            let mut windows = bytes.windows(CANARY.len());
            if windows.any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes())) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Lets a server enter every event in the look-ups.
fn look_up(data: &Path) {
    let server = Server::start(data, &["--lookup", "mail"]);
    eventually("the look-ups are complete", || {
        let stats = json_lines(&cli(data, &["stats"]).ok()).remove(0);
        let number = |value: &serde_json::Value| value.as_u64();
        let all = number(&stats["events"]).zip(number(&stats["pruned"]));
        number(&stats["lookup"]["up_to"]) == all.map(|(events, pruned)| events + pruned)
    });
    server.stop();
}

#[test]
fn a_prune_leaves_nothing_of_what_it_removes_in_the_index() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    look_up(dir.path());
    let index = dir.path().join("index");
    assert!(!holds_canary(&index).is_empty());
    // One that was set aside goes, too.
    let aside = dir.path().join("index.damaged-20200101T000000Z");
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("db"), CANARY).unwrap();
    let pruned = cli(dir.path(), &["prune", "--before", "2020-01-01", "--yes"]).ok();
    assert!(pruned.contains(r#""events":80"#), "{pruned}");
    assert!(!aside.exists());
    for at in ["after the prune", "after a question", "after a server"] {
        match at {
            "after a question" => drop(cli(dir.path(), &["history", "50"]).ok()),
            "after a server" => look_up(dir.path()),
            _ => {}
        }
        assert_eq!(holds_canary(&index), Vec::<String>::new(), "{at}");
    }
    assert!(
        cli(dir.path(), &["find", "mail=kept@example.org"])
            .ok()
            .contains("kept@")
    );
    assert_eq!(
        cli(dir.path(), &["find", &format!("mail={CANARY}")]).status,
        Some(1)
    );
}

#[test]
fn a_server_that_prunes_by_itself_leaves_nothing_either() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    look_up(dir.path());
    let index = dir.path().join("index");
    assert!(!holds_canary(&index).is_empty());
    let server = Server::start(dir.path(), &["--keep", "5y", "--lookup", "mail"]);
    eventually("the index is built again", || {
        holds_canary(&index).is_empty()
    });
    assert!(
        cli(dir.path(), &["find", "mail=kept@example.org"])
            .ok()
            .contains("kept@")
    );
    server.stop();
    assert_eq!(holds_canary(&index), Vec::<String>::new());
}
