//! A data folder that is used as a library, and made-up calls for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use profiletrail::event::{BodyKind, ProfileKey, decode_envelope, now_micros, zone_from_name};
use profiletrail::log::OpenMode;
use profiletrail::query::{
    ChangesQuery, DiffQuery, ExportQuery, Filter, HistoryQuery, Query, Span, StateQuery, answer,
};
use profiletrail::store::{
    Appender, Arrival, Folder, OpenOptions, Outcome, ParsedCall, PruneError, PruneOrder,
    PruneReport, Trail,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

/// Times of made-up calls begin here.
pub const BEGIN: i64 = 1_500_000_000;

/// One made-up call.
#[derive(Clone, Debug)]
pub struct Call {
    pub key: ProfileKey,
    pub event_type: &'static str,
    /// In seconds from [`BEGIN`].
    pub time: i64,
    pub database: Option<u64>,
    pub parameters: Vec<(&'static str, &'static str)>,
    pub fields: Vec<(&'static str, &'static str)>,
    pub interests: Vec<&'static str>,
    pub modified: Option<&'static str>,
}

impl Call {
    pub fn body(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", self.event_type)
            .append_pair("time", &(BEGIN + self.time).to_string())
            .append_pair("profile", &self.key.profile.to_string());
        if let Some(subprofile) = self.key.subprofile {
            form.append_pair("subprofile", &subprofile.to_string());
        }
        if let Some(database) = self.database {
            form.append_pair("database", &database.to_string());
        }
        if let Some(modified) = self.modified {
            form.append_pair("modified", modified);
        }
        for (name, value) in &self.parameters {
            form.append_pair(&format!("parameters[{name}]"), value);
        }
        for (name, value) in &self.fields {
            form.append_pair(&format!("fields[{name}]"), value);
        }
        for name in &self.interests {
            form.append_pair("interests[]", name);
        }
        form.finish()
    }
}

fn pairs() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let name = select(vec!["mail", "city", "First name", "a[b]", "é", "news"]);
    let value = select(vec!["", "a", "b", "50% + [x]", "李雷", "0"]);
    vec((name, value), 0..4)
}

/// Calls whose times are below `span` seconds, and tie.
pub fn call(span: i64) -> impl Strategy<Value = Call> {
    let event_type = select(vec![
        "create", "update", "update", "update", "update", "delete", "click",
    ]);
    let interests = vec(select(vec!["news", "sale"]), 0..3);
    let key = (
        1_u64..4,
        prop_oneof![3 => Just(None), 1 => (1_u64..3).prop_map(Some)],
    );
    let rest = (
        prop_oneof![Just(Some(1)), Just(Some(2)), Just(None)],
        prop_oneof![Just(Some("2020")), Just(None)],
        0..span,
    );
    (key, event_type, pairs(), pairs(), interests, rest).prop_map(
        |((profile, subprofile), event_type, parameters, fields, interests, rest)| {
            let (database, modified, time) = rest;
            Call {
                key: ProfileKey {
                    profile,
                    // A subprofile's number belongs to one profile.
                    subprofile: subprofile.map(|number| profile * 10 + number),
                },
                event_type,
                time,
                database,
                parameters,
                fields,
                interests,
                modified,
            }
        },
    )
}

/// The (sub)profiles that [`call`] speaks of.
pub fn keys() -> Vec<ProfileKey> {
    let of = |profile| {
        let subprofiles = (1..3).map(move |n| ProfileKey::subprofile(profile, profile * 10 + n));
        std::iter::once(ProfileKey::profile(profile)).chain(subprofiles)
    };
    (1..4).flat_map(of).collect()
}

pub struct Store {
    pub trail: Arc<Trail>,
    pub appender: Appender,
    pub dir: tempfile::TempDir,
}

/// Opens a data folder with segments of about one event.
pub fn open(data: &Path) -> (Arc<Trail>, Appender) {
    open_with(data, 700, 1 << 20)
}

fn open_with(data: &Path, segment_size: u64, cache: u64) -> (Arc<Trail>, Appender) {
    let options = OpenOptions {
        mode: OpenMode::Append { segment_size },
        server: false,
        cache,
        patience: Duration::from_secs(10),
    };
    let (trail, appender) = Trail::open(data, options).unwrap();
    (trail, appender.unwrap())
}

/// A form that was received at a moment in Unix microseconds.
pub fn arrival((body, received): (String, i64)) -> Arrival {
    labelled(None, body, received)
}

/// The same at the address of a label.
pub fn labelled(label: Option<&str>, body: String, received: i64) -> Arrival {
    let zone = zone_from_name("Europe/Amsterdam").unwrap();
    let envelope = decode_envelope(BodyKind::Form, body.as_bytes(), zone).unwrap();
    Arrival::Call(Box::new(ParsedCall {
        received,
        remote: None,
        label: label.map(str::to_owned),
        content_type: None,
        evidence: None,
        read: Ok((BodyKind::Form, envelope)),
        body: body.into_bytes(),
        is_repeated: false,
    }))
}

