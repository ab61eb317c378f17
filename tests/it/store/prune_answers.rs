//! Pruning changes no answer about any moment from its time on.
//!
//! The same made-up calls go to two folders, of which one is pruned: `show`,
//! `diff`, `history`, `changes` and `blame` must not differ from there on, but
//! for rows of `blame` whose change was pruned. Nothing becomes `first_seen`
//! that was not, however late calls come, and however often is pruned, with the
//! index as it is and made anew.

use std::sync::Arc;

use crate::support::store::{
    BEGIN, Call, Store, arrival, blame, call, changes, diff, history, keys, show,
};
use profiletrail::event::{ProfileKey, Zone};
use profiletrail::query::{Importer, Query, Span, StatsQuery};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

const SPAN: i64 = 40;

/// Whatever is asked of two folders about moments from `since` on is answered alike.
fn answer_alike(whole: &Store, pruned: &Store, since: i64) {
    let moments = [0, 1, 3, 7, SPAN].map(|later| since + later);
    assert_eq!(
        pruned.ask(&changes(Some(since))),
        whole.ask(&changes(Some(since)))
    );
    for key in keys() {
        let asked = history(key, Some(since));
        assert_eq!(pruned.ask(&asked), whole.ask(&asked), "{key}");
        for at in &moments {
            assert_eq!(
                pruned.ask(&show(key, *at)),
                whole.ask(&show(key, *at)),
                "{key} {at}"
            );
            let asked = diff(key, since, *at);
            assert_eq!(pruned.ask(&asked), whole.ask(&asked), "{key} {at}");
            let (found, expected) = (pruned.ask(&blame(key, *at)), whole.ask(&blame(key, *at)));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                if found["cause"] != "baseline" {
                    assert_eq!(found, expected, "{key} {at}");
                    continue;
                }
                for part in ["field", "interest", "value"] {
                    assert_eq!(found.get(part), expected.get(part), "{key} {at}");
                }
                assert!(found.get("old").is_none());
                assert!(found["time"].as_str() >= expected["time"].as_str());
            }
        }
    }
}

fn first_seen(store: &Store) -> Vec<Value> {
    let mut found = store.ask(&changes(None));
    found.retain(|line| line["cause"] == "first_seen");
    found
}

fn bodies(calls: &[Call]) -> Vec<String> {
    calls.iter().map(Call::body).collect()
}

/// The event stays the last one, though a late one comes with its repetition.
#[test]
fn a_repetition_of_a_pruned_event_is_known_as_such_by_the_next_prune() {
    let create = format!(
        "type=create&profile=1&database=2&time={}&fields[mail]=a",
        BEGIN + 19
    );
    let late = format!("type=click&profile=1&time={}", BEGIN + 1);
    let filler = "type=click&profile=9&time=2000000000&x=".to_owned() + &"x".repeat(2000);
    let mut store = Store::new();
    store.add([&create, &filler, &filler].map(Clone::clone), BEGIN - 1000);
    assert_eq!(store.prune(BEGIN + 50).events, 1);
    store.add([create, late, filler.clone(), filler], BEGIN + 100);
    assert_eq!(store.prune(BEGIN + 1000).events, 2);
    let states = store.ask(&show(ProfileKey::profile(1), BEGIN + 2000));
    assert_eq!(states[0]["last_event"]["seq"], 1);
}

