//! Every way to an answer tells what a replay of whole histories tells, on
//! streams with late events, ties, repetitions, deletes and bare updates.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::event::{BodyKind, decode_envelope, seconds_to_rfc3339, zone_from_name};
use crate::history::tells_all;
use crate::query::filter::Span;
use crate::query::past::{Before, replay_after};
use crate::query::{ExportQuery, HistoryQuery, Query, ShowQuery, answer as ask};
use crate::trail::{
    Appender, Arrival, Batch, Damages, Folder, OpenOptions, ParsedCall, PruneOrder, Purpose,
    Timeline,
};

/// The times of all events are this and a few seconds after it.
const BEGIN: i64 = 1_760_000_000;
const SECONDS: i64 = 8;

struct Store {
    trail: Arc<Trail>,
    _appender: Appender,
    _dir: tempfile::TempDir,
}

impl Store {
    fn with(bodies: Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Folder::make(&data).unwrap();
        let options = OpenOptions {
            purpose: Purpose::Append {
                server: false,
                segment_size: 1024,
            },
            cache: 1 << 20,
            patience: Duration::ZERO,
        };
        let (trail, appender) = Trail::open(&data, options).unwrap();
        let mut appender = appender.unwrap();
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let mut calls = bodies.into_iter().zip(1_i64..).map(|(body, received)| {
            let envelope = decode_envelope(BodyKind::Form, body.as_bytes(), zone).unwrap();
            Arrival::Call(Box::new(ParsedCall {
                received,
                remote: None,
                label: (received % 3 == 0).then(|| "crm".to_owned()),
                content_type: None,
                evidence: None,
                read: Ok((BodyKind::Form, envelope)),
                body: body.into_bytes(),
            }))
        });
        loop {
            let group: Vec<Arrival> = calls.by_ref().take(5).collect();
            if group.is_empty() {
                break;
            }
            appender.append(group);
        }
        trail.wait_for_index(|_| ()).unwrap();
        // Blocks of closed segments know their times.
        trail.seal_all(|sealed, _, _| sealed.is_ok());
        Self {
            trail,
            _appender: appender,
            _dir: dir,
        }
    }

    fn keys(&self) -> Vec<ProfileKey> {
        let mut keys = Vec::new();
        let take = |key| {
            keys.push(key);
            Ok::<(), TrailError>(())
        };
        self.trail.each_key(None, None, take).unwrap();
        keys
    }

    fn ask(&self, query: &Query) -> Vec<String> {
        let mut out = Vec::new();
        ask(&self.trail, query, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Prunes, and tells how many events went.
    fn prune(&self, before: i64) -> u64 {
        let order = PruneOrder {
            before,
            now: BEGIN + 10 * 86_400,
            dry_run: false,
            stop: &|| false,
            tell: &mut |_, _| (),
        };
        self.trail.prune(order).unwrap().events
    }

    /// The changes by the replay of every history from its beginning, or from
    /// its baseline.
    fn replayed(&self, query: &ChangesQuery) -> Vec<String> {
        let mut told = Told::new(encoded());
        for key in self.keys() {
            let events = self.trail.events_of(key).unwrap();
            let mut timeline = events.timeline(i64::MAX);
            let mut reader = self.trail.reader();
            let mut replay = events.replay();
            let mut damage = Damages::default();
            while let Some(occurrence) = timeline.next(&mut reader, &mut damage).unwrap() {
                if occurrence.duplicate_of.is_none() {
                    told.step(query, &mut replay, &occurrence.event).unwrap();
                }
            }
        }
        sorted(told)
    }

    /// Every way says what the replay says.
    fn check(&self, query: &ChangesQuery) -> Result<(), TestCaseError> {
        let tiny = whole::Bounds {
            turn: 800,
            most: 400,
            large: 300,
        };
        let expected = self.replayed(query);
        prop_assert_eq!(&self.near(query, near::WINDOW), &expected);
        prop_assert_eq!(&self.near(query, 3), &expected);
        prop_assert_eq!(&self.near_by_heads(query), &expected);
        prop_assert_eq!(&self.whole(query, whole::BOUNDS), &expected);
        prop_assert_eq!(&self.whole(query, tiny), &expected);
        self.check_rows(query, tiny)
    }

    /// All events of a (sub)profile go to one gatherer, in a row and in order.
    fn check_rows(&self, query: &ChangesQuery, bounds: whole::Bounds) -> Result<(), TestCaseError> {
        let mut seen = std::collections::HashSet::new();
        let mut rows = Vec::new();
        let mut take = |told: Told<Rows>| {
            rows.push(told.gathered.0);
            Ok(true)
        };
        whole::tell(&self.trail, query, bounds, &Rows::default, &mut take).unwrap();
        for row in rows {
            for own in row.chunk_by(|a, b| a.0 == b.0) {
                prop_assert!(seen.insert(own[0].0), "{:?} comes twice", own[0].0);
                prop_assert!(own.is_sorted_by_key(|(_, time)| *time));
            }
        }
        Ok(())
    }

    fn near(&self, query: &ChangesQuery, window: usize) -> Vec<String> {
        self.near_of(query, window, &self.keys())
    }

    /// The same of the (sub)profiles that the heads of the span's events name.
    fn near_by_heads(&self, query: &ChangesQuery) -> Vec<String> {
        let (since, until) = query.span.bounds();
        let walk = self.trail.walk(since, until).unwrap();
        let keys = keys_by_heads(walk, query, u64::MAX).unwrap().unwrap();
        self.near_of(query, near::WINDOW, &keys)
    }

    fn near_of(&self, query: &ChangesQuery, window: usize, keys: &[ProfileKey]) -> Vec<String> {
        let mut reader = near::Reader::new(&self.trail, window);
        let mut told = Told::new(encoded());
        reader.group(&self.trail, query, keys, &mut told).unwrap();
        sorted(told)
    }

    fn whole(&self, query: &ChangesQuery, bounds: whole::Bounds) -> Vec<String> {
        let mut all = Told::new(encoded());
        let mut take = |told: Told<Lines>| {
            all.gathered.blobs.extend(told.gathered.blobs);
            all.damage.extend(told.damage);
            Ok(true)
        };
        whole::tell(&self.trail, query, bounds, &encoded, &mut take).unwrap();
        sorted(all)
    }
}

/// The (sub)profiles and times of events.
#[derive(Default)]
struct Rows(Vec<(ProfileKey, i64)>);

impl Gather for Rows {
    fn take(&mut self, event: &Event<'_>, _: Vec<Change<'_>>) -> Result<(), QueryError> {
        self.0.push((event.key, event.time));
        Ok(())
    }
}

type Lines = Encoded<'static, fn(&Event<'_>) -> bool>;

fn encoded() -> Lines {
    const ANY: &fn(&Event<'_>) -> bool = &(any_event as fn(&Event<'_>) -> bool);
    Encoded {
        blobs: Vec::new(),
        wanted: ANY,
    }
}

