//! The bad import of `demo`'s fortnight is undone, and the trail made good.
//!
//! Proven: the file of `incidents undo` has exactly the harmed profiles that
//! still have the bad value, each with what it had before, as the story knows
//! from what the shop did; all others are left alone with the reason. The file
//! can be held against the trail: before it is imported each of its rows differs,
//! after Copernica's calls none does; where these are lost, it is entered, and
//! says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::fortnight::{ask, stored_story};
use crate::support::{Outcome, Server, cli, has, json_lines};
use profiletrail::ops::demo::{Story, questions};
use serde_json::{Value, json};

/// How many values are restored, counted by hand, …
const RESTORED: usize = 105;

/// … and which profiles are left alone, since their city is another one by now;
/// the one of 1187 is gone.
const LEFT: [(u64, Option<&str>); 15] = [
    (1007, Some("Maastricht")),
    (1012, Some("Súdwest-Fryslân")),
    (1052, Some("IJsselstein")),
    (1057, Some("Maastricht")),
    (1065, Some("Nijmegen")),
    (1072, Some("Leiden")),
    (1080, Some("Rotterdam")),
    (1123, Some("Den Haag")),
    (1165, Some("Nijmegen")),
    (1187, None),
    (1209, Some("Maastricht")),
    (1224, Some("Zwolle")),
    (1241, Some("Den Haag")),
    (1243, Some("Groningen")),
    (1246, Some("Maastricht")),
];

/// Runs the command that `demo` prints, with another file.
fn undo(data: &Path, story: &Story, out: &Path) -> Outcome {
    let command = &questions(story)[0].commands[1];
    let out = out.to_str().unwrap();
    let words = command.iter().map(|word| match word.as_str() {
        "fix.csv" => out,
        word => word,
    });
    cli(data, &words.collect::<Vec<_>>())
}

/// The story's folder, and the file that undoes its import.
fn undone() -> (tempfile::TempDir, PathBuf, Story, PathBuf) {
    let (dir, data, story) = stored_story();
    let fix = dir.path().join("fix.csv");
    let outcome = undo(&data, &story, &fix);
    has(
        &outcome.stderr,
        &["wrote 105 values to restore to ", "15 are skipped"],
    );
    let left = json_lines(&outcome.ok());
    let skipped: Vec<Value> = left
        .iter()
        .map(|line| json!([line["profile"], line["bad"], line["now"], line["left"]]))
        .collect();
    let expected = LEFT.map(|(profile, now)| {
        let why = if now.is_some() {
            "changed_since"
        } else {
            "deleted"
        };
        json!([profile, "Nederland", now, why])
    });
    assert_eq!(skipped, expected);
    (dir, data, story, fix)
}

/// Whom the story has harmed, with what they had: those who still have the bad
/// value, or the others.
fn harmed(story: &Story, still: bool) -> BTreeMap<u64, String> {
    let harmed = story.import.harmed.iter();
    let harmed = harmed.filter(|one| one.still == still);
    harmed
        .map(|one| (one.profile, one.before.clone()))
        .collect()
}

fn reconcile(data: &Path, fix: &Path, more: &[&str]) -> Outcome {
    let args = ["reconcile", fix.to_str().unwrap(), "--partial"];
    cli(data, &[&args, more].concat())
}

#[test]
fn exactly_those_are_restored_who_still_have_what_it_wrote() {
    let (_dir, data, story, fix) = undone();
    let mut file = csv::Reader::from_path(&fix).unwrap();
    assert_eq!(file.headers().unwrap(), vec!["id", "city"]);
    let rows: Vec<(u64, String)> = file.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), RESTORED);
    assert_eq!(BTreeMap::from_iter(rows), harmed(&story, true));
    let left: Vec<u64> = harmed(&story, false).into_keys().collect();
    assert_eq!(left, LEFT.map(|(profile, _)| profile));
    // What they had is known of these, too.
    let again = undo(&data, &story, &fix.with_extension("other"));
    for line in json_lines(&again.ok()) {
        let profile = line["profile"].as_u64().unwrap();
        assert_eq!(line["old"], harmed(&story, false)[&profile]);
    }
}

#[test]
fn the_calls_of_its_import_make_it_good() {
    let (_dir, data, story, fix) = undone();
    let differing = reconcile(&data, &fix, &[]);
    has(&differing.stderr, &["105 rows compared", "0 the same"]);
    let lines = json_lines(&differing.ok());
    let expected = harmed(&story, true).into_iter().map(|(profile, city)| {
        json!({"profile": profile, "subprofile": null, "field": "city",
            "trail": "Nederland", "file": city})
    });
    assert_eq!(lines, expected.collect::<Vec<_>>());
    // Copernica imports the file, and sends a call for each row.
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    for (profile, city) in harmed(&story, true) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", "update")
            .append_pair("profile", &profile.to_string())
            .append_pair("parameters[city]", &city);
        client.post("/webhook/import", form.finish()).seq();
    }
    let none = reconcile(&data, &fix, &[]);
    assert!(none.stderr.contains("105 the same"), "{}", none.stderr);
    assert_eq!(none.ok(), "");
    server.stop();
}

#[test]
fn where_they_are_lost_it_is_entered() {
    let (dir, data, story, fix) = undone();
    let left: Vec<String> = LEFT
        .iter()
        .map(|(profile, _)| profile.to_string())
        .collect();
    let of_left = || -> Vec<Value> {
        let shown = left.iter().map(|key| ask(&data, &["show", key]).remove(0));
        shown
            .map(|shown| json!([shown["state"], shown["fields"], shown["last_event"]]))
            .collect()
    };
    let before = of_left();
    let args = ["--record", "--yes", "--label", "undo"];
    let entered = reconcile(&data, &fix, &args);
    has(&entered.stderr, &["added 105 events"]);
    entered.ok();
    let observed = ask(&data, &["changes", "--cause", "observed"]);
    assert_eq!(observed.len(), RESTORED);
    let restored = observed.iter().map(|line| {
        assert_eq!(
            (&line["field"], &line["old"], &line["label"]),
            (&json!("city"), &json!("Nederland"), &json!("undo"))
        );
        let city = line["new"].as_str().unwrap().to_owned();
        (line["profile"].as_u64().unwrap(), city)
    });
    assert_eq!(restored.collect::<BTreeMap<_, _>>(), harmed(&story, true));
    assert_eq!(of_left(), before);
    // Nothing differs any more, and nothing is to be restored.
    assert_eq!(reconcile(&data, &fix, &[]).ok(), "");
    let again = dir.path().join("again.csv");
    let outcome = undo(&data, &story, &again);
    has(&outcome.stderr, &["nothing to restore; 120 are skipped"]);
    assert_eq!(json_lines(&outcome.ok()).len(), story.import.harmed.len());
    assert!(!again.exists());
}
