//! `verify` finds whatever is changed in a data folder, names it, and changes
//! nothing itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::{Cli, Server, cli, copy_folder, entries, has, json_lines};
use profiletrail::log::{Damage, Log, OpenMode, Visited};
use profiletrail::storage::{Access, SimulatedDisk, Storage};
use serde_json::Value;

const EVENTS: u64 = 300;

/// A folder with sealed and plain segments in both logs, of a server that has
/// ended well.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--segment-size", "10KB"]);
    let mut client = server.client();
    for call in 0..EVENTS {
        let body = format!(
            "type=update&profile={}&time={}&parameters[v]={call}&fields[v]={call}&fields[w]={}",
            call % 7 + 1,
            1_760_000_000 + call * 60,
            "x".repeat(60)
        );
        assert_eq!(client.post("/webhook/some", &body).seq(), call + 1);
        if call % 3 == 0 {
            client.post("/webhook", format!("{body}&profile=none"));
        }
    }
    server.stop();
    cli(dir.path(), &["seal"]).ok();
    dir
}

fn verified(data: &Path) -> (Option<i32>, Vec<Value>, String) {
    let outcome = cli(data, &["verify", "--format", "jsonl"]);
    (outcome.status, json_lines(&outcome.stdout), outcome.stderr)
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// All files of both logs with their content.
fn contents(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = ["log", "rejected"].map(|part| entries(&data.join(part)));
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    files.into_iter().flatten().map(read).collect()
}

#[test]
fn a_whole_folder_is_well_with_a_server_and_without() {
    let dir = filled();
    let before = contents(dir.path());
    assert!(before.len() > 6);
    let (status, lines, stderr) = verified(dir.path());
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{lines:?}");
    let summary = of_kind(&lines, "summary")[0].clone();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(summary["events"], EVENTS);
    assert_eq!(summary["rejected"], EVENTS / 3);
    assert_eq!(summary["damages"], 0);
    let bytes: usize = before
        .iter()
        .filter(|(path, _)| path.extension().unwrap() != "blocks")
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert_eq!(summary["bytes"], bytes);
    assert_eq!(contents(dir.path()), before);
    let server = Server::start(dir.path(), &[]);
    let (status, live, _) = verified(dir.path());
    assert_eq!((status, live), (Some(0), lines));
    server.client().post("/webhook", crate::support::BODY);
    assert_eq!(verified(dir.path()).0, Some(0));
    server.stop();
}

#[test]
fn a_changed_byte_in_any_file_is_found_and_named() {
    let dir = filled();
    let mut dice = crate::support::Dice(7);
    for (path, bytes) in contents(dir.path()) {
        if path.extension().unwrap() == "blocks" || bytes.is_empty() {
            continue;
        }
        for round in 0..4 {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(dir.path(), copy.path());
            let name = path.strip_prefix(dir.path()).unwrap();
            let mut bad = bytes.clone();
            // The last round leaves the bytes and adds one.
            match round {
                3 => bad.push(b'x'),
                _ => bad[dice.below(bytes.len() as u64) as usize] ^= 1 << dice.below(8),
            }
            fs::write(copy.path().join(name), &bad).unwrap();
            let before = contents(copy.path());
            let (status, lines, stderr) = verified(copy.path());
            assert_eq!(status, Some(3), "{}: {lines:?}", path.display());
            let named = name.to_str().unwrap();
            let found = of_kind(&lines, "damage");
            assert!(
                stderr.contains(named)
                    || found
                        .iter()
                        .any(|line| { line["segment"].as_str().unwrap().ends_with(named) }),
                "{named}: {lines:?} {stderr}"
            );
            assert_eq!(contents(copy.path()), before);
        }
    }
}

#[test]
fn missing_segments_and_strange_files_are_named() {
    let dir = filled();
    let segments: Vec<_> = contents(dir.path())
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(dir.path().join("log")))
        .collect();
    for missing in [0, 2] {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        let gone = &segments[missing];
        let first: u64 = gone.file_name().unwrap().to_str().unwrap()[..20]
            .parse()
            .unwrap();
        fs::remove_file(copy.path().join("log").join(gone.file_name().unwrap())).unwrap();
        fs::write(copy.path().join("log/notes.txt"), "x").unwrap();
        let (status, lines, _) = verified(copy.path());
        assert_eq!(status, Some(3));
        let damage = of_kind(&lines, "damage");
        assert_eq!(damage.len(), 1, "{lines:?}");
        assert_eq!(damage[0]["first_seq"], first);
        assert!(damage[0]["reason"].as_str().unwrap().contains("missing"));
        let notes = of_kind(&lines, "note");
        assert_eq!(notes.len(), 1, "{lines:?}");
        assert!(
            notes[0]["file"]
                .as_str()
                .unwrap()
                .ends_with("log/notes.txt")
        );
    }
}