fn any_event(_: &Event<'_>) -> bool {
    true
}

fn sorted(mut told: Told<Lines>) -> Vec<String> {
    assert!(told.damage.is_empty(), "{:?}", told.damage);
    told.gathered.blobs.sort();
    let blobs = told.gathered.blobs.into_iter();
    blobs
        .map(|(_, _, blob)| String::from_utf8(blob).unwrap())
        .collect()
}

fn pairs(most: usize) -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let name = select(vec!["mail", "city", "First name", "a[b]", "é", "news"]);
    vec(
        (name, select(vec!["", "a", "b", "50% + [x]", "0"])),
        0..most,
    )
}

prop_compose! {
    fn body()(
        profile in 1_u64..3,
        subprofile in prop_oneof![3 => Just(None), 1 => (1_u64..3).prop_map(Some)],
        event_type in select(vec!["create", "update", "update", "update", "update", "delete", "click"]),
        time in 0..SECONDS,
        parameters in pairs(3),
        fields in prop_oneof![Just(Vec::new()), pairs(4)],
        interests in vec(select(vec!["news", "sale"]), 0..2),
        attributes in any::<[bool; 4]>(),
    ) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", event_type)
            .append_pair("time", &(BEGIN + time).to_string())
            .append_pair("profile", &profile.to_string());
        if let Some(subprofile) = subprofile {
            form.append_pair("subprofile", &(profile * 10 + subprofile).to_string());
        }
        for (sent, name) in attributes.iter().zip(["database", "collection", "created", "modified"]) {
            if *sent {
                form.append_pair(name, &time.to_string());
            }
        }
        for (name, value) in &parameters {
            form.append_pair(&format!("parameters[{name}]"), value);
        }
        for (name, value) in &fields {
            form.append_pair(&format!("fields[{name}]"), value);
        }
        for name in &interests {
            form.append_pair("interests[]", name);
        }
        form.finish()
    }
}

prop_compose! {
    /// Bodies, some of which come again.
    fn stream()(mut bodies in vec(body(), 1..60), repeated in vec(any::<Index>(), 0..6)) -> Vec<String> {
        for index in repeated {
            bodies.push(index.get(&bodies).clone());
        }
        bodies
    }
}

