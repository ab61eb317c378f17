//! A data folder of format 4, which has observed events, is read by every later
//! version, and by no older one.
//!
//! `fixtures/format-4/data` is the folder of `fixtures/format-3`, which something
//! was pruned of, after `reconcile --record` has entered what differs from
//! [`FILE`]; `fixtures/format-4/expected` is what is answered from it, byte for
//! byte. Both were made by
//!
//! ```text
//! cargo test --test it format_4_fixture -- --ignored
//! ```
//!
//! (once both are removed), and the answers then read against the rules. They
//! are to be made anew only while no released version has written format 4.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Cli, Server, cli, copy_folder, fixture_path, json_lines};

/// Profile 1 has other values, 3 was not seen before that moment, 4 never, and 2
/// is not there.
const FILE: &str = "id;mail;a[b];city\n1;D;;\n3;;seen;Zürich\n4;e;;\n";

/// How it is entered.
const RECORD: [&str; 7] = [
    "reconcile",
    "-",
    "--at",
    "@1760003000",
    "--record",
    "--yes",
    "--label=baseline",
];

const QUESTIONS: [(&str, &[&str]); 9] = [
    ("export-raw", &["export", "--raw"]),
    ("changes", &["changes"]),
    ("observed", &["changes", "--cause", "observed"]),
    ("history-1", &["history", "1", "--all"]),
    ("history-2", &["history", "2", "--subprofiles"]),
    ("history-3", &["history", "3"]),
    ("show-2", &["show", "2", "--at", "@1760003000"]),
    (
        "diff-1",
        &["diff", "1", "--from", "@1760002999", "--to", "@1760003000"],
    ),
    ("blame-4", &["blame", "4", "--at", "@1760003000"]),
];

fn folder(name: &str) -> PathBuf {
    fixture_path("format-4").join(name)
}

/// A copy of a fixture's data folder.
fn copy_of(from: &Path, dir: &tempfile::TempDir) -> PathBuf {
    let data = dir.path().join("data");
    copy_folder(from, &data);
    // No call was rejected, and git keeps no empty folder.
    fs::create_dir_all(data.join("rejected")).unwrap();
    data
}

fn is_answered_as_pinned(data: &Path, how: &str) {
    for (name, question) in QUESTIONS {
        let path = folder("expected").join(format!("{name}.jsonl"));
        let expected = fs::read_to_string(path).unwrap();
        assert_eq!(cli(data, question).ok(), expected, "{name}, {how}");
    }
}

#[test]
fn what_format_4_wrote_is_answered_as_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of(&folder("data"), &dir);
    let format = fs::read_to_string(data.join("format")).unwrap();
    assert!(format.starts_with("{\"profiletrail\":4,"), "{format}");
    is_answered_as_pinned(&data, "offline");
    let server = Server::start(&data, &["--signature", "off"]);
    is_answered_as_pinned(&data, "live");
    let again = Cli::new(&data, &[&RECORD[..], &["--database", "7"]].concat()).stdin(FILE);
    assert_eq!(again.run().ok(), "");
    let body = "type=update&profile=3&time=1760004000&fields%5Ba%5Bb%5D%5D=later";
    assert_eq!(server.client().post("/webhook", body).seq(), 17);
    let log = server.stop();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    // It keeps its format when more is pruned, and in a backup.
    cli(&data, &["prune", "--before", "@1760003001", "--yes"]).ok();
    assert!(
        fs::read_to_string(data.join("format"))
            .unwrap()
            .starts_with("{\"profiletrail\":4,")
    );
    let copy = dir.path().join("backup");
    cli(&data, &["backup", copy.to_str().unwrap(), "--copy"]).ok();
    let restored = dir.path().join("restored");
    cli(&restored, &["restore", copy.to_str().unwrap()]).ok();
    let all = |data: &Path| cli(data, &["export", "--raw"]).ok();
    assert_eq!(all(&restored), all(&data));
    let verified = cli(&restored, &["verify"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
}

#[test]
fn a_folder_becomes_one_of_format_4_with_its_first_observed_event() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of(&fixture_path("format-3").join("data"), &dir);
    // What came after that moment is told against what was seen then.
    let earlier = |data: &Path| cli(data, &["changes", "--until", "@1760003000"]).ok();
    let before = earlier(&data);
    let number = |data: &Path| {
        let text = fs::read_to_string(data.join("format")).unwrap();
        let format: serde_json::Value = serde_json::from_str(&text).unwrap();
        (
            format["profiletrail"].as_u64().unwrap(),
            format["pruned"].clone(),
        )
    };
    let (three, pruned) = number(&data);
    let look = Cli::new(&data, &["reconcile", "-", "--at", "@1760003000"]).stdin(FILE);
    assert_eq!(json_lines(&look.run().ok()).len(), 3);
    assert_eq!((three, number(&data).0), (3, 3));
    Cli::new(&data, &RECORD).stdin(FILE).run().ok();
    assert_eq!(number(&data), (4, pruned));
    assert_eq!(earlier(&data), before);
}

/// What was pruned is not taken for what nobody ever saw.
#[test]
fn nothing_is_entered_for_a_time_that_was_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of(&fixture_path("format-3").join("data"), &dir);
    let mut args = RECORD;
    args[3] = "@1760000050";
    let told = Cli::new(&data, &args).stdin("id;mail\n1;x\n9;y\n").run();
    assert!(
        told.stderr
            .contains("events of 1 profiles and subprofiles up to")
            && told.stderr.contains("1 row may not differ")
            && told.stderr.contains("added 1 event"),
        "{}",
        told.stderr
    );
    assert_eq!(json_lines(&told.ok()).len(), 2);
    let history = json_lines(&cli(&data, &["history", "1", "--all"]).ok());
    assert!(history.iter().all(|event| event["type"] != "observed"));
}

/// Makes the fixture anew.
#[test]
#[ignore = "writes the fixture that the other tests read"]
fn make_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of(&fixture_path("format-3").join("data"), &dir);
    let record = Cli::new(&data, &[&RECORD[..], &["--database", "7"]].concat()).stdin(FILE);
    record.run().ok();
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
