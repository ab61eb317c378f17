//! A data folder that an older format wrote is read by every later version,
//! and the lines of every answer keep their keys, in their order.
//!
//! `fixtures/format-N/data` is a data folder without what can be made again
//! (index, lock, sockets); `fixtures/format-N/expected` is what is answered from
//! it, byte for byte, by every question that has lines. That of format 2 has
//! sealed segments, too. Both folders of the newest format were made by
//!
//! ```text
//! cargo test --test it format_fixture -- --ignored
//! ```
//!
//! (once both are removed), and the answers then read against the rules. They
//! are never made anew: a later format gets a fixture of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::http::FORM;
use crate::support::{Server, cli, copy_folder, fixture_path};

const JSON: &str = "application/json";

/// The calls: target, content type, body. The last one cannot be read.
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

const QUESTIONS: [(&str, &[&str]); 12] = [
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

/// The formats whose data folders are read; the last is what is written now.
const FORMATS: [&str; 1] = ["format-2"];

/// The formats whose exports are imported.
const EXPORTED: [&str; 2] = ["format-1", "format-2"];

fn folder(format: &str, name: &str) -> PathBuf {
    fixture_path(format).join(name)
}

/// The files of a folder and their bytes, by their names.
fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn is_answered_as_pinned(format: &str, data: &Path, how: &str) {
    for (name, question) in QUESTIONS {
        let expected =
            fs::read_to_string(folder(format, "expected").join(format!("{name}.jsonl"))).unwrap();
        let found = cli(data, question).ok();
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{format}, {name}, {how}");
        }
        assert_eq!(found, expected, "{format}, {name}, {how}");
    }
}

#[test]
fn what_any_format_wrote_is_answered_as_pinned() {
    for format in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        copy_folder(&folder(format, "data"), &data);
        let log = bytes_of(&data.join("log"));
        let how = fs::read(data.join("format")).unwrap();
        is_answered_as_pinned(format, &data, "offline");
        assert_eq!(bytes_of(&data.join("log")), log, "reading never writes");
        assert_eq!(fs::read(data.join("format")).unwrap(), how);
        let server = Server::start(&data, &["--signature", "off"]);
        is_answered_as_pinned(format, &data, "live");
        // It is written on, too.
        let (target, _, body) = CALLS[0];
        assert_eq!(server.client().post(target, body).seq(), CALLS.len() as u64);
        let log = server.stop();
        assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
        // And read again, of the newest format now.
        let export = cli(&data, &["export"]).ok();
        assert_eq!(export.lines().count(), CALLS.len());
        let now = fs::read_to_string(data.join("format")).unwrap();
        assert!(now.contains("\"profiletrail\":2,"), "{now}");
    }
}

#[test]
fn what_any_format_exported_is_imported_and_answered_as_pinned() {
    for format in EXPORTED {
        let dir = tempfile::tempdir().unwrap();
        let file = folder(format, "expected").join("export-raw.jsonl");
        let data = dir.path().join("copy");
        cli(&data, &["import", file.to_str().unwrap()]).ok();
        for (name, question) in QUESTIONS.iter().filter(|(name, _)| *name != "rejected") {
            let path = folder(format, "expected").join(format!("{name}.jsonl"));
            let expected = fs::read_to_string(path).unwrap();
            assert_eq!(cli(&data, question).ok(), expected, "{format}, {name}");
        }
    }
}

/// Makes the fixture anew.
#[test]
#[ignore = "writes the fixture that the other tests read"]
fn make_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // Segments so small that there are several.
    let server = Server::start(&data, &["--segment-size", "1KiB"]);
    let mut client = server.client();
    for (number, (target, kind, body)) in CALLS.into_iter().enumerate() {
        let reply = client.request("POST", target, &[("Content-Type", kind)], body);
        let readable = number + 1 < CALLS.len();
        assert_eq!(reply.status, if readable { 200 } else { 400 });
    }
    server.stop();
    cli(&data, &["seal"]).ok();
    let format = FORMATS[FORMATS.len() - 1];
    let folder = |name| folder(format, name);
    fs::create_dir(fixture_path(format)).unwrap();
    // What is there already is not replaced: it is to be removed by hand before.
    fs::create_dir(folder("data")).unwrap();
    fs::create_dir(folder("expected")).unwrap();
    for part in ["log", "rejected"] {
        copy_folder(&data.join(part), &folder("data").join(part));
    }
    fs::copy(data.join("format"), folder("data").join("format")).unwrap();
    for (name, question) in QUESTIONS {
        let path = folder("expected").join(format!("{name}.jsonl"));
        fs::write(path, cli(&data, question).ok()).unwrap();
    }
}
