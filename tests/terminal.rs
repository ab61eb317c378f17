//! What people see, pinned as text: every question on a store with hostile and
//! everyday values, at 80 and 200 columns, with and without colour.
//!
//! The files below `fixtures/terminal` are what the program writes; read them as
//! you read the program. They are made anew by
//!
//! ```text
//! PROFILETRAIL_WRITE_FIXTURES=1 cargo test --test terminal
//! ```
//!
//! Proven, beside that nothing has changed: no line is wider than the screen,
//! the colours change nothing but colours and marks, and nothing of a value
//! reaches the terminal as it is. Another command is a line in [`COMMANDS`].

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(unused_imports)]
#[path = "support/store.rs"]
mod store;
mod support;

use std::fs;
use std::path::Path;

use profiletrail::event::DecodeError;
use profiletrail::trail::{Arrival, ParsedCall};
use support::{Cli, cli, fixture_path};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The name of a fixture, and what is typed.
const COMMANDS: &[(&str, &str)] = &[
    ("history", "history 123"),
    ("history-all", "history 123 --all --subprofiles"),
    ("history-reverse", "history 123 --reverse -n 5"),
    ("history-hostile", "history 7"),
    ("history-field", "history 123 --field mail --utc"),
    ("show", "show 123 --at 2025-10-04"),
    ("show-hostile", "show 7 --at 2025-10-06"),
    ("show-deleted", "show 7 --at 2025-10-07"),
    ("show-unknown", "show 7 --at 2025-10-01"),
    ("show-subprofile", "show 123/456 --at 2025-10-07"),
    ("diff", "diff 123 --from 2025-10-02 --to 2025-10-07"),
    ("diff-hostile", "diff 7 --from 2025-10-05 --to 2025-10-06"),
    ("diff-unknown", "diff 7 --from 2025-10-01 --to 2025-10-05"),
    ("diff-nothing", "diff 7 --from 2025-10-08 --to 2025-10-09"),
    ("blame", "blame 123 --at 2025-10-07"),
    ("blame-hostile", "blame 7 --at 2025-10-06"),
    ("changes", "changes"),
    (
        "changes-filtered",
        "changes --field mail --reverse --tz Asia/Tokyo",
    ),
    ("export", "export"),
    ("rejected", "rejected"),
    ("rejected-reverse", "rejected --reverse -n 1"),
    ("evidence", "evidence 15"),
    ("nothing-field", "history 123 --field mial"),
    ("nothing-interest", "history 123 --field blue"),
    ("nothing-span", "history 123 --until 1970-01-01"),
    ("nothing-subprofile", "show 456"),
    ("nothing-profile", "blame 132"),
    ("nothing-label", "changes --label crn"),
];

/// A folder whose answers are alike in every run.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let events = fixture_path("terminal/events.jsonl");
    cli(&data, &["import", events.to_str().unwrap()]).ok();
    let (trail, mut appender) = store::open(&data);
    for (second, (body, reason, place)) in (0..).zip([
        ("type=update&profile=12x", "\"12x\" is no number", "profile"),
        (
            "\u{1b}[31mtype=\u{202e}&",
            "there is no profile, and none can be told from \u{1b}[31m",
            "profile",
        ),
    ]) {
        let call = ParsedCall {
            received: (1_760_000_000 + second) * 1_000_000,
            remote: Some("2001:db8::7".to_owned()),
            label: Some("newsletter-form".to_owned()),
            content_type: None,
            evidence: None,
            read: Err((400, DecodeError::new(reason, place))),
            body: body.as_bytes().to_vec(),
        };
        appender.append(vec![Arrival::Call(Box::new(call))]);
    }
    drop((trail, appender));
    (dir, data)
}

/// How wide a line is on terminals that draw emoji in parts, and on others.
fn wide(text: &str) -> usize {
    let parts = text.chars().filter_map(UnicodeWidthChar::width).sum();
    UnicodeWidthStr::width(text).max(parts)
}