prop_compose! {
    fn query()(
        since in prop_oneof![Just(None), (0..SECONDS).prop_map(|time| Some(BEGIN + time))],
        until in prop_oneof![Just(None), (0..SECONDS).prop_map(|time| Some(BEGIN + time))],
        fields in vec(select(vec!["mail", "a[b]", "news"]), 0..2),
        interests in vec(select(vec!["news", "sale"]), 0..2),
        labels in vec(select(vec!["crm", ""]), 0..2),
        types in vec(select(vec!["update", "delete"]), 0..2),
        database in prop_oneof![4 => Just(None), 1 => (0..SECONDS as u64).prop_map(Some)],
    ) -> ChangesQuery {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        ChangesQuery {
            fields: owned(fields),
            interests: owned(interests),
            labels: owned(labels),
            types: owned(types),
            span: Span { since, until },
            database,
            ..ChangesQuery::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn changes_are_those_of_a_whole_replay(bodies in stream(), queries in vec(query(), 4)) {
        let store = Store::with(bodies);
        for query in queries {
            store.check(&query)?;
        }
    }

    #[test]
    fn changes_after_a_prune_are_those_of_a_replay_from_the_baselines(
        bodies in vec(body(), 20..70),
        repeated in vec(any::<Index>(), 0..6),
        before in vec(1..=SECONDS, 1..3),
        queries in vec(query(), 3),
    ) {
        let again = repeated.iter().map(|index| index.get(&bodies).clone());
        let store = Store::with(bodies.iter().cloned().chain(again).collect());
        let mut gone = 0;
        for time in before {
            gone += store.prune(BEGIN + time);
            for query in queries.iter().chain([&ChangesQuery::default()]) {
                store.check(query)?;
            }
        }
        prop_assume!(gone > 0);
    }

    #[test]
    fn an_export_of_a_span_is_that_part_of_the_whole(bodies in stream(), query in query()) {
        let store = Store::with(bodies);
        let span = query.span;
        let export = |span: Span| {
            let raw = true;
            store.ask(&Query::Export(ExportQuery { span, raw, ..ExportQuery::default() }))
        };
        let mut expected = export(Span::default());
        expected.retain(|line| {
            let line: crate::query::lines::ExportLine<'_> = serde_json::from_str(line).unwrap();
            span.holds(crate::event::parse_rfc3339_micros(&line.time).unwrap() / 1_000_000)
        });
        prop_assert_eq!(export(span), expected);
    }

    #[test]
    fn what_is_known_at_a_moment_is_that_of_a_whole_replay(bodies in stream()) {
        let store = Store::with(bodies);
        for key in store.keys() {
            let times = store.trail.times_of(key).unwrap();
            for at in BEGIN - 1..BEGIN + SECONDS {
                let times = &times[..times.partition_point(|(time, _)| *time <= at)];
                let mut reader = store.trail.reader();
                let mut damage = Damages::default();
                let mut timeline = Timeline::new(times, None);
                let mut whole = Replay::default();
                while let Some(occurrence) = timeline.next(&mut reader, &mut damage).unwrap() {
                    if occurrence.duplicate_of.is_none() {
                        whole.step(&occurrence.event);
                    }
                }
                let none = Batch::default();
                let before = Before { times, baseline: None, reaches: false };
                let short = replay_after(before, &none, &mut reader, &mut damage, tells_all).unwrap();
                prop_assert_eq!(short.known.state(), whole.known.state());
                prop_assert_eq!(short.last, whole.last);
                let shown = store.ask(&Query::Show(ShowQuery { key, at: Some(at) }));
                let shown: crate::query::lines::ShowLine<'_> = serde_json::from_str(&shown[0]).unwrap();
                prop_assert_eq!(shown.database, whole.database);
                prop_assert_eq!(shown.collection, key.subprofile.and(whole.collection));
                let last = shown.last_event.map(|last| (last.seq, last.time));
                prop_assert_eq!(last, whole.last.map(|(seq, time)| (seq, seconds_to_rfc3339(time))));
                match whole.known {
                    crate::history::Known::Deleted { created, modified } => {
                        prop_assert_eq!((shown.created, shown.modified), (created, modified));
                    }
                    crate::history::Known::Present(state) => {
                        prop_assert_eq!(shown.fields, state.fields);
                        prop_assert_eq!((shown.created, shown.modified), (state.created, state.modified));
                    }
                    crate::history::Known::Nothing => prop_assert_eq!(shown.state, "unknown"),
                }
            }
        }
    }

    #[test]
    fn a_part_of_a_history_is_that_part_of_the_whole(
        bodies in stream(), span in query(), limit in 1_usize..9, all: bool, subprofiles: bool
    ) {
        let store = Store::with(bodies);
        let span = span.span;
        for key in store.keys() {
            let history = |span: Span, limit: Option<u64>, reverse: bool| {
                let fields = Vec::new();
                let interests = Vec::new();
                store.ask(&Query::History(HistoryQuery { key, fields, interests, span, all, limit, reverse, subprofiles }))
            };
            let mut expected = history(Span::default(), None, false);
            expected.retain(|line| {
                let line: crate::query::lines::HistoryLine<'_> = serde_json::from_str(line).unwrap();
                span.holds(crate::event::parse_rfc3339_micros(&line.time).unwrap() / 1_000_000)
            });
            prop_assert_eq!(&history(span, None, false), &expected);
            expected.reverse();
            prop_assert_eq!(&history(span, None, true), &expected);
            expected.truncate(limit);
            prop_assert_eq!(&history(span, Some(limit as u64), true), &expected);
        }
    }
}
