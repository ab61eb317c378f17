//! What puts changes together: `report`, `gaps`, `incidents` with `undo`, and
//! `loops`, on a store with a bad import, a lost hour, a loop and an ordinary
//! shop around them.
//!
//! Proven: each is found, and as what it is, and the ordinary shop is not; a
//! report's rows say what `changes` says, by the very command that they name,
//! however hostile names are; the file of `undo` has exactly the harmed profiles
//! that still have the bad value, to the byte, never takes the place of another
//! unasked, and what is left alone is told with its reason; server, folder and API
//! answer alike.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::http::{ask, token};
use support::{Cli, Dice, Outcome, Server, cli, json_lines};
use tempfile::TempDir;

/// 2025-10-06T00:00:00Z, a Monday.
const BEGIN: u64 = 1_759_708_800;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// The bad import: on the third day at 14:00 UTC.
const IMPORT: u64 = BEGIN + 2 * DAY + 14 * HOUR;

/// The lost hour: on the fifth day, from 10:00 UTC on.
const LOST: u64 = BEGIN + 4 * DAY + 10 * HOUR;

/// A field's name that would be a command, a flag or a formula elsewhere.
const HOSTILE: &str = "--it's \"$(touch pwned)\";\u{1b}[31m\n=1+1";

/// How many profiles the import harms.
const HARMED: u64 = 120;

/// What a profile has.
#[derive(Clone, Default)]
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn body(&self, event_type: &str, profile: u64, time: u64, set: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", event_type)
            .append_pair("profile", &profile.to_string())
            .append_pair("database", "7")
            .append_pair("time", &time.to_string());
        for (name, value) in set {
            form.append_pair(&format!("parameters[{name}]"), value);
        }
        for (name, value) in &self.0 {
            form.append_pair(&format!("fields[{name}]"), value);
        }
        form.finish()
    }

    fn set(&mut self, set: &[(&str, &str)]) {
        for (name, value) in set {
            self.0.insert((*name).to_owned(), (*value).to_owned());
        }
    }
}

/// The calls of a shop's week, in their order: label and body.
struct Week {
    profiles: BTreeMap<u64, Fields>,
    calls: Vec<(&'static str, String)>,
}

impl Week {
    /// Does what a call says; it comes, but in the lost hour.
    fn call(&mut self, label: &'static str, profile: u64, time: u64, set: &[(&str, &str)]) {
        let fields = self.profiles.entry(profile).or_default();
        let event_type = if fields.0.is_empty() {
            "create"
        } else {
            "update"
        };
        fields.set(set);
        if !(LOST..LOST + HOUR).contains(&time) {
            self.calls
                .push((label, fields.body(event_type, profile, time, set)));
        }
    }

    fn new() -> Self {
        let mut week = Self {
            profiles: BTreeMap::new(),
            calls: Vec::new(),
        };
        let mut dice = Dice(11);
        let old = |profile: u64| format!("=old+{profile}\",\n'\u{20ac}");
        for profile in 1..=400 {
            let mail = old(profile);
            week.call(
                "",
                profile,
                BEGIN + profile,
                &[
                    ("mail", &mail),
                    ("city", "Gouda"),
                    (HOSTILE, "x"),
                    ("points", "0"),
                    ("visits", "0"),
                ],
            );
        }
        let mut times: Vec<(u64, u64)> = Vec::new();
        for minute in 20..7 * 24 * 60 {
            let of_day = minute % (24 * 60);
            let busy = (9 * 60..17 * 60).contains(&of_day);
            // By day some change every minute, by night few; of everybody in two hours.
            let rate = if busy { 2 } else { u64::from(of_day % 20 == 0) };
            times.extend(
                (0..rate).map(|_| (BEGIN + minute * 60 + dice.below(60), 1 + dice.below(380))),
            );
        }
        times.extend((0..HARMED).map(|number| (IMPORT + number, 1_000 + number)));
        // Two systems fight over one profile's city, once a quarter.
        times.extend((0..40).map(|turn| (BEGIN + DAY + turn * 900, 2_000 + turn % 2)));
        times.sort_unstable();
        for (number, (time, what)) in times.into_iter().enumerate() {
            match what {
                1_000..2_000 => week.call("import", what - 999, time, &[("mail", "BAD")]),
                2_000 => week.call("crm", 390, time, &[("city", "Delft")]),
                2_001 => week.call("form", 390, time, &[("city", "Gouda")]),
                profile => {
                    let value = number.to_string();
                    // What one call changed unseen, one for the other field shows.
                    let field = ["points", "visits"][number % 2];
                    week.call("shop", profile, time, &[(field, &value)]);
                }
            }
        }
        // What some have changed since, and one who is gone.
        let after = BEGIN + 6 * DAY + 20 * HOUR;
        week.call("form", 1, after, &[("mail", "new@example.com")]);
        week.call("form", 2, after, &[("mail", "x")]);
        week.call("form", 2, after + 1, &[("mail", "BAD")]);
        let gone = week.profiles[&3].body("delete", 3, after, &[]);
        week.calls.push(("form", gone));
        week
    }
}

struct Shop {
    dir: TempDir,
    data: PathBuf,
}

/// A server with the week, and its folder.
fn shop() -> (Shop, Server) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &["--api", "127.0.0.1:0"]);
    let mut client = server.client();
    for (label, body) in Week::new().calls {
        let target = match label {
            "" => "/webhook".to_owned(),
            label => format!("/webhook/{label}"),
        };
        client.post(&target, &body).seq();
    }
    (Shop { dir, data }, server)
}

