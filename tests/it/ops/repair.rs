//! `repair` and `stats` from the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use crate::support::{Dice, Server, cli, files_below, flip, has, json_lines, segments};
use serde_json::{Value, json};

/// A folder of a server that has ended well: 200 events of ten profiles in
/// several segments, the closed ones sealed.
fn filled() -> tempfile::TempDir {
    filled_with(200)
}

/// The same with so many events.
fn filled_with(events: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--segment-size", "10KB"]);
    let mut client = server.client();
    for call in 0..events {
        let body = format!(
            "type=update&profile={}&database=3&time={}&parameters[v{}]={call}&fields[v0]={call}&fields[w]={}",
            call % 10 + 1,
            1_760_000_000 + call * 3600,
            call % 2,
            "x".repeat(60)
        );
        client.post("/webhook/some", &body);
    }
    client.post("/webhook", "profile=none");
    server.stop();
    cli(dir.path(), &["seal"]).ok();
    dir
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    let kinds = lines.iter().map(|line| line["kind"].as_str().unwrap());
    kinds.collect()
}

#[test]
fn lost_events_are_reported_and_fail_no_command_any_more() {
    let dir = filled();
    let data = dir.path();
    let damaged = segments(data)[1].clone();
    assert!(damaged.to_str().unwrap().ends_with(".log.zst"));
    let before = cli(data, &["export", "--raw"]).ok();
    flip(&damaged, |_| 100);
    cli(data, &["export", "--raw"]).failed(3);
    let server = Server::start(data, &[]);
    let refused = cli(data, &["repair", "--yes"]).failed(3);
    assert!(refused.contains("in use by a server"), "{refused}");
    server.stop();
    let refused = cli(data, &["repair"]).failed(2);
    assert!(refused.contains("--yes"), "{refused}");
    let bytes = fs::read(&damaged).unwrap();
    let lines = json_lines(&cli(data, &["repair", "--yes", "--format", "jsonl"]).ok());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["remedy"], "rewrite");
    let aside = lines[0]["aside"].as_str().unwrap();
    assert!(fs::read(aside).unwrap() == bytes);
    let lost = &lines[0]["lost"][0];
    let (first, last) = (lost[0].as_u64().unwrap(), lost[1].as_u64().unwrap());

    let verified = json_lines(&cli(data, &["verify", "--format", "jsonl"]).ok());
    assert_eq!(kinds(&verified), ["lost", "note", "summary"]);
    assert_eq!(verified[0]["first_seq"], first);
    assert_eq!(verified[0]["last_seq"], last);
    let again = cli(data, &["repair", "--yes"]);
    assert!(again.stderr.contains("nothing to repair"));
    again.ok();

    let after = cli(data, &["export", "--raw"]);
    has(&after.stderr, &["were lost (repaired on"]);
    let after = after.ok();
    let is_lost = |line: &str| {
        let seq = serde_json::from_str::<Value>(line).unwrap()["seq"]
            .as_u64()
            .unwrap();
        (first..=last).contains(&seq)
    };
    let kept: String = before
        .split_inclusive('\n')
        .filter(|line| !is_lost(line))
        .collect();
    assert_eq!(after, kept);
    // The index knows whose they were, until it is rebuilt.
    let outcome = cli(data, &["history", "3"]);
    assert!(outcome.stderr.contains("lost"), "{}", outcome.stderr);
    outcome.ok();
    assert_eq!(cli(data, &["history", "7777"]).status, Some(1));
    fs::remove_dir_all(data.join("index")).unwrap();
    for key in ["3", "4"] {
        let outcome = cli(data, &["history", key]);
        assert!(outcome.stderr.contains("lost"), "{}", outcome.stderr);
        outcome.ok();
    }
    let server = Server::start(data, &[]);
    let live = cli(data, &["history", "3"]);
    assert!(live.stderr.contains("lost"), "{}", live.stderr);
    live.ok();
    assert_eq!(
        server.client().post("/webhook", crate::support::BODY).seq(),
        201
    );
    cli(data, &["verify"]).ok();
}

#[test]
fn a_damaged_end_is_saved_and_the_server_takes_events_again() {
    let dir = filled();
    let data = dir.path();
    let server = Server::start(data, &[]);
    for seq in 201..=205 {
        assert_eq!(
            server.client().post("/webhook", crate::support::BODY).seq(),
            seq
        );
    }
    server.stop();
    let last = segments(data).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    let frames: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter_map(|(at, window)| (window == b"PTLF").then_some(at))
        .collect();
    assert!(frames.len() > 2);
    flip(&last, |_| frames[frames.len() - 1] + 40);
    flip(&last, |_| frames[frames.len() - 2] + 40);
    let poisoned = Server::start(data, &[]);
    has(&poisoned.log(), &["profiletrail repair"]);
    poisoned.stop();
    let table = cli(data, &["repair", "--yes", "--format", "table"]).ok();
    assert!(table.contains("2 events are lost (204 to 205)"), "{table}");
    let server = Server::start(data, &[]);
    assert_eq!(
        server.client().post("/webhook", crate::support::BODY).seq(),
        206
    );
    server.stop();
    cli(data, &["verify"]).ok();
}

