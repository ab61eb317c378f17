//! Every answer to a stream of bodies that PHP made is the expected one, and
//! the answers agree with each other.
//!
//! Proven: `changes` and `show` are what an independent reading of the rules
//! makes of the stream; `history`, `diff` and `blame` say the same as `changes`;
//! the query API, commands with a running server and the folder alone answer byte
//! for byte alike; so does a folder into which the events were imported, with and
//! without their bodies; repeated imports add nothing, and bad lines are refused by
//! their number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::api::{API, text};
use crate::support::http::{ask, token};
use crate::support::{Cli, Server, cli, fixture, json_lines};
use serde_json::{Value, json};
use tempfile::TempDir;

/// After every event of the fixtures.
const END: &str = "2030-01-01T00:00:00Z";

/// Posts every line of a fixture; the calls' numbers must count.
fn post_all(server: &Server, name: &str) {
    let mut client = server.client();
    for (number, body) in fixture(name).lines().enumerate() {
        assert_eq!(client.post("/webhook", body).seq(), number as u64 + 1);
    }
}

fn who(line: &Value) -> String {
    match &line["subprofile"] {
        Value::Null => line["profile"].to_string(),
        subprofile => format!("{}/{subprofile}", line["profile"]),
    }
}

/// Asks by a command.
fn by_command(data: &Path) -> impl Fn(&str, &str) -> String {
    move |command, _| {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.extend(["--format", "jsonl"]);
        let outcome = cli(data, &words);
        let nothing = words[0] == "blame" && outcome.status == Some(1);
        assert!(
            nothing || outcome.status == Some(0),
            "{command}: {outcome:?}"
        );
        outcome.stdout
    }
}

/// Everything that can be asked about a store, by question.
struct Answers {
    by_question: BTreeMap<String, String>,
    /// The lines of `changes` by (sub)profile.
    changes: BTreeMap<String, Vec<Value>>,
}

impl Answers {
    /// Has each question answered, which is given as a command and as a target of the query API;
    /// of each (sub)profile only where `keys` names it.
    fn ask<'a>(
        keys: impl Iterator<Item = &'a String>,
        answer: impl Fn(&str, &str) -> String,
    ) -> Self {
        let of_key = |key: &String| {
            [
                (
                    format!("history {key} --all --subprofiles"),
                    format!("history/{key}?all&subprofiles"),
                ),
                (
                    format!("show {key} --at {END}"),
                    format!("show/{key}?at={END}"),
                ),
                (
                    format!("diff {key} --from @0 --to {END}"),
                    format!("diff/{key}?from=@0&to={END}"),
                ),
                (
                    format!("blame {key} --at {END}"),
                    format!("blame/{key}?at={END}"),
                ),
            ]
        };
        let of_all = ["changes", "export", "export --raw"]
            .map(|command| (command.to_owned(), command.replace(" --", "?")));
        let by_question: BTreeMap<_, _> = of_all
            .into_iter()
            .chain(keys.flat_map(of_key))
            .map(|(command, target)| {
                let answer = answer(&command, &target);
                (command, answer)
            })
            .collect();
        let mut changes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in json_lines(&by_question["changes"]) {
            changes.entry(who(&line)).or_default().push(line);
        }
        Self {
            by_question,
            changes,
        }
    }

    fn lines(&self, question: &str) -> Vec<Value> {
        json_lines(&self.by_question[question])
    }

    fn must_equal(&self, other: &Self, questions: impl Fn(&str) -> bool) {
        let mut compared = 0;
        for (question, answer) in &self.by_question {
            if questions(question)
                && let Some(same) = other.by_question.get(question)
            {
                assert_eq!(answer, same, "{question}");
                compared += 1;
            }
        }
        assert!(compared > 20, "{compared}");
    }
}

/// The stream in a folder: the answers of the query API of the server that took it, and the
/// names of all its (sub)profiles.
struct Stream {
    dir: TempDir,
    live: Answers,
    keys: Vec<String>,
}

impl Stream {
    fn post() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let server = Server::start(&data, &API);
        post_all(&server, "stream-2k.txt");
        let finals = json_lines(&fixture("stream-2k.final.jsonl"));
        let keys: Vec<String> = finals.iter().map(who).collect();
        let token = token(&data, "read");
        let live = Answers::ask(keys.iter(), |_, target| {
            let reply = ask(server.api(), &token, &format!("/v1/{target}"));
            assert_eq!(reply.status, 200, "{target}: {}", text(&reply));
            text(&reply).to_owned()
        });
        let stream = Self { dir, live, keys };
        let commands = Answers::ask(stream.sample(), by_command(&data));
        commands.must_equal(&stream.live, |_| true);
        server.stop();
        stream
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Some of the keys, of all kinds.
    fn sample(&self) -> impl Iterator<Item = &String> {
        self.keys.iter().step_by(7)
    }
}

