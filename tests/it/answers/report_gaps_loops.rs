//! `report`, `gaps` and `loops` on an ordinary shop's week, with a bad import, a
//! lost hour and two systems that fight in it.
//!
//! Proven: the hour and the fight are found, as what they are, and nothing else
//! is; a report's rows say what `changes` says, by the very command that they
//! name, however hostile names are; server, folder and API answer alike.

use std::collections::BTreeSet;

use crate::support::http::{ask, token};
use crate::support::shop::{BEGIN, DAY, HARMED, HOUR, LOST, Shop, shop};
use crate::support::{cli, has, json_lines};
use serde_json::{Value, json};

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
    has(&table, &["████", "profiletrail changes --since"]);
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
            .contains("no matching changes")
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
    has(&table, &["would explain them", "no call at all in"]);
    // Gaps are of unexplained changes.
    cli(&shop.data, &["gaps", "--cause", "set"]).failed(1);
    let causes = ["gaps", "--cause", "set", "--cause", "unexplained"];
    assert_eq!(shop.ask(&causes), found);
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
    assert!(shown.contains("label crm writes Delft (20)"), "{shown}");
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

#[test]
fn what_happened_in_a_week_is_found_and_nothing_else() {
    let (shop, server) = shop();
    let token = token(&shop.data, "read");
    reports(&shop);
    gaps(&shop);
    loops(&shop);
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
        "report?by=day&by=label",
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
}