#[test]
fn stats_count_what_there_is_in_a_span() {
    let dir = filled();
    let stats = |args: &[&str]| {
        let args = [&["stats", "--format", "jsonl"], args].concat();
        json_lines(&cli(dir.path(), &args).ok()).swap_remove(0)
    };
    let all = stats(&[]);
    let expected = json!({
        "events": 200, "profiles": 10, "subprofiles": 0, "rejected": 1, "pruned": 0,
        "first_time": "2025-10-09T08:53:20Z", "last_time": "2025-10-17T15:53:20Z",
        "types": [{"name": "update", "events": 200}],
        "labels": [{"name": "some", "events": 200}],
        "databases": [{"name": "3", "events": 200}],
        "fields": [{"name": "v0", "events": 100}, {"name": "v1", "events": 100}],
        "capped": [],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&all[name], value, "{name}");
    }
    assert_eq!(all["days"].as_array().unwrap().len(), 9);
    assert_eq!(all["days"][1], json!({"name": "2025-10-10", "events": 24}));
    assert!(all["sealed_segments"].as_u64().unwrap() > 1);
    for size in ["body_bytes", "log_bytes", "index_bytes"] {
        assert!(all[size].as_u64().unwrap() > 1000, "{size}");
    }
    let hour = ["--since", "@1760000000", "--until", "@1760007200"];
    let part = stats(&hour);
    assert_eq!((&part["events"], &part["profiles"]), (&json!(2), &json!(2)));
    let server = Server::start(dir.path(), &[]);
    let live = stats(&hour);
    assert_eq!(live["types"], part["types"]);
    server.stop();
    let text = cli(dir.path(), &["stats", "--format", "table"]).ok();
    has(&text, &["events          200\nprofiles        10\n"]);
    assert!(text.contains("  2025-10-10  24  ██████████"), "{text}");
}

/// The bytes of all files below a folder.
fn files(dir: &Path) -> Vec<Vec<u8>> {
    let read = |path: PathBuf| fs::read(path).unwrap();
    files_below(dir).into_iter().map(read).collect()
}

#[test]
fn no_kill_leaves_a_repair_half_done() {
    let filled = filled_with(1_000);
    let damaged: Vec<Vec<u8>> = segments(filled.path())
        .iter()
        .filter(|path| path.to_str().unwrap().ends_with(".log.zst"))
        .step_by(2)
        .map(|path| {
            flip(path, |_| 100);
            fs::read(path).unwrap()
        })
        .collect();
    assert!(damaged.len() > 3);
    // Before and after, whoever reads passes over the same.
    let export = |data: &Path| {
        let outcome = cli(data, &["export", "--raw"]);
        (outcome.status, outcome.stdout)
    };
    let (status, readable) = export(filled.path());
    assert_eq!(status, Some(3));
    assert!(readable.lines().count() > 50);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    crate::support::copy_folder(filled.path(), &data);
    let begun = Instant::now();
    let whole = json_lines(&cli(&data, &["repair", "--yes", "--format", "jsonl"]).ok());
    let took = begun.elapsed();
    assert_eq!(whole.len(), damaged.len());
    assert_eq!(export(&data), (Some(0), readable.clone()));
    let mut dice = Dice(20_261_124);
    let (mut ended_by_itself, mut repaired) = (0, Vec::new());
    for round in 0..25 {
        fs::remove_dir_all(&data).unwrap();
        crate::support::copy_folder(filled.path(), &data);
        let mut child = crate::support::clean(crate::support::BINARY)
            .args(["repair", "--yes", "--data"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(took * dice.below(1100) as u32 / 1000);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        ended_by_itself += u32::from(status.success());

        // What a damaged file held is there still, in its place or aside.
        let kept = files(&data);
        for (number, bytes) in damaged.iter().enumerate() {
            assert!(kept.contains(bytes), "segment {number} in round {round}");
        }
        let (status, lines) = export(&data);
        assert_eq!(lines, readable, "round {round}");
        assert!(status == Some(0) || status == Some(3), "{status:?}");
        let rest = json_lines(&cli(&data, &["repair", "--yes", "--format", "jsonl"]).ok());
        assert_eq!(rest.is_empty(), status == Some(0), "{rest:?}");
        repaired.push(damaged.len() - rest.len());
        assert_eq!(export(&data), (Some(0), readable.clone()));
        cli(&data, &["verify"]).ok();
        let kept = files(&data);
        assert!(damaged.iter().all(|bytes| kept.contains(bytes)));
    }
    // Some were killed before they had done all.
    assert!(ended_by_itself < 25, "{repaired:?}");
}