#[test]
fn a_segment_with_a_much_too_high_name_is_named_at_once() {
    let dir = filled();
    let (last, _) = contents(dir.path())
        .into_iter()
        .rfind(|(path, _)| path.starts_with(dir.path().join("log")))
        .unwrap();
    let name = last.file_name().unwrap().to_str().unwrap();
    fs::rename(&last, last.with_file_name(format!("01{}", &name[2..]))).unwrap();
    let (status, lines, error) = verified(dir.path());
    assert_eq!(status, Some(3), "{error}");
    let damage = of_kind(&lines, "damage");
    assert!(!damage.is_empty() || error.contains("name"), "{error}");
}

#[test]
fn an_index_that_is_not_the_logs_is_named() {
    let lines = cli(filled().path(), &["export"]).ok();
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (dir.path().join("own"), dir.path().join("other"));
    // Two folders of one log id whose logs end alike, and differ before.
    cli(&own, &["import"]).ok();
    copy_folder(&own, &other);
    Cli::new(&own, &["import"]).stdin(lines.clone()).run().ok();
    let differing = lines.replacen("\"profile\":1,", "\"profile\":77,", 1);
    assert_ne!(differing, lines);
    Cli::new(&other, &["import"]).stdin(differing).run().ok();
    // An answer waits for the index, and leaves it complete.
    cli(&other, &["history", "77"]).ok();
    fs::remove_dir_all(own.join("index")).unwrap();
    copy_folder(&other.join("index"), &own.join("index"));
    let (status, lines, stderr) = verified(&own);
    assert_eq!(status, Some(3), "{stderr}");
    let found = of_kind(&lines, "index");
    assert_eq!(found.len(), 1, "{lines:?}");
    let what = found[0]["what"].as_str().unwrap();
    has(what, &["first of 1;", "delete"]);
    fs::remove_dir_all(own.join("index")).unwrap();
    assert_eq!(verified(&own).0, Some(0));
}

const DIR: &str = "/log";
const ID: u64 = 0x5EA1_ED00_0000_0007;

fn open(disk: &SimulatedDisk) -> Log {
    let opened = Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, OpenMode::Read);
    opened.unwrap().log
}

fn record(seq: u64) -> Vec<u8> {
    let mut record = (seq as i64).to_le_bytes().to_vec();
    record.extend((0..90 + seq % 13).map(|n| (n * seq % 251) as u8));
    record
}

fn time_of(record: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(record.get(..8)?.try_into().ok()?))
}

fn damages(log: &Log) -> Vec<Damage> {
    let mut found: Vec<Damage> = log.missing_start().into_iter().collect();
    let firsts: Vec<u64> = log.segments().iter().map(|(first, _)| *first).collect();
    let nexts = firsts.iter().skip(1).copied().chain([log.last_seq() + 1]);
    for (first, next) in firsts.iter().zip(nexts) {
        let mut visit = |frame: &profiletrail::log::frame::Frame<'_>| {
            let mut visited = Visited::default();
            for (_, record) in frame.records() {
                visited.time(time_of(record));
            }
            visited
        };
        found.extend(log.check_segment(*first, next, &mut visit).unwrap().damage);
    }
    found.extend(log.leftover().cloned());
    found
}

#[test]
fn no_changed_byte_of_any_segment_goes_unseen() {
    let disk = SimulatedDisk::new();
    let mode = OpenMode::Append {
        segment_size: 4_000,
    };
    let opened = Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode).unwrap();
    let mut writer = opened.writer.unwrap();
    for group in 0..40 {
        let records: Vec<_> = (group * 3 + 1..group * 3 + 4).map(record).collect();
        writer.append(&records).unwrap();
    }
    let unsealed = opened.log.unsealed();
    assert!(unsealed.len() >= 3);
    opened.log.seal(1, &time_of, &|| false).unwrap().unwrap();
    drop((writer, opened.log));
    assert_eq!(damages(&open(&disk)), []);
    let mut seen = 0;
    for name in disk.list(Path::new(DIR)).unwrap() {
        let path = Path::new(DIR).join(&name);
        let len = disk.open(&path, Access::Read).unwrap().len().unwrap();
        for place in 0..len {
            let bad = disk.process_killed();
            let file = bad.open(&path, Access::Write).unwrap();
            let mut byte = [0];
            file.read_at(&mut byte, place).unwrap();
            file.write_at(&[byte[0] ^ (1 << (place % 8))], place)
                .unwrap();
            let opened = Log::open(Arc::new(bad), Path::new(DIR), ID, OpenMode::Read);
            let Ok(opened) = opened else {
                // The last frame's id or version.
                continue;
            };
            seen += 1;
            let found = damages(&opened.log);
            let names_it = |damage: &Damage| {
                damage.segment == path && (damage.offset..damage.end).contains(&place)
            };
            assert!(found.iter().any(names_it), "{name} at {place}: {found:?}");
        }
    }
    assert!(seen > 10_000, "{seen}");
}