/// The text without the colours that the program chooses.
fn uncoloured(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        let (style, after) = after.split_once('m').unwrap();
        let codes = style.strip_prefix('[').unwrap();
        assert!(codes.bytes().all(|b| b.is_ascii_digit() || b == b';'));
        rest = after;
    }
    plain + rest
}

/// Compares with a fixture, or writes it where that is asked for.
fn check(name: &str, shown: &str) {
    let path = fixture_path("terminal").join(format!("{name}.txt"));
    if std::env::var_os("PROFILETRAIL_WRITE_FIXTURES").is_some() {
        fs::write(&path, shown).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shown == expected,
        "{} is not what is shown, which is:\n{shown}",
        path.display()
    );
}

fn ask(data: &Path, words: &str, width: usize, color: &str) -> String {
    let mut args: Vec<&str> = words.split(' ').collect();
    args.extend(["--format", "table", "--color", color]);
    let outcome = Cli::new(data, &args)
        .env("COLUMNS", width.to_string())
        .run();
    format!("$ {words}\n{}{}", outcome.stdout, outcome.stderr)
}

#[test]
fn every_command_shows_what_is_pinned() {
    let (_dir, data) = folder();
    for (name, words) in COMMANDS {
        for width in [80, 200] {
            let plain = ask(&data, words, width, "never");
            assert!(!plain.contains('\u{1b}'), "{name}");
            let coloured = ask(&data, words, width, "always");
            for text in [&plain, &uncoloured(&coloured)] {
                let hostile = |c: char| {
                    c.is_control() && c != '\n' || matches!(c, '\u{200b}' | '\u{200d}' | '\u{202e}')
                };
                assert!(!text.contains(hostile), "{name}: {text:?}");
                let answer = text.lines().skip(1);
                // What goes to standard error is not cut.
                for line in answer.filter(|line| !line.starts_with("profiletrail: ")) {
                    assert!(wide(line) <= width, "{name}: {line}");
                    assert_eq!(line, line.trim_end(), "{name}");
                }
            }
            check(&format!("{name}-{width}"), &plain);
            check(&format!("{name}-{width}-colour"), &coloured);
        }
    }
}

#[test]
fn a_narrow_screen_breaks_nothing() {
    let (_dir, data) = folder();
    for (name, words) in COMMANDS {
        for width in ["1", "21", "40", "0", "-3", "wide", "99999999999999999999"] {
            let words: Vec<&str> = words.split(' ').collect();
            let args = [words.as_slice(), &["--format", "table"]].concat();
            let outcome = Cli::new(&data, &args).env("COLUMNS", width).run();
            assert!(
                matches!(outcome.status, Some(0 | 1)),
                "{name} at {width}: {outcome:?}"
            );
        }
    }
}

