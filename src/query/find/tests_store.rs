//! Look-ups and calls for a [`Store`] that is queried through every source.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::*;
use crate::event::BodyKind;
use crate::query::Query;
use crate::query::tests_store::Store;

/// The times of all events are this and a few seconds after it.
pub const BEGIN: i64 = 1_500_000_000;
pub const SECONDS: i64 = 8;

impl Store {
    /// Adds calls, each by itself.
    pub fn add(&mut self, calls: &[Call]) {
        self.add_bodies(calls.iter().map(Call::body), 1);
    }

    pub fn ask_json(&self, query: &Query) -> Vec<Json> {
        let lines = self.ask(query).into_iter();
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }

    pub fn find(&self, query: &FindQuery) -> Vec<Json> {
        checked(&self.ask(&Query::Find(query.clone())).join("\n"))
    }

    /// The same through a given source, with a small memory limit.
    pub fn find_by(&self, query: &FindQuery, most_keys: usize, held: usize) -> Vec<Json> {
        let mut out = Vec::new();
        let mut report = |_: Progress| ();
        let mut written = Lines::to(&mut out, query.limit, &mut report);
        let snapshot = self.trail.snapshot();
        answer_within(&snapshot, query, &mut written, held, most_keys).unwrap();
        drop(written);
        checked(std::str::from_utf8(&out).unwrap())
    }

    /// Waits until the lookups have all events.
    pub fn wait_for_lookup(&self, fields: &[&str]) {
        self.trail.wait_for_index(|_| ()).unwrap();
        let begun = Instant::now();
        loop {
            let state = self
                .trail
                .index()
                .ask(|index| Ok(index.lookup_state()))
                .unwrap()
                .unwrap_or_default();
            let probe = fields
                .first()
                .map(|field| crate::index::LookupQuery::new(field, "", true));
            let looked =
                probe.and_then(|probe| self.trail.snapshot().look_up(&probe, None, 1).unwrap());
            let knows = looked.is_none_or(|looked| looked.baselines);
            if state.fields == fields
                && knows
                && (fields.is_empty() || state.up_to == self.trail.last_seq())
            {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{state:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn set_lookup(&self, fields: &[&str]) {
        self.trail
            .index()
            .set_lookup(fields.iter().map(|field| (*field).to_owned()).collect());
    }
}

/// The lines, each of which is one of `find`.
fn checked(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| {
            serde_json::from_str::<FindLine<'_>>(line).unwrap_or_else(|_| panic!("{line}"));
            serde_json::from_str(line).unwrap()
        })
        .collect()
}

#[derive(Clone, Debug)]
pub struct Call {
    pub key: ProfileKey,
    pub event_type: &'static str,
    pub time: i64,
    pub database: Option<u64>,
    pub parameters: Vec<(&'static str, &'static str)>,
    pub fields: Vec<(&'static str, &'static str)>,
    pub interests: Vec<&'static str>,
    pub json: bool,
}

impl Call {
    pub fn body(&self) -> (BodyKind, String) {
        let mut pairs = vec![
            ("type".to_owned(), self.event_type.to_owned()),
            ("time".to_owned(), (BEGIN + self.time).to_string()),
            ("profile".to_owned(), self.key.profile.to_string()),
        ];
        if let Some(subprofile) = self.key.subprofile {
            pairs.push(("subprofile".to_owned(), subprofile.to_string()));
        }
        if let Some(database) = self.database {
            pairs.push(("database".to_owned(), database.to_string()));
        }
        for (what, own) in [("parameters", &self.parameters), ("fields", &self.fields)] {
            for (name, value) in own {
                pairs.push((format!("{what}[{name}]"), (*value).to_owned()));
            }
        }
        for (number, name) in self.interests.iter().enumerate() {
            pairs.push((format!("interests[{number}]"), (*name).to_owned()));
        }
        if self.json {
            let map: serde_json::Map<String, Json> = pairs
                .into_iter()
                .map(|(name, value)| (name, Json::String(value)))
                .collect();
            return (BodyKind::Json, Json::Object(map).to_string());
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        (BodyKind::Form, form.finish())
    }
}

pub fn query(sought: &FindQuery, ever: bool, at: Option<i64>) -> FindQuery {
    FindQuery {
        ever,
        at,
        ..sought.clone()
    }
}

pub fn update(profile: u64, time: i64, value: &'static str) -> Call {
    Call {
        key: ProfileKey::profile(profile),
        event_type: "update",
        time,
        database: Some(1),
        parameters: vec![("mail", value)],
        fields: vec![("mail", value)],
        interests: Vec::new(),
        json: false,
    }
}

pub fn mail(value: &str) -> FindQuery {
    FindQuery {
        field: Some("mail".to_owned()),
        value: value.to_owned(),
        ..FindQuery::default()
    }
}