/// Makes a data folder that holds these calls, each with its label, if any. Posting them to a
/// server one by one takes much longer.
pub fn fill<'a>(data: &Path, calls: impl IntoIterator<Item = (Option<&'a str>, String)>) {
    Folder::make(data).unwrap();
    let (trail, mut appender) = open_with(data, 64 << 20, 8 << 20);
    let calls = calls.into_iter().zip(now_micros()..);
    let calls: Vec<_> = calls
        .map(|((label, body), received)| labelled(label, body, received))
        .collect();
    // A few in each frame, as in the log of a busy server.
    for group in calls.chunks(8) {
        let outcomes = appender.append(group.to_vec());
        let is_kept = |outcome: &Outcome| matches!(outcome, Outcome::Kept(_));
        assert!(outcomes.iter().all(is_kept), "{outcomes:?}");
    }
    trail.wait_for_index(|_| ()).unwrap();
}

impl Store {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Folder::make(&data).unwrap();
        let (trail, appender) = open(&data);
        Self {
            trail,
            appender,
            dir,
        }
    }

    /// The folder, opened again; with a new index if that is asked for.
    pub fn reopened(self, without_index: bool) -> Self {
        self.reopened_after(|data| {
            if without_index {
                std::fs::remove_dir_all(data.join("index")).unwrap();
            }
        })
    }

    /// The folder, opened again after a change to the files of the closed one.
    pub fn reopened_after(self, change: impl FnOnce(&Path)) -> Self {
        let Self {
            trail,
            appender,
            dir,
        } = self;
        drop((trail, appender));
        let data = dir.path().join("data");
        change(&data);
        let (trail, appender) = open(&data);
        Self {
            trail,
            appender,
            dir,
        }
    }

    /// A store that got these bodies together, in this order.
    pub fn with(bodies: impl IntoIterator<Item = String>) -> Self {
        let mut store = Self::new();
        let calls: Vec<Arrival> = bodies
            .into_iter()
            .zip(now_micros()..)
            .map(arrival)
            .collect();
        let expected: Vec<Outcome> = (1..=calls.len() as u64).map(Outcome::Kept).collect();
        assert_eq!(store.appender.append(calls), expected);
        store
    }

    /// Keeps bodies, one after the other; the first is received at this second.
    pub fn add(&mut self, bodies: impl IntoIterator<Item = String>, received: i64) {
        for (body, place) in bodies.into_iter().zip(0..) {
            let call = arrival((body, (received + place) * 1_000_000));
            let outcome = self.appender.append(vec![call]);
            assert!(matches!(outcome[0], Outcome::Kept(_)), "{outcome:?}");
        }
    }

    pub fn ask(&self, query: &Query) -> Vec<Value> {
        let mut out = Vec::new();
        let (answered, _) = answer(&self.trail, query, None, &mut out, &mut |_| ()).unwrap();
        assert_eq!(answered.damage, Vec::<String>::new(), "{query:?}");
        let lines = String::from_utf8(out).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn export(&self, raw: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let query = Query::Export(ExportQuery {
            raw,
            ..ExportQuery::default()
        });
        answer(&self.trail, &query, None, &mut out, &mut |_| ()).unwrap();
        out
    }

    pub fn try_prune(&self, before: i64, dry_run: bool) -> Result<PruneReport, PruneError> {
        self.trail.prune(PruneOrder {
            before,
            now: BEGIN + 1_000_000_000,
            dry_run,
            stop: &|| false,
            progress: &mut |_, _| (),
        })
    }

    pub fn prune(&self, before: i64) -> PruneReport {
        self.try_prune(before, false).unwrap()
    }

    /// How many bytes the events take on the disk.
    pub fn log_len(&self) -> u64 {
        let files = std::fs::read_dir(self.trail.folder().log()).unwrap();
        files
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    }
}

pub fn changes(since: Option<i64>) -> Query {
    Query::Changes(ChangesQuery {
        filter: Filter {
            span: Span { since, until: None },
            ..Filter::default()
        },
        ..ChangesQuery::default()
    })
}

pub fn history(key: ProfileKey, since: Option<i64>) -> Query {
    Query::History(HistoryQuery {
        key,
        fields: Vec::new(),
        interests: Vec::new(),
        span: Span { since, until: None },
        all: true,
        limit: None,
        reverse: false,
        subprofiles: false,
        cascade: false,
    })
}

pub fn show(key: ProfileKey, at: i64) -> Query {
    Query::Show(StateQuery {
        key,
        at: Some(at),
        cascade: false,
    })
}

pub fn diff(key: ProfileKey, from: i64, to: i64) -> Query {
    Query::Diff(DiffQuery {
        key,
        from,
        to: Some(to),
        cascade: false,
    })
}

pub fn blame(key: ProfileKey, at: i64) -> Query {
    Query::Blame(StateQuery {
        key,
        at: Some(at),
        cascade: false,
    })
}
