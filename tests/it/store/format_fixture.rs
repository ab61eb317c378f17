//! A data folder of format 1 is read by every later version, and the lines of
//! every answer keep their keys, in their order.
//!
//! `fixtures/format-1/data` is a data folder without what can be made again (index,
//! lock, sockets): plain and sealed segments, pruned and observed events,
//! baselines, a rejected call. `fixtures/format-1/expected` is what is answered
//! from it, byte for byte. Both were made by
//!
//! ```text
//! cargo test --all-features --test it format_fixture -- --ignored
//! ```
//!
//! (once both are removed), and the answers then read against the rules. After the
//! first release they are never made again: a later format gets a fixture of its own.
//!
//! `fixtures/exported` is what was answered from the calls below before anything
//! was pruned: its `export-raw.jsonl` is imported, and must be answered the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::http::FORM;
use crate::support::{
    Cli, Server, cli, copy_folder, entries, fixture, fixture_path, has, json_lines,
};

const JSON: &str = "application/json";

/// The calls of which the fixtures are made: target, content type, body. The last
/// one cannot be read.
const CALLS: [(&str, &str, &[u8]); 15] = [
    // A profile is made, with interests as a list.
    ("/webhook/crm", FORM, b"type=create&id=1&profile=1&database=7&time=1760000000&parameters%5Bmail%5D=a%40example.com&fields%5Bmail%5D=a%40example.com&fields%5Bname%5D=Zo%C3%AB+%E6%9D%8E&fields%5Bcity%5D=&interests%5B%5D=news&interests%5B%5D=b&created=2025-10-09+10%3A53%3A20&modified=2025-10-09+10%3A53%3A20"),
    // Set, and unexplained; interests as a map.
    ("/webhook", FORM, b"type=update&profile=1&database=7&time=1760000100&parameters%5Bmail%5D=b%40example.com&fields%5Bmail%5D=b%40example.com&fields%5Bname%5D=Zo%C3%AB&fields%5Bnew%5D=1&interests%5Bnews%5D=0&interests%5Bb%5D=1&modified=2025-10-09+10%3A55%3A00"),
    // The same once more: a duplicate.
    ("/webhook", FORM, b"type=update&profile=1&database=7&time=1760000100&parameters%5Bmail%5D=b%40example.com&fields%5Bmail%5D=b%40example.com&fields%5Bname%5D=Zo%C3%AB&fields%5Bnew%5D=1&interests%5Bnews%5D=0&interests%5Bb%5D=1&modified=2025-10-09+10%3A55%3A00"),
    // It says the same in other bytes: no duplicate.
    ("/webhook", FORM, b"type=update&profile=1&database=7&time=1760000100&parameters[mail]=b%40example.com&fields[mail]=b%40example.com&fields[name]=Zo%C3%AB&fields[new]=1&interests[news]=0&interests[b]=1&modified=2025-10-09+10%3A55%3A00"),
    // Without fields, and with a time of day in a zone only.
    ("/webhook", FORM, b"type=update&profile=1&timestamp=2025-10-09+10%3A58%3A20&parameters%5Bcity%5D=Utrecht&parameters%5Bnew%5D=2"),
    // Late.
    ("/webhook/late", FORM, b"type=update&profile=1&time=1760000050&parameters%5Bname%5D=Z&fields%5Bmail%5D=a%40example.com&fields%5Bname%5D=Z&interests%5B0%5D=b&interests%5B1%5D=news"),
    // Of another type.
    ("/webhook", FORM, b"type=click&profile=1&time=1760000400&url=https%3A%2F%2Fexample.com%2F%3Fa%3D1&fields%5Bmail%5D=c"),
    // First seen by an update, in JSON.
    ("/webhook/json", JSON, br#"{"type":"update","profile":2,"database":7,"time":1760000500,"parameters":{"score":3},"fields":{"score":3,"vip":true,"none":""},"interests":["x"]}"#),
    // A subprofile, made and removed; the removal does not name its profile.
    ("/webhook", FORM, b"type=create&profile=2&subprofile=20&collection=4&database=7&time=1760000600&fields%5Border%5D=1"),
    ("/webhook", FORM, b"type=delete&subprofile=20&collection=4&time=1760000700&parameters%5Bid%5D=20"),
    // What is no UTF-8.
    ("/webhook", FORM, b"type=update&profile=2&database=7&time=1760000800&parameters%5Bnote%5D=%FF%FE&fields%5Bscore%5D=3&fields%5Bvip%5D=1&fields%5Bnote%5D=\xff\xfe"),
    // Removed, and there again.
    ("/webhook", FORM, b"type=delete&profile=1&database=7&time=1760000900"),
    ("/webhook", FORM, b"type=create&profile=1&database=7&time=1760001000&parameters%5Bmail%5D=d&fields%5Bmail%5D=d&interests%5Bb%5D=1"),
    // No time at all.
    ("/webhook", FORM, b"type=update&profile=3&fields%5Ba%5Bb%5D%5D=c"),
    ("/webhook/crm", FORM, b"type=update&profile=one&note=\xff"),
];

/// What `fixtures/exported` answers.
const OF_THE_EXPORT: [(&str, &[&str]); 12] = [
    ("export", &["export"]),
    ("export-raw", &["export", "--raw"]),
    ("changes", &["changes"]),
    ("rejected", &["rejected"]),
    ("history-1", &["history", "1", "--all"]),
    ("history-2", &["history", "2", "--subprofiles"]),
    ("show-1", &["show", "1", "--at", "@1760000800"]),
    ("show-20", &["show", "2/20", "--at", "@1760000700"]),
    ("show-before", &["show", "2", "--at", "@0"]),
    (
        "diff-1",
        &["diff", "1", "--from", "@1760000000", "--to", "@1760000300"],
    ),
    (
        "diff-2",
        &["diff", "2", "--from", "@0", "--to", "@1760000800"],
    ),
    ("blame-1", &["blame", "1", "--at", "@1760000300"]),
];

/// What `fixtures/format-1` answers.
const OF_THE_FOLDER: [(&str, &[&str]); 16] = [
    ("export-raw", &["export", "--raw"]),
    ("changes", &["changes"]),
    ("observed", &["changes", "--cause", "observed"]),
    ("rejected", &["rejected"]),
    ("history-1", &["history", "1", "--all"]),
    ("history-2", &["history", "2", "--subprofiles"]),
    ("history-3", &["history", "3"]),
    ("show-1", &["show", "1", "--at", "@1760000800"]),
    ("show-1-before", &["show", "1", "--at", "@1760000399"]),
    ("show-20", &["show", "2/20", "--at", "@1760000650"]),
    ("show-2", &["show", "2", "--at", "@1760003000"]),
    (
        "diff-1",
        &["diff", "1", "--from", "@1760000500", "--to", "@1760001000"],
    ),
    (
        "diff-1-before",
        &["diff", "1", "--from", "@1760000000", "--to", "@1760000500"],
    ),
    (
        "diff-1-observed",
        &["diff", "1", "--from", "@1760002999", "--to", "@1760003000"],
    ),
    ("blame-1", &["blame", "1", "--at", "@1760000800"]),
    ("blame-4", &["blame", "4", "--at", "@1760003000"]),
];

/// After the first changes of profile 1 and the making of subprofile 2/20.
const BEFORE: &str = "@1760000650";

/// Profile 1 has other values, 3 was not seen before that moment, 4 never, and 2
/// is not there.
const FILE: &str = "id;mail;a[b];city\n1;D;;\n3;;seen;Zürich\n4;e;;\n";

/// How it is recorded.
const RECORD: [&str; 7] = [
    "reconcile",
    "-",
    "--at",
    "@1760003000",
    "--record",
    "--yes",
    "--label=baseline",
];

fn folder(name: &str) -> PathBuf {
    fixture_path("format-1").join(name)
}

fn copy_of_the_folder(dir: &tempfile::TempDir) -> PathBuf {
    let data = dir.path().join("data");
    copy_folder(&folder("data"), &data);
    data
}

/// The files of a folder and their bytes, by their names.
fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    entries(folder).into_iter().map(read).collect()
}