/// Those of a block with other events, all of them before the time range, are counted, too.
#[test]
fn stats_count_the_pruned_of_any_time() {
    let mut store = Store::new();
    let filler = "x".repeat(1000);
    let body = |profile: u64, time| format!("type=click&profile={profile}&time={time}&x={filler}");
    // Together they are one segment.
    let together = [BEGIN, BEGIN + 100].map(|time| arrival((body(1, time), time * 1_000_000)));
    store.appender.append(together.into());
    store.add([body(2, BEGIN + 1000), body(3, BEGIN + 1001)], BEGIN + 1000);
    assert_eq!(store.prune(BEGIN + 50).events, 1);
    for (since, events) in [(None, 3), (Some(BEGIN + 500), 2), (Some(BEGIN + 5000), 0)] {
        let query = Query::Stats(StatsQuery {
            span: Span { since, until: None },
            zone: Zone::UTC,
        });
        let stats = store.ask(&query).remove(0);
        assert_eq!(
            (&stats["events"], &stats["pruned"]),
            (&events.into(), &1.into()),
            "{stats}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn answers_from_the_time_on_do_not_change(
        calls in vec(call(SPAN), 1..40),
        repeated in vec(any::<prop::sample::Index>(), 0..6),
        more in vec(call(SPAN), 0..10),
        times in (0..=SPAN, 0..=SPAN),
        arrived in prop_oneof![Just(-1000), Just(0)],
    ) {
        let mut calls = calls;
        for index in repeated {
            calls.push(index.get(&calls).clone());
        }
        let (mut whole, mut pruned) = (Store::new(), Store::new());
        for store in [&mut whole, &mut pruned] {
            store.add(bodies(&calls), BEGIN + arrived);
        }
        let first = BEGIN + times.0;
        let len = pruned.log_len();
        let would = pruned.try_prune(first, true).unwrap();
        prop_assert_eq!(pruned.log_len(), len);
        let did = pruned.prune(first);
        prop_assert_eq!((did.events, did.profiles, did.kept), (would.events, would.profiles, would.kept));
        prop_assert_eq!(&did.damage, &Vec::<String>::new());
        if arrived < 0 {
            // All but what the newest segment holds.
            let older = calls.iter().filter(|call| call.time < times.0).count() as u64;
            prop_assert_eq!(did.events + did.kept, older);
            prop_assert!(did.kept <= 8, "{}", did.kept);
        }
        answer_alike(&whole, &pruned, first);
        for line in first_seen(&pruned) {
            prop_assert!(first_seen(&whole).contains(&line));
        }
        // Once is as good as twice.
        let len = pruned.log_len();
        prop_assert_eq!(pruned.prune(first).events, 0);
        prop_assert_eq!(pruned.log_len(), len);
        let mut pruned = pruned.reopened(false);
        answer_alike(&whole, &pruned, first);
        // More calls, which come in time, and another prune.
        let more: Vec<Call> = more.into_iter().map(|call| Call { time: call.time.max(times.0), ..call }).collect();
        for store in [&mut whole, &mut pruned] {
            store.add(bodies(&more), BEGIN + 100);
        }
        answer_alike(&whole, &pruned, first);
        let second = first.max(BEGIN + times.1);
        pruned.prune(second);
        answer_alike(&whole, &pruned, second);
        let pruned = pruned.reopened(true);
        answer_alike(&whole, &pruned, second);
        for line in first_seen(&pruned) {
            prop_assert!(first_seen(&whole).contains(&line));
        }
    }

    #[test]
    fn late_calls_change_nothing_after_the_baseline(
        calls in vec(call(SPAN), 8..40),
        late in vec(call(SPAN), 1..10),
        time in 10..=SPAN,
    ) {
        let mut store = Store::new();
        store.add(bodies(&calls), BEGIN - 1000);
        // So that all of them stand in closed segments.
        let last = "type=click&profile=9&time=2000000000&x=".to_owned() + &"x".repeat(2000);
        store.add([last.clone(), last], BEGIN - 10);
        let before = BEGIN + time;
        let report = store.prune(before);
        prop_assert_eq!(report.kept, 0);
        let states: Vec<_> = keys().into_iter().map(|key| store.ask(&show(key, before))).collect();
        let seen = first_seen(&store);
        // Only such as come before what stands for the pruned ones.
        let late: Vec<Call> = late.into_iter().filter(|call| {
            let known = &states[keys().iter().position(|key| *key == call.key).unwrap()];
            let last = known.first().and_then(|line| line["last_event"]["time"].as_str());
            let last = last.map(|time| chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp());
            last.is_some_and(|last| BEGIN + call.time < last && last < before)
        }).collect();
        store.add(bodies(&late), BEGIN + 200);
        let mut store = store;
        for without_index in [false, true] {
            store = store.reopened(without_index);
            let now: Vec<_> = keys().into_iter().map(|key| store.ask(&show(key, before))).collect();
            prop_assert_eq!(&now, &states);
            prop_assert_eq!(&first_seen(&store), &seen);
            for call in &late {
                let at = BEGIN + call.time;
                prop_assert_eq!(&store.ask(&show(call.key, at))[0]["state"], "unknown");
                let times: Vec<String> = store.ask(&history(call.key, None)).iter().map(|line| line["time"].as_str().unwrap().to_owned()).collect();
                prop_assert!(times.is_sorted());
                prop_assert!(!times.is_empty());
            }
        }
        // The next prune takes them along.
        store.prune(before + 1);
        let now: Vec<_> = keys().into_iter().map(|key| store.ask(&show(key, before))).collect();
        prop_assert_eq!(&now, &states);
    }

    #[test]
    fn an_export_of_a_pruned_folder_is_imported_and_answers_alike(
        calls in vec(call(SPAN), 8..30),
        late in vec(call(SPAN), 0..6),
        time in 5..=SPAN,
        raw in any::<bool>(),
    ) {
        let mut pruned = Store::new();
        pruned.add(bodies(&calls), BEGIN - 1000);
        pruned.prune(BEGIN + time);
        pruned.add(bodies(&late), BEGIN + 200);
        // One that repeats a call, which may be pruned.
        pruned.add(bodies(&calls[..3]), BEGIN + 300);
        let lines = pruned.export(raw);
        let mut copy = Store::new();
        let trail = Arc::clone(&copy.trail);
        let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        for expected in [(count, 0), (0, count)] {
            let mut importer = Importer::new(&trail);
            let mut found = (0, 0);
            // A line at a time, as in any number of batches.
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                let report = importer.import(1, line, |group| copy.appender.append(group)).unwrap();
                prop_assert_eq!(&report.refused, &[]);
                found = (found.0 + report.added, found.1 + report.present);
            }
            importer.finish().unwrap();
            drop(importer);
            prop_assert_eq!(found, expected);
        }
        // What a backup takes is all that a folder needs, and no more.
        let retention = pruned.trail.retention();
        let (format, files) = pruned.trail.pruned_parts(&retention).unwrap();
        let data = pruned.trail.folder().path();
        prop_assert_eq!(std::fs::read_to_string(data.join("format")).unwrap(), format);
        let there = std::fs::read_dir(pruned.trail.folder().baselines());
        prop_assert_eq!(there.map_or(0, |there| there.count()), files.len());
        for copy in [&copy] {
            prop_assert_eq!(unnumbered(copy.ask(&changes(None))), unnumbered(pruned.ask(&changes(None))));
            for key in keys() {
                let moments = [0, 1, 3, 7, SPAN].map(|later| BEGIN + time + later);
                let mut questions = vec![history(key, None), show(key, BEGIN)];
                questions.extend(moments.map(|at| show(key, at)));
                questions.extend(moments.map(|at| blame(key, at)));
                for question in questions {
                    prop_assert_eq!(unnumbered(copy.ask(&question)), unnumbered(pruned.ask(&question)), "{:?}", question);
                }
                if let Some(subprofile) = key.subprofile {
                    prop_assert_eq!(trail.snapshot().profile_of(subprofile).unwrap(), pruned.trail.snapshot().profile_of(subprofile).unwrap());
                }
            }
        }
        // Where there is something, baselines would contradict it.
        let mut other = Store::new();
        other.add(bodies(&calls[..1]), BEGIN);
        let trail = Arc::clone(&other.trail);
        let report = Importer::new(&trail).import(1, &lines, |group| other.appender.append(group)).unwrap();
        let baselines = pruned.trail.retention().baselines.as_ref().map_or(0, |baselines| baselines.count());
        prop_assert_eq!(report.refused.len() as u64, baselines);
    }
}

/// Lines without the numbers of events, which another folder gives anew.
fn unnumbered(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        line.shift_remove("seq");
        if let Some(of) = line.get_mut("duplicate_of") {
            *of = true.into();
        }
        if let Some(last) = line.get_mut("last_event").and_then(Value::as_object_mut) {
            last.shift_remove("seq");
        }
    }
    lines
}
