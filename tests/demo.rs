//! The made-up fortnight of `demo`, and what is answered of it.
//!
//! Proven: the story is the same for the same moment; each of its five questions
//! is answered with what is true of it, which the story knows from what the shop
//! did, and which stands here as well, checked by hand; the server takes calls
//! and answers questions, and nothing is left when it ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use profiletrail::demo::{SEED, Story, load, questions};
use profiletrail::event::{ProfileKey, seconds_to_rfc3339};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Server, clean, cli, json_lines};

/// 2026-03-16T11:02:47Z, a Monday.
const NOW: i64 = 1_773_658_967;

fn story() -> Story {
    Story::tell(SEED, NOW)
}

/// A data folder of the story.
fn told() -> (tempfile::TempDir, PathBuf, Story) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let story = story();
    load(&story, &data, 8 << 20, 1 << 20).unwrap();
    (dir, data, story)
}

fn ask(data: &Path, args: &[&str]) -> Vec<Value> {
    json_lines(&cli(data, args).ok())
}

/// What the questions about the whole are to be answered with, by hand: who
/// wires up `incidents`, `loops`, `gaps` and `find` compares with it.
struct Expected {
    /// The one incident: its field, its label, its first and last second, how
    /// many profiles, and what it wrote.
    incident: (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        usize,
        &'static str,
    ),
    /// How many of them an undo restores, and how many it leaves alone.
    undo: (usize, usize),
    /// Those that it leaves alone, since they were put right or are gone.
    left_alone: &'static [u64],
    /// The one loop: the profile, the field, the labels, how many changes, and
    /// the first and the last second.
    fight: (
        u64,
        &'static str,
        [&'static str; 2],
        usize,
        &'static str,
        &'static str,
    ),
    /// The lost hour, which every gap spans some of.
    lost: (&'static str, &'static str),
    /// The fields that changed unseen, and of how many (sub)profiles.
    gaps: &'static [(&'static str, usize)],
    /// What `find` says of a mail address: the profile, and since when it is no more.
    vanished: (&'static str, u64, &'static str),
}

const EXPECTED: Expected = Expected {
    incident: (
        "city",
        "import",
        "2026-03-13T09:00:00Z",
        "2026-03-13T09:03:58Z",
        120,
        "Nederland",
    ),
    undo: (105, 15),
    left_alone: &[
        1007, 1012, 1052, 1057, 1065, 1072, 1080, 1123, 1165, 1187, 1209, 1224, 1241, 1243, 1246,
    ],
    fight: (
        1088,
        "phone",
        ["crm", "webshop"],
        144,
        "2026-03-11T10:00:00Z",
        "2026-03-12T19:20:23Z",
    ),
    lost: ("2026-03-10T13:00:00Z", "2026-03-10T14:00:00Z"),
    gaps: &[
        ("city", 1),
        ("last_visit", 2),
        ("newsletter", 42),
        ("points", 1),
    ],
    vanished: ("sanne.bakker@example.com", 1187, "2026-03-14T15:20:00Z"),
};

#[test]
fn the_story_is_what_it_is() {
    let story = story();
    assert_eq!(story, self::story());
    assert_ne!(story.calls, Story::tell(SEED + 1, NOW).calls);
    assert!(
        (4_500..5_500).contains(&story.calls.len()),
        "{}",
        story.calls.len()
    );
    let labels: BTreeSet<&str> = story.calls.iter().map(|call| call.label).collect();
    assert_eq!(
        labels.into_iter().collect::<Vec<_>>(),
        ["crm", "import", "mailing", "newsletter-form", "webshop"]
    );
    let received = story.calls.iter().map(|call| call.received);
    assert!(received.clone().is_sorted());
    assert!(received.clone().all(|at| at <= NOW * 1_000_000));
    assert!(received.min().unwrap() > (NOW - 14 * 86_400) * 1_000_000);
    // It holds at whatever time of day it ends.
    for end in [0, 1, 43_199, 86_399] {
        let other = Story::tell(SEED, NOW - NOW % 86_400 + end);
        assert_eq!(other.import.harmed.len(), 120, "{end}");
        assert_eq!(other.mind.turns.len(), 3, "{end}");
        assert_eq!(other.vanished.subprofiles.len(), 3, "{end}");
        assert!(other.lost.unexplained.len() >= 30, "{end}");
        assert!(
            other.import.harmed.iter().filter(|one| !one.still).count() == 15,
            "{end}"
        );
    }
}

