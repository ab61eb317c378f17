//! A data folder of format 3, which something was pruned of, is read by every
//! later version.
//!
//! `fixtures/format-3/data` is what `prune` left of the events of
//! `fixtures/format-1`, without what can be made again;
//! `fixtures/format-3/expected` is what is answered from it, byte for byte. Both
//! were made by
//!
//! ```text
//! cargo test --test it format_3_fixture -- --ignored
//! ```
//!
//! (once both are removed), and the answers then read against the rules. They
//! are to be made anew only while no released version has written format 3.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Cli, Server, cli, copy_folder, fixture, fixture_path};

/// After the first changes of profile 1 and the making of subprofile 2/20.
const BEFORE: &str = "@1760000650";

const QUESTIONS: [(&str, &[&str]); 10] = [
    ("export-raw", &["export", "--raw"]),
    ("changes", &["changes"]),
    ("history-1", &["history", "1", "--all"]),
    ("history-2", &["history", "2", "--subprofiles"]),
    ("show-1", &["show", "1", "--at", "@1760000800"]),
    ("show-1-before", &["show", "1", "--at", "@1760000399"]),
    ("show-20", &["show", "2/20", "--at", "@1760000650"]),
    (
        "diff-1",
        &["diff", "1", "--from", "@1760000500", "--to", "@1760001000"],
    ),
    (
        "diff-1-before",
        &["diff", "1", "--from", "@1760000000", "--to", "@1760000500"],
    ),
    ("blame-1", &["blame", "1", "--at", "@1760000800"]),
];

fn folder(name: &str) -> PathBuf {
    fixture_path("format-3").join(name)
}

fn is_answered_as_pinned(data: &Path, how: &str) {
    for (name, question) in QUESTIONS {
        let path = folder("expected").join(format!("{name}.jsonl"));
        let expected = fs::read_to_string(path).unwrap();
        assert_eq!(cli(data, question).ok(), expected, "{name}, {how}");
    }
}

#[test]
fn what_format_3_wrote_is_answered_as_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    copy_folder(&folder("data"), &data);
    // No call was rejected, and git keeps no empty folder.
    fs::create_dir_all(data.join("rejected")).unwrap();
    is_answered_as_pinned(&data, "offline");
    let server = Server::start(&data, &["--signature", "off"]);
    is_answered_as_pinned(&data, "live");
    // It is written on, too; the subprofile's profile is known by its baseline alone.
    let body = "type=delete&subprofile=20&time=1760002000";
    assert_eq!(server.client().post("/webhook", body).seq(), 13);
    let log = server.stop();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let again = cli(
        &data,
        &["prune", "--before", BEFORE, "--yes", "--format", "table"],
    )
    .ok();
    assert!(again.contains("pruned already"), "{again}");
}

#[test]
fn a_folder_of_a_later_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    copy_folder(&folder("data"), &data);
    // No call was rejected, and git keeps no empty folder.
    fs::create_dir_all(data.join("rejected")).unwrap();
    let format = fs::read_to_string(data.join("format")).unwrap();
    fs::write(data.join("format"), format.replacen(":3,", ":5,", 1)).unwrap();
    let refused = cli(&data, &["changes"]).failed(3);
    assert!(
        refused.contains("has format 5") && refused.contains("knows formats up to 4"),
        "{refused}"
    );
}

/// Makes the fixture anew.
#[test]
#[ignore = "writes the fixture that the other tests read"]
fn make_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for line in fixture("format-1/expected/export-raw.jsonl").lines() {
        // As if it had come a second after it happened, each in its own segment.
        let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
        let time = event["time"].as_str().unwrap().replace('Z', ".500000Z");
        if event["time_source"] != "received" {
            event["received"] = time.into();
        }
        Cli::new(&data, &["import", "--segment-size", "1"])
            .stdin(event.to_string())
            .run()
            .ok();
    }
    cli(&data, &["prune", "--before", BEFORE, "--yes"]).ok();
    // What is there already is not replaced: it is to be removed by hand before.
    fs::create_dir_all(folder("data")).unwrap();
    fs::create_dir(folder("expected")).unwrap();
    for part in ["log", "rejected", "baselines"] {
        copy_folder(&data.join(part), &folder("data").join(part));
    }
    fs::copy(data.join("format"), folder("data").join("format")).unwrap();
    for (name, question) in QUESTIONS {
        let path = folder("expected").join(format!("{name}.jsonl"));
        fs::write(path, cli(&data, question).ok()).unwrap();
    }
}