fn is_answered_as_pinned(data: &Path, how: &str) {
    for (name, question) in OF_THE_FOLDER {
        let path = folder("expected").join(format!("{name}.jsonl"));
        let expected = fs::read_to_string(path).unwrap();
        assert_eq!(cli(data, question).ok(), expected, "{name}, {how}");
    }
    // Events that arrived since one are exported without baselines, whatever their time.
    let exported = json_lines(&cli(data, &["export"]).ok()).into_iter();
    let since: Vec<Value> = exported
        .filter(|line| line["type"] != "baseline" && line["seq"].as_u64() >= Some(9))
        .collect();
    let asked = cli(data, &["export", "--from-seq", "9"]).ok();
    assert_eq!(json_lines(&asked), since, "{how}");
}

#[test]
fn the_folder_is_answered_as_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of_the_folder(&dir);
    let (log, format) = (
        bytes_of(&data.join("log")),
        fs::read(data.join("format")).unwrap(),
    );
    for end in [".log", ".log.zst"] {
        let mut names = log.keys().map(|path| path.to_string_lossy());
        assert!(names.any(|name| name.ends_with(end)), "no {end}");
    }
    is_answered_as_pinned(&data, "offline");
    assert_eq!(bytes_of(&data.join("log")), log, "reading never writes");
    assert_eq!(fs::read(data.join("format")).unwrap(), format);
    let server = Server::start(&data, &["--signature", "off"]);
    is_answered_as_pinned(&data, "live");
    // Nothing differs any more, so nothing is recorded.
    let again = Cli::new(&data, &[&RECORD[..], &["--database", "7"]].concat()).stdin(FILE);
    assert_eq!(again.run().ok(), "");
    // It is written on; the subprofile's profile is known by its baseline alone.
    let last = json_lines(&fixture("format-1/expected/export-raw.jsonl"))
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .max();
    let body = "type=delete&subprofile=20&time=1760002000";
    let seq = server.client().post("/webhook", body).seq();
    assert_eq!(Some(seq), last.map(|last| last + 1));
    let log = server.stop();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let again = ["prune", "--before", BEFORE, "--yes", "--format", "table"];
    let again = cli(&data, &again).ok();
    assert!(again.contains("pruned already"), "{again}");
    // More is pruned, and a backup has all of it.
    cli(&data, &["prune", "--before", "@1760003001", "--yes"]).ok();
    let copy = dir.path().join("backup");
    cli(&data, &["backup", copy.to_str().unwrap(), "--copy"]).ok();
    let restored = dir.path().join("restored");
    cli(&restored, &["restore", copy.to_str().unwrap()]).ok();
    let all = |data: &Path| cli(data, &["export", "--raw"]).ok();
    assert_eq!(all(&restored), all(&data));
    let verified = cli(&restored, &["verify"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
}

/// The same calls, as they came.
#[test]
fn the_calls_are_answered_as_pinned_but_for_their_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &["--segment-size", "1KiB"]);
    let mut client = server.client();
    for (number, (target, kind, body)) in CALLS.into_iter().enumerate() {
        let reply = client.request("POST", target, &[("Content-Type", kind)], body);
        let readable = number + 1 < CALLS.len();
        assert_eq!(reply.status, if readable { 200 } else { 400 });
    }
    server.stop();
    cli(&data, &["seal"]).ok();
    for (name, question) in OF_THE_EXPORT {
        // The folder keeps the words with which its call was rejected.
        let expected =
            fixture(&format!("exported/{name}.jsonl")).replace("is no number", "is not a number");
        let timeless = |text: &str| {
            let mut lines = json_lines(text);
            for line in &mut lines {
                line["received"] = Value::Null;
                // Without one of its own, the time is that of the receipt.
                if line["profile"] == 3 {
                    line["time"] = Value::Null;
                }
            }
            lines
        };
        let found = cli(&data, question).ok();
        assert_eq!(timeless(&found), timeless(&expected), "{name}");
    }
}