#[test]
fn who_was_harmed_by_the_import() {
    let (_dir, data, story) = told();
    let import = &story.import;
    let (field, label, first, last, count, value) = EXPECTED.incident;
    assert_eq!(
        (import.field, import.label, import.value),
        (field, label, value)
    );
    assert_eq!(seconds_to_rfc3339(import.began), first);
    assert_eq!(seconds_to_rfc3339(import.ended), last);
    let changes = ask(&data, &["changes", "--label", label, "--field", field]);
    let told: BTreeMap<u64, &Value> = changes
        .iter()
        .map(|line| (line["profile"].as_u64().unwrap(), &line["old"]))
        .collect();
    let harmed: Vec<Value> = import.harmed.iter().map(|one| json!(one.before)).collect();
    let harmed = import.harmed.iter().map(|one| one.profile).zip(&harmed);
    assert_eq!(told, harmed.collect());
    assert_eq!((changes.len(), told.len()), (count, count));
    assert_eq!(changes[0]["time"], first);
    assert_eq!(changes[count - 1]["time"], last);
    assert!(
        changes
            .iter()
            .all(|line| line["new"] == value && line["cause"] == "set")
    );
    // Who has it still, by the state of each.
    let left_alone: Vec<u64> = told
        .keys()
        .copied()
        .filter(|profile| {
            let shown = ask(&data, &["show", &profile.to_string()]).remove(0);
            shown["fields"][field] != value
        })
        .collect();
    assert_eq!(left_alone, EXPECTED.left_alone);
    let still = import.harmed.iter().filter(|one| one.still).count();
    assert_eq!((still, count - still), EXPECTED.undo);
    assert_eq!(EXPECTED.undo.1, left_alone.len());
}

#[test]
fn which_systems_fight() {
    let (_dir, data, story) = told();
    let (profile, field, labels, count, first, last) = EXPECTED.fight;
    let fight = &story.fight;
    assert_eq!((fight.profile, fight.field), (profile, field));
    assert_eq!(fight.sides.map(|(label, _)| label), labels);
    let key = profile.to_string();
    let events = ask(
        &data,
        &["history", &key, "--field", field, "--since", first],
    );
    assert_eq!(events.len(), count);
    assert_eq!(
        (&events[0]["time"], &events[count - 1]["time"]),
        (&json!(first), &json!(last))
    );
    assert_eq!(fight.changes, count as u64);
    assert_eq!(seconds_to_rfc3339(fight.ended), last);
    for (event, (label, value)) in events.iter().zip(fight.sides.iter().cycle()) {
        assert_eq!(
            (&event["label"], &event["changes"][0]["new"]),
            (&json!(label), &json!(value))
        );
    }
}

#[test]
fn which_hour_is_missing() {
    let (_dir, data, story) = told();
    let (begin, end) = EXPECTED.lost;
    let lost = &story.lost;
    assert_eq!(
        (
            seconds_to_rfc3339(lost.begin).as_str(),
            seconds_to_rfc3339(lost.end).as_str()
        ),
        (begin, end)
    );
    cli(&data, &["export", "--since", begin, "--until", end]).failed(1);
    let told: BTreeSet<_> = ask(&data, &["changes", "--cause", "unexplained"])
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            let key = ProfileKey {
                profile: line["profile"].as_u64().unwrap(),
                subprofile: line["subprofile"].as_u64(),
            };
            (key, text("field"), text("since"), text("time"))
        })
        .collect();
    let expected: BTreeSet<_> = lost
        .unexplained
        .iter()
        .map(|one| {
            let times = (seconds_to_rfc3339(one.since), seconds_to_rfc3339(one.time));
            (one.key, one.field.to_owned(), times.0, times.1)
        })
        .collect();
    assert_eq!(told, expected);
    // Each may have been then, and only then were all of them.
    assert!(
        told.iter()
            .all(|(_, _, since, time)| since.as_str() < begin && time.as_str() >= end)
    );
    let mut fields: BTreeMap<&str, BTreeSet<ProfileKey>> = BTreeMap::new();
    for (key, field, ..) in &told {
        fields.entry(field).or_default().insert(*key);
    }
    let fields: Vec<(&str, usize)> = fields
        .into_iter()
        .map(|(field, keys)| (field, keys.len()))
        .collect();
    assert_eq!(fields, EXPECTED.gaps);
}