#[test]
fn a_stream_is_answered_as_expected_live_offline_and_imported() {
    let stream = Stream::post();
    changes_are_as_expected(&stream.live);
    states_are_as_expected(&stream.live);
    for key in &stream.keys {
        history_agrees(&stream.live, key);
        blame_agrees(&stream.live, key);
        diff_agrees(&stream.live, key);
    }
    every_event_is_exported_as_sent(&stream.live);
    let offline = Answers::ask(stream.sample(), by_command(&stream.data()));
    offline.must_equal(&stream.live, |_| true);
    imported_offline(&stream);
    imported_live(&stream);
}

fn changes_are_as_expected(answers: &Answers) {
    let expected = json_lines(&fixture("stream-2k.changes.jsonl"));
    let found = answers.lines("changes");
    for (expected, found) in expected.iter().zip(&found) {
        // As text, so that the order of the keys counts as well.
        assert_eq!(found.to_string(), expected.to_string());
    }
    assert_eq!(found.len(), expected.len());
}

fn states_are_as_expected(answers: &Answers) {
    for expected in json_lines(&fixture("stream-2k.final.jsonl")) {
        let mut lines = answers.lines(&format!("show {} --at {END}", who(&expected)));
        assert_eq!(lines.len(), 1);
        let found = lines.remove(0);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(
                found[name].to_string(),
                value.to_string(),
                "{name} of {expected}"
            );
        }
    }
}

/// The changes of exactly one (sub)profile, as `changes` prints them.
fn changes_of<'a>(answers: &'a Answers, key: &str) -> &'a [Value] {
    answers.changes.get(key).map_or(&[], Vec::as_slice)
}

/// `history` holds the same changes, under their events.
fn history_agrees(answers: &Answers, key: &str) {
    let mut found = Vec::new();
    for event in answers.lines(&format!("history {key} --all --subprofiles")) {
        if who(&event) != key {
            continue;
        }
        let duplicate = event.get("duplicate_of").is_some();
        let changes = event["changes"].as_array().unwrap();
        assert!(!duplicate || changes.is_empty(), "{event}");
        for change in changes {
            let mut line = json!({});
            let names = ["time", "seq", "type", "profile", "subprofile", "database"];
            for name in names.into_iter().chain(["collection", "label"]) {
                line[name] = event[name].clone();
            }
            for (name, value) in change.as_object().unwrap() {
                line[name] = value.clone();
            }
            found.push(line);
        }
    }
    found.sort_by_key(|line| (line["time"].to_string(), line["seq"].as_u64()));
    let text = |lines: &[Value]| lines.iter().map(Value::to_string).collect::<Vec<_>>();
    assert_eq!(text(&found), text(changes_of(answers, key)), "{key}");
}

/// What is present in the end: fields, then interests, as (kind, name, value).
fn present(answers: &Answers, key: &str) -> Vec<(&'static str, String, Value)> {
    let show = answers.lines(&format!("show {key} --at {END}")).remove(0);
    let fields = show["fields"].as_object().unwrap().iter();
    let fields = fields.map(|(name, value)| ("field", name.clone(), value.clone()));
    let interests = show["interests"].as_array().unwrap().iter();
    let interests = interests.map(|name| {
        (
            "interest",
            name.as_str().unwrap().to_owned(),
            Value::Bool(true),
        )
    });
    fields.chain(interests).collect()
}

/// `blame` has the last change of everything that is present.
fn blame_agrees(answers: &Answers, key: &str) {
    let changes = changes_of(answers, key);
    let mut expected = Vec::new();
    for (kind, name, value) in present(answers, key) {
        let last = changes
            .iter()
            .rfind(|change| change[kind] == *name)
            .unwrap();
        assert_eq!(last["new"], value);
        let mut row = json!({ (kind): name, "value": value });
        for name in ["seq", "time", "type", "cause", "old", "since"] {
            if let Some(value) = last.get(name) {
                row[name] = value.clone();
            }
        }
        expected.push(row.to_string());
    }
    let found = answers.lines(&format!("blame {key} --at {END}"));
    let found: Vec<String> = found.iter().map(Value::to_string).collect();
    assert_eq!(found, expected, "{key}");
}

/// From before the first event to the end everything that is present is new.
fn diff_agrees(answers: &Answers, key: &str) {
    let expected: Vec<String> = present(answers, key)
        .into_iter()
        .map(|(kind, name, value)| json!({ (kind): name, "new": value }).to_string())
        .collect();
    let found = answers.lines(&format!("diff {key} --from @0 --to {END}"));
    let found: Vec<String> = found.iter().map(Value::to_string).collect();
    assert_eq!(found, expected, "{key}");
}