#[test]
fn a_folder_of_a_later_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of_the_folder(&dir);
    let format = fs::read_to_string(data.join("format")).unwrap();
    fs::write(data.join("format"), format.replacen(":1,", ":2,", 1)).unwrap();
    let refused = cli(&data, &["changes"]).failed(3);
    has(&refused, &["has format 2", "knows formats up to 1"]);
}

/// What was pruned is not taken for what nobody ever saw.
#[test]
fn nothing_is_recorded_for_a_time_that_was_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let data = copy_of_the_folder(&dir);
    let observed = |data: &Path| {
        let history = json_lines(&cli(data, &["history", "1", "--all"]).ok());
        let found = history.iter().filter(|event| event["type"] == "observed");
        found.count()
    };
    let before = observed(&data);
    let mut args = RECORD;
    args[3] = "@1760000050";
    let outcome = Cli::new(&data, &args).stdin("id;mail\n1;x\n9;y\n").run();
    has(
        &outcome.stderr,
        &[
            "events of 1 profiles and subprofiles up to",
            "1 row may not differ",
            "added 1 event",
        ],
    );
    assert_eq!(json_lines(&outcome.ok()).len(), 2);
    assert_eq!(observed(&data), before);
}

#[test]
fn what_was_exported_is_imported_and_answered_as_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let exported = fixture_path("exported");
    let data = dir.path().join("copy");
    let file = exported.join("export-raw.jsonl");
    cli(&data, &["import", file.to_str().unwrap()]).ok();
    for (name, question) in OF_THE_EXPORT.iter().filter(|(name, _)| *name != "rejected") {
        let expected = fs::read_to_string(exported.join(format!("{name}.jsonl"))).unwrap();
        assert_eq!(cli(&data, question).ok(), expected, "{name}");
    }
}

/// Writes the fixture.
#[test]
#[ignore = "writes the fixture that the other tests read"]
fn make_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for line in fixture("exported/export-raw.jsonl").lines() {
        // As if it had come a second after it happened, each in its own segment.
        let mut event: Value = serde_json::from_str(line).unwrap();
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
    let record = Cli::new(&data, &[&RECORD[..], &["--database", "7"]].concat()).stdin(FILE);
    record.run().ok();
    let server = Server::start(&data, &[]);
    let (target, kind, body) = CALLS[CALLS.len() - 1];
    let reply = server
        .client()
        .request("POST", target, &[("Content-Type", kind)], body);
    assert_eq!(reply.status, 400);
    // Stopped before the sealer has looked, so that plain segments are left.
    server.kill();
    // What is there already is not replaced: it is to be removed by hand before.
    fs::create_dir_all(folder("data")).unwrap();
    fs::create_dir(folder("expected")).unwrap();
    for part in ["log", "rejected", "baselines"] {
        copy_folder(&data.join(part), &folder("data").join(part));
    }
    fs::copy(data.join("format"), folder("data").join("format")).unwrap();
    for (name, question) in OF_THE_FOLDER {
        let path = folder("expected").join(format!("{name}.jsonl"));
        fs::write(path, cli(&data, question).ok()).unwrap();
    }
}