impl Shop {
    fn ask(&self, args: &[&str]) -> Vec<Value> {
        json_lines(&cli(&self.data, args).ok())
    }

    /// Runs a command as an answer names it, by a shell's reading of it.
    fn run(&self, command: &Value, more: &[&str]) -> Outcome {
        let words = shlex::split(command.as_str().expect("a command")).unwrap();
        assert_eq!(words[0], "profiletrail");
        let mut args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        args.extend(more);
        cli(&self.data, &args)
    }
}

/// What a group's row must say of these changes.
fn counted(changes: &[&Value]) -> (u64, u64, u64) {
    let events: BTreeSet<_> = changes.iter().map(|line| line["seq"].as_u64()).collect();
    let profiles: BTreeSet<_> = changes
        .iter()
        .map(|line| line["profile"].as_u64())
        .collect();
    (
        changes.len() as u64,
        events.len() as u64,
        profiles.len() as u64,
    )
}

fn row(line: &Value) -> (u64, u64, u64) {
    let count = |name: &str| line[name].as_u64().unwrap();
    (
        count("changes"),
        count("events"),
        count("profiles") + count("subprofiles"),
    )
}

fn reports(shop: &Shop) {
    let all = shop.ask(&["changes"]);
    for by in [
        "field",
        "label,cause",
        "day",
        "hour,type",
        "database,month",
        "collection",
    ] {
        let lines = shop.ask(&["report", "--by", by]);
        let sum: u64 = lines
            .iter()
            .map(|line| line["changes"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, all.len() as u64, "{by}");
        for line in lines.iter().step_by(1 + lines.len() / 12) {
            if by == "collection" {
                assert_eq!(line["command"], Value::Null, "no command shows these alone");
                continue;
            }
            let shown = json_lines(&shop.run(&line["command"], &[]).ok());
            let shown: Vec<&Value> = shown.iter().collect();
            assert_eq!(row(line), counted(&shown), "{by}: {line}");
            for (name, value) in line["group"].as_object().unwrap() {
                if !matches!(name.as_str(), "day" | "hour" | "month") {
                    assert!(shown.iter().all(|shown| shown[name] == *value), "{line}");
                }
            }
            assert_eq!(
                (&line["first"], &line["last"]),
                (&shown[0]["time"], &shown[shown.len() - 1]["time"])
            );
        }
    }
    let days = shop.ask(&["report", "--by", "day", "--field", "mail", "-n", "3"]);
    let days: Vec<_> = days
        .iter()
        .map(|line| (line["group"]["day"].clone(), row(line)))
        .collect();
    let harmed = (HARMED, HARMED, HARMED);
    assert_eq!(
        days[..2],
        [
            (json!("2025-10-06"), (400, 400, 400)),
            (json!("2025-10-08"), harmed)
        ]
    );
    // For people the day is the reader's: the import is at 16:00 of Amsterdam.
    let table = [
        "report", "--by", "hour", "--new", "BAD", "--format", "table", "--color", "never",
    ];
    let table = cli(&shop.data, &table).ok();
    assert!(table.contains("2025-10-08 16:00 CEST"), "{table}");
    assert!(
        table.contains("████") && table.contains("profiletrail changes --since"),
        "{table}"
    );
    let hostile = cli(
        &shop.data,
        &["report", "--format", "table", "--color", "never"],
    )
    .ok();
    assert!(
        !hostile.contains('\u{1b}') && hostile.contains("$(touch pwned)"),
        "{hostile}"
    );
    assert!(
        cli(&shop.data, &["report", "--by", "colour"])
            .failed(2)
            .contains("field, type")
    );
    assert!(
        cli(&shop.data, &["report", "--field", "none"])
            .failed(1)
            .contains("no change")
    );
}

fn gaps(shop: &Shop) {
    let found = shop.ask(&["gaps"]);
    let lost: Vec<_> = found.iter().filter(|line| line["kind"] == "lost").collect();
    assert_eq!(lost.len(), 1, "{found:?}");
    let lost = lost[0];
    let names: BTreeSet<_> = lost["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].as_str())
        .collect();
    assert_eq!(names, BTreeSet::from([Some("points"), Some("visits")]));
    assert_eq!(lost["within_one"], true);
    let seconds = |name: &str| {
        chrono::DateTime::parse_from_rfc3339(lost[name].as_str().unwrap())
            .unwrap()
            .timestamp() as u64
    };
    let (since, until) = (seconds("since"), seconds("until"));
    assert!((LOST - 600..=LOST).contains(&since), "{lost}");
    assert!((LOST + HOUR..LOST + HOUR + 600).contains(&until), "{lost}");
    assert!(lost["profiles"].as_u64().unwrap() > 40, "{lost}");
    assert_eq!(lost["set_by"][0]["label"], "shop");
    // No call came in the hour.
    let quiet = |name: &str| {
        chrono::DateTime::parse_from_rfc3339(lost["quiet"][name].as_str().unwrap())
            .unwrap()
            .timestamp() as u64
    };
    assert!(
        quiet("since") <= LOST && quiet("until") >= LOST + HOUR,
        "{lost}"
    );
    let shown = json_lines(&shop.run(&lost["command"], &[]).ok());
    assert!(shown.len() as u64 >= lost["changes"].as_u64().unwrap());
    assert!(shown.iter().all(|line| line["cause"] == "unexplained"));
    let table = cli(&shop.data, &["gaps", "--format", "table"]).ok();
    assert!(
        table.contains("would explain them") && table.contains("no call at all in"),
        "{table}"
    );
    assert!(
        cli(&shop.data, &["gaps", "--cause", "set"])
            .failed(2)
            .contains("--cause")
    );
    assert!(
        cli(&shop.data, &["gaps", "--field", "mail"])
            .failed(1)
            .contains("unexplained")
    );
}

fn loops(shop: &Shop) {
    let found = shop.ask(&["loops"]);
    let loops: Vec<_> = found
        .iter()
        .filter(|line| line["kind"] == "turns")
        .collect();
    assert_eq!(loops.len(), 1, "{found:?}");
    let one = loops[0];
    assert_eq!(
        (&one["profile"], &one["field"]),
        (&json!(390), &json!("city"))
    );
    assert_eq!(
        (&one["changes"], &one["every"], &one["going_on"]),
        (&json!(40), &json!(900), &json!(false))
    );
    assert_eq!(
        one["writers"],
        json!([
            {"label": "crm", "claimed": true, "changes": 20, "values": [{"value": "Delft", "changes": 20}]},
            {"label": "form", "claimed": true, "changes": 20, "values": [{"value": "Gouda", "changes": 20}]},
        ])
    );
    assert_eq!(
        (&found[0]["kind"], &found[0]["labels"]),
        (&json!("group"), &json!(["crm", "form"]))
    );
    assert_eq!(json_lines(&shop.run(&one["command"], &[]).ok()).len(), 40);
    let shown = cli(&shop.data, &["loops", "--format", "table"]).ok();
    assert!(shown.contains("label crm writes 'Delft' (20)"), "{shown}");
    // At the time it was going on.
    let at = format!("@{}", BEGIN + DAY + 20 * 900);
    let then = shop.ask(&["loops", "--until", &at]);
    assert!(then.iter().any(|line| line["going_on"] == true), "{then:?}");
    assert!(
        cli(&shop.data, &["loops", "--least", "41"])
            .failed(1)
            .contains("--least")
    );
}

/// Finds the incident, and gives its name.
fn incidents(shop: &Shop) -> String {
    let found = shop.ask(&["incidents"]);
    assert_eq!(found.len(), 1, "{found:?}");
    let one = &found[0];
    let id = one["id"].as_str().unwrap();
    assert_eq!(id, format!("mail-{}", one["first_seq"]));
    assert_eq!(
        (&one["field"], &one["database"]),
        (&json!("mail"), &json!(7))
    );
    assert_eq!(
        (&one["profiles"], &one["events"]),
        (&json!(HARMED), &json!(HARMED))
    );
    assert_eq!(
        one["labels"],
        json!([{"label": "import", "events": HARMED}])
    );
    assert_eq!(one["causes"], json!([{"cause": "set", "events": HARMED}]));
    assert_eq!(
        (one["pairs"].as_array().unwrap().len(), &one["more_pairs"]),
        (5, &json!(true))
    );
    assert_eq!(one["from"], "2025-10-08T14:00:00Z");
    let shown = json_lines(&shop.run(&one["command"], &[]).ok());
    assert_eq!(shown.len() as u64, HARMED);
    assert!(
        shown
            .iter()
            .all(|line| line["new"] == "BAD" && line["field"] == "mail")
    );
    // It is the same whatever span is asked for, and by any of its events.
    for span in [
        ["--since", "2025-10-08T14:01:00Z"],
        ["--until", "2025-10-08T14:01:00Z"],
        ["--field", "mail"],
    ] {
        let again = shop.ask(&["incidents", span[0], span[1]]);
        assert_eq!(again.len(), 1, "{span:?}");
        assert_eq!(again[0]["id"], one["id"]);
    }
    let other = format!("mail-{}", one["last_seq"]);
    assert_eq!(shop.ask(&["incidents", "show", &other]), shown);
    let table = cli(&shop.data, &["incidents", "--format", "table"]).ok();
    assert!(
        table.contains(&format!("profiletrail incidents undo {id} --out {id}.csv")),
        "{table}"
    );
    for wrong in ["mail-1", "city-5", "none-99999"] {
        assert!(
            cli(&shop.data, &["incidents", "show", wrong])
                .failed(1)
                .contains("no incident")
        );
    }
    assert!(
        cli(&shop.data, &["incidents", "show", "mail"])
            .failed(2)
            .contains("mail-1234")
    );
    assert!(
        cli(&shop.data, &["incidents", "--within", "1s"])
            .failed(2)
            .contains("1m to 1d")
    );
    assert!(
        cli(&shop.data, &["incidents", "--since", "2025-10-09"])
            .failed(1)
            .contains("usual rate")
    );
    id.to_owned()
}

/// A file's rows, by the `csv` crate.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(path)
        .unwrap();
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

fn undo(shop: &Shop, id: &str) {
    let out = shop.dir.path().join("fix.csv");
    let path = out.to_str().unwrap();
    let outcome = cli(&shop.data, &["incidents", "undo", id, "--out", path]);
    assert!(
        outcome.stderr.contains("wrote 118 values to restore"),
        "{outcome:?}"
    );
    let left: Vec<_> = json_lines(&outcome.ok())
        .iter()
        .map(|line| {
            (
                line["profile"].as_u64().unwrap(),
                line["left"].clone(),
                line["now"].clone(),
                line["bad"].clone(),
            )
        })
        .collect();
    assert_eq!(
        left,
        [
            (
                1,
                json!("changed_since"),
                json!("new@example.com"),
                json!("BAD")
            ),
            (3, json!("deleted"), Value::Null, json!("BAD")),
        ]
    );
    let mut expected = vec![vec!["id".to_owned(), "mail".to_owned()]];
    let harmed = (1..=HARMED).filter(|profile| ![1, 3].contains(profile));
    expected.extend(
        harmed.map(|profile| vec![profile.to_string(), format!("=old+{profile}\",\n'\u{20ac}")]),
    );
    assert_eq!(rows(&out), expected);
    // It takes the place of nothing unasked.
    std::fs::write(&out, "mine").unwrap();
    let refused = cli(&shop.data, &["incidents", "undo", id, "--out", path]).failed(2);
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    let table = [
        "incidents",
        "undo",
        id,
        "--out",
        path,
        "--force",
        "--format",
        "table",
        "--label",
        "import",
    ];
    let table = cli(&shop.data, &table).ok();
    assert!(
        table.contains("changed since") && table.contains("deleted since"),
        "{table}"
    );
    assert_eq!(rows(&out), expected);
    let names: Vec<_> = std::fs::read_dir(shop.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing is left beside it: {names:?}");
    let nowhere = shop.dir.path().join("none/fix.csv");
    cli(
        &shop.data,
        &["incidents", "undo", id, "--out", nowhere.to_str().unwrap()],
    )
    .failed(3);
}

#[test]
fn what_happened_in_a_week_is_found_and_an_import_undone() {
    let (shop, server) = shop();
    let token = token(&shop.data, "read");
    reports(&shop);
    gaps(&shop);
    loops(&shop);
    let id = incidents(&shop);
    undo(&shop, &id);
    let questions = [
        "report --by day,label",
        "gaps",
        "incidents",
        "loops --field city",
    ];
    let live: Vec<String> = questions
        .iter()
        .map(|question| {
            let args: Vec<&str> = question.split(' ').collect();
            cli(&shop.data, &args).ok()
        })
        .collect();
    for (target, expected) in [
        "report?by=day,label",
        "gaps",
        "incidents",
        "loops?field=city",
    ]
    .iter()
    .zip(&live)
    {
        let reply = ask(server.api(), &token, &format!("/v1/{target}"));
        assert_eq!(
            (reply.status, &String::from_utf8(reply.body).unwrap()),
            (200, expected)
        );
    }
    server.stop();
    for (question, expected) in questions.iter().zip(&live) {
        let args: Vec<&str> = question.split(' ').collect();
        assert_eq!(&cli(&shop.data, &args).ok(), expected, "{question}");
    }
    assert!(
        Cli::bare(&["incidents", "undo", "--help"])
            .run()
            .ok()
            .contains("formula")
    );
}

#[test]
fn subprofiles_and_interests_and_what_was_not_known_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    let at = |number: u64| BEGIN + 30 * DAY + number;
    for number in 1..=30 {
        let sub = format!(
            "&profile={}&subprofile={}&collection=4&database=2",
            number / 2 + 1,
            number + 100
        );
        if number > 2 {
            let body = format!(
                "type=create{sub}&time={}&fields[id]=a{number}",
                BEGIN + number
            );
            client.post("/webhook", &body).seq();
        }
        let body = format!(
            "type=update{sub}&time={}&parameters[id]=b&fields[id]=b",
            at(number)
        );
        client.post("/webhook", &body).seq();
        let profile = format!("&profile={}&database=2", 500 + number);
        let body = format!(
            "type=create{profile}&time={}&fields[x]=1&interests[]=news",
            BEGIN + number
        );
        client.post("/webhook", &body).seq();
        let body = format!(
            "type=update{profile}&time={}&parameters[news]=0&parameters[y]=2&fields[x]=1&fields[y]=2",
            at(number)
        );
        client.post("/webhook", &body).seq();
    }
    server.stop();
    let found = json_lines(&cli(&data, &["incidents"]).ok());
    assert_eq!(found.len(), 3, "{found:?}");
    let of = |name: &str, value: &str| found.iter().find(|line| line[name] == value).unwrap();
    let undo = |line: &Value, file: &str| {
        let out = dir.path().join(file);
        let id = line["id"].as_str().unwrap();
        let left = json_lines(
            &cli(
                &data,
                &["incidents", "undo", id, "--out", out.to_str().unwrap()],
            )
            .ok(),
        );
        let rows = if out.exists() { rows(&out) } else { Vec::new() };
        let why: Vec<_> = left
            .iter()
            .map(|line| line["left"].as_str().unwrap().to_owned())
            .collect();
        (rows, why)
    };
    let sub = of("field", "id");
    assert_eq!(
        (&sub["subprofiles"], &sub["profiles"], &sub["collection"]),
        (&json!(30), &json!(0), &json!(4))
    );
    let (rows, why) = undo(sub, "sub.csv");
    assert_eq!(rows.len(), 29);
    assert_eq!(rows[0], ["profile_id", "subprofile", "id"]);
    assert_eq!(rows[1], ["2", "103", "a3"]);
    assert_eq!(why, ["old_unknown", "old_unknown"]);
    let (rows, why) = undo(of("interest", "news"), "news.csv");
    assert_eq!(
        (rows.len(), &rows[0], &rows[1]),
        (
            31,
            &vec!["id".to_owned(), "news".to_owned()],
            &vec!["501".to_owned(), "1".to_owned()]
        )
    );
    assert!(why.is_empty());
    let (rows, why) = undo(of("field", "y"), "y.csv");
    assert_eq!(
        (rows.len(), why.len(), why[0].as_str()),
        (0, 30, "was_absent")
    );
}
