//! `erase`, driven as an operator drives it, searched by a stranger, and killed.

mod copies;
mod crash;
mod others;
mod traces;

use std::fs;
use std::path::Path;

use memchr::memmem;
use serde_json::Value;

use crate::support::{Cli, cli, files_below, json_lines};

/// The person; the subprofile's number has too few digits to be found in any text.
const PERSON: u64 = 47_110_815;

/// What nobody else has, one for each place where a person can be.
const CANARIES: [&str; 9] = [
    "canaryfield7f3a91c2",
    "canaryname5b0d44e8@example.com",
    "canaryinterest1ee07d",
    "canaryparameter92c0b",
    "canarybaseline66d1fa",
    "canaryrejected03bf5e",
    "canarysubprofile8a42",
    "canarytorn0d9e11c7b5",
    "canarylookup40c2e8aa@example.com",
];

fn moment(time: i64) -> String {
    let time = chrono::DateTime::from_timestamp(time, 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A line that `import` takes, of an event that arrived a second after it happened.
fn line(profile: u64, subprofile: Option<u64>, time: i64, event_type: &str, value: &str) -> String {
    let subprofile = subprofile.map_or("null".to_owned(), |own| own.to_string());
    format!(
        "{{\"seq\":1,\"received\":\"{}.000000Z\",\"remote\":null,\"label\":null,\"type\":\"{event_type}\",\"time\":\"{}Z\",\
         \"time_source\":\"time\",\"profile\":{profile},\"subprofile\":{subprofile},\"database\":1,\"collection\":null,\"created\":null,\
         \"modified\":null,\"parameters\":{{}},\"fields\":{{\"v\":\"{value}\"}},\"interests\":[],\"extra\":{{}}}}\n",
        moment(time + 1),
        moment(time),
    )
}

/// Events of others and of the person, one a day each.
fn lines(days: std::ops::Range<i64>, with_person: bool) -> String {
    let mut lines = String::new();
    for day in days {
        let time = 1_500_000_000 + day * 86_400;
        lines += &line(
            day as u64 % 30 + 1,
            None,
            time,
            "update",
            &format!("value {day}"),
        );
        if with_person && day % 7 == 3 {
            let subprofile = (day % 2 == 0).then_some(31);
            lines += &line(PERSON, subprofile, time, "update", CANARIES[0]);
        }
    }
    if with_person {
        lines += &line(PERSON, None, 1_690_000_000, "delete", "");
    }
    lines
}

fn import(data: &Path, lines: &str) {
    for part in lines.split_inclusive('\n').collect::<Vec<_>>().chunks(40) {
        Cli::new(data, &["import", "--segment-size", "20KB"])
            .stdin(part.concat())
            .run()
            .ok();
    }
}

fn erase(data: &Path, more: &[&str]) -> Vec<Value> {
    let person = PERSON.to_string();
    let all = [&["erase", &person, "--reason", "asked for it"], more].concat();
    json_lines(&cli(data, &all).ok())
}

/// Which of the texts are in the bytes as they are, or after a place where zstd begins.
fn found_within<'a>(bytes: Vec<u8>, texts: &[&'a str]) -> Vec<&'a str> {
    const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
    let decompressed = memmem::find_iter(&bytes, &MAGIC).map(|at| {
        let mut plain = Vec::new();
        let decoder = zstd::Decoder::new(&bytes[at..]).unwrap().single_frame();
        let _ = std::io::Read::read_to_end(&mut { decoder }, &mut plain);
        plain
    });
    let mut forms: Vec<_> = decompressed.collect();
    forms.push(bytes);
    let is_there = |text: &&&str| {
        let is_in = |form: &Vec<u8>| memmem::find(form, text.as_bytes()).is_some();
        forms.iter().any(is_in)
    };
    texts.iter().filter(is_there).copied().collect()
}

/// The files of a folder in which one of the texts occurs.
fn found_in(dir: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files_below(dir) {
        let own = found_within(fs::read(&file).unwrap(), texts);
        let shown = |text: &str| format!("{text} in {}", file.display());
        found.extend(own.into_iter().map(shown));
    }
    found
}

#[test]
fn what_cannot_be_erased_is_said_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    import(&data, &lines(0..60, true));
    let before = cli(&data, &["export"]).ok();
    let refuse = |args: &[&str], status: i32, says: &str| {
        let all = [&["erase"], args].concat();
        let why = cli(&data, &all).failed(status);
        assert!(why.contains(says), "{args:?}: {why}");
        assert_eq!(cli(&data, &["export"]).ok(), before);
    };
    refuse(&["4", "--reason", "x", "--yes"], 3, "--still-present");
    refuse(&["4", "--reason", " ", "--yes"], 2, "--reason");
    refuse(&["4", "--yes"], 2, "--reason");
    refuse(&["--reason", "x", "--yes"], 2, "PROFILE");
    refuse(&["4", "--reason", "x"], 2, "--dry-run");
    refuse(
        &["999999", "--reason", "x", "--yes"],
        1,
        "nothing is known of profile 999999",
    );
    let list = dir.path().join("list");
    fs::write(&list, "4\n\nfour\n").unwrap();
    let shown = list.to_str().unwrap();
    refuse(&["--file", shown, "--reason", "x", "--yes"], 2, "line 3");
    fs::write(&list, "\n").unwrap();
    refuse(
        &["--file", shown, "--reason", "x", "--yes"],
        2,
        "lists no profile",
    );
    refuse(
        &[
            &PERSON.to_string(),
            "--reason",
            "x",
            "--yes",
            "--backup",
            shown,
        ],
        2,
        "is no backup",
    );
    // Many at once, of whom one is unknown.
    fs::write(&list, format!("{PERSON}\n 5 \n999999\n")).unwrap();
    let asked = [
        "erase",
        "--file",
        shown,
        "--reason",
        "x",
        "--yes",
        "--still-present",
    ];
    let lines = json_lines(&cli(&data, &asked).ok());
    let profiles: Vec<_> = lines
        .iter()
        .map(|line| line["profile"].as_u64().unwrap())
        .collect();
    assert_eq!(profiles, [5, PERSON]);
    assert!(lines.iter().all(|line| line["receipt"].is_u64()));
    let table = cli(
        &data,
        &[
            "erase",
            "6",
            "--reason",
            "x",
            "--yes",
            "--still-present",
            "--format",
            "table",
        ],
    )
    .ok();
    assert!(
        table.starts_with("profile 6: erased 2 events; the receipt is number "),
        "{table}"
    );
}