fn every_event_is_exported_as_sent(answers: &Answers) {
    let sent = fixture("stream-2k.txt");
    let exported = answers.lines("export --raw");
    assert_eq!(exported.len(), sent.lines().count());
    for (number, (line, body)) in exported.iter().zip(sent.lines()).enumerate() {
        assert_eq!(line["seq"], number as u64 + 1);
        assert_eq!(line["body"], body);
        assert_eq!(line["remote"], "127.0.0.1");
    }
}

/// What `import` says it did.
fn counts(added: usize, present: usize, refused: usize) -> String {
    let events = if added == 1 { "event" } else { "events" };
    let lines = if refused == 1 { "line" } else { "lines" };
    let grouped = |number: usize| match number {
        0..1000 => number.to_string(),
        number => format!("{},{:03}", number / 1000, number % 1000),
    };
    format!(
        "added {} {events}; {} already there; {} {lines} refused\n",
        grouped(added),
        grouped(present),
        grouped(refused)
    )
}

fn imported_offline(stream: &Stream) {
    let copy = stream.dir.path().join("offline-copy");
    let lines = &stream.live.by_question["export"];
    let events = lines.lines().count();
    for (added, present) in [(events, 0), (0, events)] {
        let outcome = Cli::new(&copy, &["import"]).stdin(lines.as_bytes()).run();
        assert_eq!(outcome.clone().ok(), "");
        assert_eq!(outcome.stderr, counts(added, present, 0));
    }
    let found = Answers::ask(stream.sample(), by_command(&copy));
    // The bodies are not there: they were not exported.
    found.must_equal(&stream.live, |question| question != "export --raw");
}

fn imported_live(stream: &Stream) {
    let copy = stream.dir.path().join("live-copy");
    let server = Server::start(&copy, &[]);
    let lines = &stream.live.by_question["export --raw"];
    let file = stream.dir.path().join("raw.jsonl");
    let events = lines.lines().count();
    // One that broke off in the middle, then all, then all once more.
    let half: String = lines.split_inclusive('\n').take(events / 2).collect();
    for (text, added) in [
        (&half, events / 2),
        (lines, events - events / 2),
        (lines, 0),
    ] {
        std::fs::write(&file, text).unwrap();
        let outcome = cli(&copy, &["import", file.to_str().unwrap()]);
        let present = text.lines().count() - added;
        assert_eq!(outcome.stderr, counts(added, present, 0));
        outcome.ok();
    }
    let found = Answers::ask(stream.sample(), by_command(&copy));
    found.must_equal(&stream.live, |_| true);
    // The numbers go on after what was imported.
    let body = "type=update&profile=1&time=1800000000&fields[name]=x";
    assert_eq!(
        server.client().post("/webhook", body).seq(),
        events as u64 + 1
    );
    server.stop();
}

#[test]
fn the_documentation_s_examples_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    post_all(&server, "documentation-examples.txt");
    let shown = |key: &str| {
        let shown = cli(dir.path(), &["show", key, "--at", END]).ok();
        json_lines(&shown).remove(0).to_string()
    };
    let time = "1979-02-12T11:49:23Z";
    let rest = r#""created":"1979-02-12 12:49:23","modified":"1979-02-12 12:49:23"}"#;
    let fields = r#""fields":{"name":"Johny","mail":"johny+newemail@example.com"}"#;
    assert_eq!(
        shown("123"),
        format!(
            r#"{{"profile":123,"subprofile":null,"database":1,"collection":null,"at":"{END}","state":"present","last_event":{{"seq":1,"time":"{time}"}},{fields},"interests":["blue"],{rest}"#
        )
    );
    assert_eq!(
        shown("123/123"),
        format!(
            r#"{{"profile":123,"subprofile":123,"database":1,"collection":2,"at":"{END}","state":"present","last_event":{{"seq":2,"time":"{time}"}},{fields},"interests":[],{rest}"#
        )
    );
    let changes = json_lines(&cli(dir.path(), &["changes", "--profile", "123/123"]).ok());
    let causes: Vec<_> = changes
        .iter()
        .map(|c| (c["field"].as_str(), c["cause"].as_str()))
        .collect();
    let (name, mail) = (
        (Some("name"), Some("first_seen")),
        (Some("mail"), Some("set")),
    );
    assert_eq!(causes, [name, mail]);
    assert!(changes.iter().all(|change| change.get("old").is_none()));
    server.stop();
}
