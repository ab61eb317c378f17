//! A shop's week: an ordinary one, but for a bad import, a lost hour and two
//! systems that fight.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::store::fill;
use crate::support::{Dice, Outcome, Server, cli, json_lines};

/// 2025-10-06T00:00:00Z, a Monday.
pub const BEGIN: u64 = 1_759_708_800;
pub const HOUR: u64 = 3_600;
pub const DAY: u64 = 24 * HOUR;

/// The bad import: on the third day at 14:00 UTC.
pub const IMPORT: u64 = BEGIN + 2 * DAY + 14 * HOUR;

/// The lost hour: on the fifth day, from 10:00 UTC on.
pub const LOST: u64 = BEGIN + 4 * DAY + 10 * HOUR;

/// A field's name that would be a command, a flag or a formula elsewhere.
pub const HOSTILE: &str = "--it's \"$(touch pwned)\";\u{1b}[31m\n=1+1";

/// How many profiles the import harms.
pub const HARMED: u64 = 120;

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
    calls: Vec<(Option<&'static str>, String)>,
}

impl Week {
    /// Does what a call says; it comes, but in the lost hour.
    fn call(&mut self, label: Option<&'static str>, profile: u64, time: u64, set: &[(&str, &str)]) {
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
                None,
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
                1_000..2_000 => week.call(Some("import"), what - 999, time, &[("mail", "BAD")]),
                2_000 => week.call(Some("crm"), 390, time, &[("city", "Delft")]),
                2_001 => week.call(Some("form"), 390, time, &[("city", "Gouda")]),
                profile => {
                    let value = number.to_string();
                    // What one call changed unseen, one for the other field shows.
                    let field = ["points", "visits"][number % 2];
                    week.call(Some("shop"), profile, time, &[(field, &value)]);
                }
            }
        }
        // What some have changed since, and one who is gone.
        let after = BEGIN + 6 * DAY + 20 * HOUR;
        week.call(Some("form"), 1, after, &[("mail", "new@example.com")]);
        week.call(Some("form"), 2, after, &[("mail", "x")]);
        week.call(Some("form"), 2, after + 1, &[("mail", "BAD")]);
        let gone = week.profiles[&3].body("delete", 3, after, &[]);
        week.calls.push((Some("form"), gone));
        week
    }
}

/// Where the week is kept.
pub struct Shop {
    pub dir: TempDir,
    pub data: PathBuf,
}

/// A server with the week and an API, and its folder.
pub fn shop() -> (Shop, Server) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fill(&data, Week::new().calls);
    let server = Server::start(&data, &["--api", "127.0.0.1:0"]);
    (Shop { dir, data }, server)
}

impl Shop {
    pub fn ask(&self, args: &[&str]) -> Vec<Value> {
        json_lines(&cli(&self.data, args).ok())
    }

    /// Runs a command as an answer names it, by a shell's reading of it.
    pub fn run(&self, command: &Value, more: &[&str]) -> Outcome {
        let words = shlex::split(command.as_str().expect("a command")).unwrap();
        assert_eq!(words[0], "profiletrail");
        let mut args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        args.extend(more);
        cli(&self.data, &args)
    }
}