#[test]
fn since_when_emma_agrees() {
    let (_dir, data, story) = told();
    let [_, _, _, asked, _] = questions(&story);
    let command: Vec<&str> = asked.command.iter().map(String::as_str).collect();
    assert_eq!(command, ["history", "1042", "--field", "newsletter"]);
    let told: Vec<Value> = ask(&data, &command)
        .iter()
        .map(|event| {
            json!([
                event["time"],
                event["label"],
                event["changes"][0]["new"],
                event["changes"][0]["cause"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            // What she had said before is not known.
            json!([told[0][0], "webshop", "Nee", "first_seen"]),
            json!(["2026-03-05T19:12:07Z", "newsletter-form", "Ja", "set"]),
            json!(["2026-03-08T08:12:07Z", "crm", "Nee", "set"]),
            json!(["2026-03-12T18:12:07Z", "newsletter-form", "Ja", "set"]),
        ]
    );
    let turns: Vec<Value> = story
        .mind
        .turns
        .iter()
        .map(|(time, label, value)| json!([seconds_to_rfc3339(*time), label, value, "set"]))
        .collect();
    assert_eq!(told[1..], turns);
}

#[test]
fn what_happened_to_who_vanished() {
    let (_dir, data, story) = told();
    let (mail, profile, time) = EXPECTED.vanished;
    let vanished = &story.vanished;
    assert_eq!((vanished.mail.as_str(), vanished.profile), (mail, profile));
    assert_eq!(seconds_to_rfc3339(vanished.time), time);
    let [.., asked] = questions(&story);
    let command: Vec<&str> = asked.command.iter().map(String::as_str).collect();
    let events = ask(&data, &command);
    assert_eq!(
        (
            &events[0]["type"],
            &events[0]["time"],
            &events[0]["label"],
            &events[0]["subprofile"]
        ),
        (
            &json!("delete"),
            &json!(time),
            &json!(vanished.label),
            &Value::Null
        )
    );
    let key = profile.to_string();
    let shown = ask(&data, &["show", &key]).remove(0);
    assert_eq!(shown["state"], "deleted");
    let before = ask(
        &data,
        &["show", &key, "--at", &format!("@{}", vanished.time - 1)],
    )
    .remove(0);
    assert_eq!(
        (&before["state"], &before["fields"]["mail"]),
        (&json!("present"), &json!(mail))
    );
    // No call told of the end of her orders.
    let all = ask(&data, &["history", &key, "--subprofiles"]);
    let orders: BTreeSet<u64> = all
        .iter()
        .filter_map(|event| event["subprofile"].as_u64())
        .collect();
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), vanished.subprofiles);
    assert_eq!(
        all.iter().filter(|event| event["type"] == "delete").count(),
        1
    );
}

/// Starts `demo`; gives it, and the folder for temporary ones.
fn demo(args: &[&str]) -> (Server, tempfile::TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = clean(support::BINARY);
    command
        .env("TMPDIR", temporary.path())
        .arg("demo")
        .args(args);
    (Server::spawn(command).unwrap(), temporary)
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(dir).unwrap();
    names.map(|name| name.unwrap().path()).collect()
}

#[test]
fn it_answers_until_a_signal_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (server, temporary) = demo(&["--listen", "127.0.0.1:0", "--now", "@1773658967"]);
        let data = names(temporary.path()).remove(0).join("data");
        let before = ask(&data, &["history", "1042", "--field", "newsletter"]);
        assert_eq!(before.len(), 4);
        let body = "type=update&profile=1042&parameters[newsletter]=Nee";
        let seq = server.client().post("/webhook/by-hand", body).seq();
        assert_eq!(seq, story().calls.len() as u64 + 1);
        let last = ask(
            &data,
            &[
                "history",
                "1042",
                "--field",
                "newsletter",
                "--reverse",
                "--limit",
                "1",
            ],
        );
        assert_eq!(
            (&last[0]["label"], &last[0]["changes"][0]["cause"]),
            (&json!("by-hand"), &json!("set"))
        );
        server.signal(signal);
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert_eq!(names(temporary.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_folder_can_be_kept_and_another_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("my shop");
    let keep = ["--listen", "127.0.0.1:0", "--keep", data.to_str().unwrap()];
    let (server, temporary) = demo(&keep);
    server.stop();
    assert_eq!(names(temporary.path()), Vec::<PathBuf>::new());
    assert_eq!(cli(&data, &["verify"]).status, Some(0));
    let refused = support::Cli::bare(&[&["demo"], &keep[..]].concat())
        .run()
        .failed(2);
    assert!(refused.contains("is not empty"), "{refused}");
}

#[test]
fn it_says_what_to_type() {
    let story = story();
    for asked in questions(&story) {
        assert!(!asked.question.is_empty() && !asked.command.is_empty());
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut child = clean(support::BINARY)
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", temporary.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("curl -s http://127.0.0.1:") {
        let read = std::io::BufRead::read_line(&mut stdout, &mut said).unwrap();
        assert!(read > 0, "{said}");
    }
    let data = names(temporary.path()).remove(0).join("data");
    let commands: Vec<&str> = said
        .lines()
        .filter(|line| line.ends_with(&format!(" --data {}", data.display())))
        .collect();
    assert_eq!(commands.len(), 5, "{said}");
    // As it stands there, a shell takes it.
    let emma = commands.iter().find(|line| line.contains("1042")).unwrap();
    let answered = clean("sh").arg("-c").arg(emma).output().unwrap();
    assert!(answered.status.success(), "{answered:?}");
    assert!(
        String::from_utf8(answered.stdout)
            .unwrap()
            .contains("newsletter")
    );
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
