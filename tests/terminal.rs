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
#[path = "support/week.rs"]
mod week;

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
    ("nothing-event", "explain 99"),
    ("tail", "tail -n 5"),
    ("tail-filtered", "tail -n all --field note --tz Asia/Tokyo"),
    ("explain", "explain 7"),
    ("explain-duplicate", "explain 8"),
    ("explain-first", "explain 9"),
    ("explain-hostile", "explain 10"),
    ("explain-delete", "explain 14"),
    ("find-hostile", "find mail=\u{1b} --prefix --ever"),
    ("report-hostile", "report --by field,cause --profile 7"),
    ("gaps-hostile", "gaps --least 1"),
    ("stats", "stats"),
    ("verify", "verify"),
    ("seal", "seal"),
    ("prune", "prune --before 2025-10-02 --dry-run"),
];

/// The same of a week in which much goes wrong ([`week::week`]), and of which an
/// export was entered.
const WEEK: &[(&str, &str)] = &[
    ("week-tail", "tail -n 9"),
    ("week-history-observed", "history 1 --since 2025-10-10"),
    ("week-history-gone", "history 29 --reverse -n 2"),
    (
        "week-history-cascade",
        "history 30 --subprofiles -n 5 --reverse",
    ),
    ("week-show-cascade", "show 30/101 --at 2025-10-12"),
    ("week-changes-observed", "changes --cause observed"),
    ("week-changes-cascade", "changes --cause cascade"),
    ("week-find", "find city=Nederland --at 2025-10-09"),
    (
        "week-find-ended",
        "find mail=customer.number.30 --prefix --ever",
    ),
    ("week-report", "report"),
    ("week-report-day", "report --by day,label"),
    ("week-report-hour", "report --by hour --label import --utc"),
    ("week-report-month", "report --by month,type -n 3"),
    ("week-gaps", "gaps"),
    ("week-incidents", "incidents --least 20"),
    (
        "week-incidents-show",
        "incidents show city-70 --least 20 -n 4",
    ),
    (
        "week-incidents-undo",
        "incidents undo city-70 --least 20 --out DIR/fix.csv --force",
    ),
    ("week-loops", "loops"),
    ("week-explain", "explain 116"),
    (
        "week-reconcile",
        "reconcile DIR/customers.csv --at 2025-10-12 --database 1",
    ),
    ("week-nothing-find", "find city=nederland"),
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

/// The folder of the week, with an export entered.
fn folder_of_week() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let events = dir.path().join("events.jsonl");
    fs::write(&events, week::week()).unwrap();
    cli(&data, &["import", events.to_str().unwrap()]).ok();
    let export = dir.path().join("customers.csv");
    fs::copy(fixture_path("terminal/customers.csv"), &export).unwrap();
    let export = export.to_str().unwrap();
    let args = ["reconcile", export, "--at", "2025-10-13", "--partial"];
    let record = ["--record", "--yes", "--label", "export"];
    cli(&data, &[args.as_slice(), &record].concat()).ok();
    (dir, data)
}

/// Both folders, each with what is asked of it.
fn stores() -> [(tempfile::TempDir, std::path::PathBuf, Commands); 2] {
    let ((one, data), (other, of_week)) = (folder(), folder_of_week());
    [(one, data, COMMANDS), (other, of_week, WEEK)]
}

type Commands = &'static [(&'static str, &'static str)];

/// What is typed, with the place of the files.
fn typed(data: &Path, words: &str) -> Vec<String> {
    let dir = data.parent().unwrap().to_str().unwrap();
    words
        .split(' ')
        .map(|word| word.replace("DIR", dir))
        .collect()
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

/// What differs from run to run, in other words.
fn settled(data: &Path, text: &str) -> String {
    let dir = data.parent().unwrap().to_str().unwrap();
    let text = text.replace(dir, "DIR");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // Sizes of the index, on one line or two.
    if let Some(at) = lines.iter().position(|line| line.contains("on disk")) {
        lines[at] = "on disk         (sizes)";
        if lines[at + 1].starts_with("  ") {
            lines.remove(at + 1);
        }
    }
    lines.join("\n")
}

fn ask(data: &Path, words: &str, width: usize, color: &str) -> String {
    let typed = typed(data, words);
    let mut args: Vec<&str> = typed.iter().map(String::as_str).collect();
    args.extend(["--format", "table", "--color", color]);
    let outcome = Cli::new(data, &args)
        .env("COLUMNS", width.to_string())
        .run();
    assert_ne!(outcome.status, Some(2), "{words}: {}", outcome.stderr);
    let said = settled(data, &format!("{}{}", outcome.stdout, outcome.stderr));
    format!("$ {}\n{said}", words.escape_debug())
}

#[test]
fn every_command_shows_what_is_pinned() {
    for (_dir, data, commands) in &stores() {
        for (name, words) in *commands {
            for width in [80, 200] {
                let plain = ask(data, words, width, "never");
                assert!(!plain.contains('\u{1b}'), "{name}");
                let coloured = ask(data, words, width, "always");
                for text in [&plain, &uncoloured(&coloured)] {
                    let hostile = |c: char| {
                        c.is_control() && c != '\n'
                            || matches!(c, '\u{200b}' | '\u{200d}' | '\u{202e}')
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
}

#[test]
fn a_narrow_screen_breaks_nothing() {
    for (_dir, data, commands) in &stores() {
        for (name, words) in *commands {
            for width in ["1", "21", "40", "0", "-3", "wide", "99999999999999999999"] {
                let typed = typed(data, words);
                let mut args: Vec<&str> = typed.iter().map(String::as_str).collect();
                args.extend(["--format", "table"]);
                let outcome = Cli::new(data, &args).env("COLUMNS", width).run();
                assert!(
                    matches!(outcome.status, Some(0 | 1)),
                    "{name} at {width}: {outcome:?}"
                );
            }
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
    let (_dir, week) = folder_of_week();
    for words in [
        "tail -n all",
        "history 29",
        "find city=Nederland --ever",
        "explain 116",
        "report --by field,day,label",
        "gaps",
        "incidents --least 20",
        "incidents show city-70 --least 20",
        "loops",
        "show 30/101 --cascade",
        "export",
    ] {
        let args: Vec<&str> = words.split(' ').collect();
        let csv = cli(&week, &[args.as_slice(), &["--format", "csv"]].concat()).ok();
        let head: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
        for line in support::json_lines(&cli(&week, &args).ok()) {
            for key in support::keys(&line) {
                // A list that makes rows is none, an object has a column for each key.
                let inner = format!("{key}_");
                let rows = key == "changes" && line[key].is_array();
                let is_there = |column: &&str| *column == key || column.starts_with(&inner);
                assert!(rows || head.iter().any(is_there), "{words}: {key}");
            }
        }
    }
    // Where there is nothing, and where there is no such form.
    let nothing = cli(&data, &["history", "9", "--format", "csv"]);
    assert_eq!(nothing.stdout, "");
    nothing.failed(1);
    let cursor = week.parent().unwrap().join("cursor");
    for words in [
        &["verify"][..],
        &["reconcile", "-"],
        &["tail", "-f"],
        &["tail", "--cursor-file", cursor.to_str().unwrap()],
    ] {
        let said = cli(&week, &[words, &["--format", "csv"]].concat()).failed(2);
        assert!(said.contains("jsonl"), "{said}");
    }
    assert!(!cursor.exists());
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