#[test]
fn csv_has_the_columns_that_are_promised() {
    let (_dir, data) = folder();
    for (words, columns) in [
        (
            "history 123",
            "seq,type,time,time_source,received,profile,subprofile,database,collection,label,verified,observed,duplicate_of,field,interest,old,old_is,new,new_is,cause,since",
        ),
        (
            "show 123",
            "profile,subprofile,database,collection,at,state,last_event_seq,last_event_time,fields,interests,created,modified,cascade_seq,cascade_time",
        ),
        (
            "diff 123 --from 2025-10-02",
            "field,interest,old,old_is,new,new_is",
        ),
        (
            "blame 123",
            "field,interest,value,seq,time,type,cause,old,old_is,since",
        ),
        (
            "changes",
            "time,seq,type,profile,subprofile,database,collection,label,field,interest,old,old_is,new,new_is,cause,since",
        ),
        (
            "export --raw",
            "seq,received,remote,label,type,time,time_source,profile,subprofile,database,collection,created,modified,parameters,fields,interests,extra,verified,body,body_base64,evidence,observed,baseline",
        ),
        (
            "rejected",
            "number,received,remote,label,content_type,status,error,where,body,body_base64",
        ),
        (
            "evidence 15",
            "seq,received,remote,verified_at,key,record,public_key,signed,signature,body,body_base64",
        ),
    ] {
        let mut args: Vec<&str> = words.split(' ').collect();
        args.extend(["--format", "csv"]);
        let text = cli(&data, &args).ok();
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let head: Vec<String> = table.headers().unwrap().iter().map(String::from).collect();
        assert_eq!(head.join(","), columns);
        let mut rows = 0;
        for row in table.records() {
            // A row of another length is an error of the reader's.
            for cell in &row.unwrap() {
                assert!(!cell.starts_with(['=', '@', '\t', '\r']), "{words}: {cell}");
            }
            rows += 1;
        }
        assert!(rows > 0, "{words}");
    }
    // Every key of the lines for programs has its column.
    for words in [
        "changes",
        "export --raw",
        "rejected",
        "blame 7 --at 2025-10-06",
    ] {
        let args: Vec<&str> = words.split(' ').collect();
        let csv = cli(&data, &[args.as_slice(), &["--format", "csv"]].concat()).ok();
        let head = csv.lines().next().unwrap();
        for line in support::json_lines(&cli(&data, &args).ok()) {
            for key in support::keys(&line) {
                assert!(
                    head.split(',').any(|column| column == key),
                    "{words}: {key}"
                );
            }
        }
    }
    // Where there is nothing, and where there is no such form.
    let nothing = cli(&data, &["history", "9", "--format", "csv"]);
    assert_eq!(nothing.stdout, "");
    nothing.failed(1);
    let said = cli(&data, &["verify", "--format", "csv"]).failed(2);
    assert!(said.contains("jsonl"), "{said}");
}

#[test]
fn newest_first_is_the_same_backwards() {
    let (_dir, data) = folder();
    for words in ["changes", "changes --profile 7", "rejected"] {
        let args: Vec<&str> = words.split(' ').collect();
        let forwards = cli(&data, &args).ok();
        let mut lines: Vec<&str> = forwards.lines().collect();
        lines.reverse();
        let with = |more: &[&str]| cli(&data, &[args.as_slice(), more].concat()).ok();
        let backwards = with(&["--reverse"]);
        assert_eq!(backwards.lines().collect::<Vec<_>>(), lines, "{words}");
        let two = with(&["--reverse", "-n", "2"]);
        assert_eq!(two.lines().collect::<Vec<_>>(), lines[..2], "{words}");
    }
}

#[test]
fn times_are_shown_in_the_reader_s_zone() {
    let (_dir, data) = folder();
    let ask = |more: &[&str], tz: &str| {
        let args = [
            &["history", "123/456", "-n", "1", "--format", "table"],
            more,
        ]
        .concat();
        Cli::new(&data, &args).env("TZ", tz).run().ok()
    };
    for (more, tz, shown) in [
        (&[][..], "Asia/Tokyo", "2025-10-05 09:00:00 CEST"),
        (&["--utc"], "", "2025-10-05 07:00:00 UTC"),
        (
            &["--utc", "--tz", "Asia/Tokyo"],
            "",
            "2025-10-05 07:00:00 UTC",
        ),
        (&["--tz", "Asia/Tokyo"], "", "2025-10-05 16:00:00 JST"),
        (&["--tz", "local"], "Asia/Tokyo", "2025-10-05 16:00:00 JST"),
        (&["--tz", "local"], ":Asia/Tokyo", "2025-10-05 16:00:00 JST"),
        (&["--timezone", "UTC"], "", "2025-10-05 07:00:00 UTC"),
        // What is typed is read in the other one.
        (
            &["--tz", "Asia/Tokyo", "--since", "2025-10-05 09:00:00"],
            "",
            "2025-10-05 16:00:00 JST",
        ),
    ] {
        let text = ask(more, tz);
        assert!(text.contains(shown), "{more:?}: {text}");
    }
    let said = cli(&data, &["history", "123", "--tz", "Mars"]).failed(2);
    assert!(said.contains("Europe/Amsterdam"), "{said}");
    // Lines for programs are UTC, whoever reads them.
    let lines = |more: &[&str]| cli(&data, &[&["history", "123"], more].concat()).ok();
    assert_eq!(lines(&["--tz", "Asia/Tokyo"]), lines(&[]));
}
