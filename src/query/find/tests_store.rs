//! A data folder that is filled by calls, and queried through every source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::*;
use crate::event::{BodyKind, decode_envelope, zone_from_name};
use crate::query::{ChangesQuery, Query, answer as ask};
use crate::store::{
    Appender, Arrival, Folder, OpenOptions, ParsedCall, PruneOrder, Purpose, Trail,
};

/// The times of all events are this and a few seconds after it.
pub const BEGIN: i64 = 1_500_000_000;
pub const SECONDS: i64 = 8;

pub struct Store {
    pub trail: Arc<Trail>,
    pub appender: Appender,
    pub dir: tempfile::TempDir,
    pub came: i64,
}

pub fn open(dir: &tempfile::TempDir) -> (Arc<Trail>, Appender) {
    let options = OpenOptions {
        purpose: Purpose::Append {
            server: false,
            segment_size: 1024,
        },
        cache: 1 << 20,
        patience: Duration::from_secs(10),
    };
    let (trail, appender) = Trail::open(&dir.path().join("data"), options).unwrap();
    (trail, appender.unwrap())
}

impl Store {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Folder::make(&dir.path().join("data")).unwrap();
        let (trail, appender) = open(&dir);
        Self {
            trail,
            appender,
            dir,
            came: 0,
        }
    }

    pub fn add(&mut self, calls: &[Call]) {
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let arrivals = calls.iter().map(|call| {
            self.came += 1;
            let (kind, body) = call.body();
            let envelope = decode_envelope(kind, body.as_bytes(), zone).unwrap();
            Arrival::Call(Box::new(ParsedCall {
                received: self.came * 1_000_000,
                remote: None,
                label: None,
                content_type: None,
                evidence: None,
                read: Ok((kind, envelope)),
                body: body.into_bytes(),
                is_repeated: false,
            }))
        });
        let arrivals = arrivals.collect::<Vec<_>>();
        for arrival in arrivals {
            self.appender.append(vec![arrival]);
        }
    }

    pub fn reopened(self) -> Self {
        let Self {
            trail,
            appender,
            dir,
            came,
        } = self;
        drop((trail, appender));
        let (trail, appender) = open(&dir);
        Self {
            trail,
            appender,
            dir,
            came,
        }
    }

    pub fn ask(&self, query: &Query) -> Vec<Json> {
        let mut out = Vec::new();
        ask(&self.trail, query, None, &mut out, &mut |_| ()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn find(&self, query: &FindQuery) -> Vec<Json> {
        let mut out = Vec::new();
        let query = Query::Find(query.clone());
        let (answered, _) = ask(&self.trail, &query, None, &mut out, &mut |_| ()).unwrap();
        assert_eq!(answered.damage, Vec::<String>::new());
        assert_eq!(answered.found, !out.is_empty());
        lines(&out)
    }

    /// The same through a given source, with a small memory limit.
    pub fn find_by(&self, query: &FindQuery, most_keys: usize, held: usize) -> Vec<Json> {
        let mut out = Vec::new();
        let mut report = |_: Progress| ();
        let mut written = Lines::to(&mut out, query.limit, &mut report);
        let snapshot = self.trail.snapshot();
        answer_within(&snapshot, query, &mut written, held, most_keys).unwrap();
        drop(written);
        lines(&out)
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

    pub fn prune(&self, before: i64) {
        self.trail
            .prune(PruneOrder {
                before,
                now: BEGIN + 1_000_000_000,
                dry_run: false,
                stop: &|| false,
                progress: &mut |_, _| (),
            })
            .unwrap();
    }

    pub fn ask_changes(&self) -> usize {
        let mut out = Vec::new();
        ask(
            &self.trail,
            &Query::Changes(ChangesQuery::default()),
            None,
            &mut out,
            &mut |_| (),
        )
        .unwrap();
        out.iter().filter(|byte| **byte == b'\n').count()
    }
}

pub fn lines(out: &[u8]) -> Vec<Json> {
    let text = std::str::from_utf8(out).unwrap();
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
