//! Every scan finds the same changes as a replay of whole histories, on streams with late
//! events, ties, repetitions, deletes and bare updates.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::tests_store::{BEGIN, SECONDS};
use super::*;
use crate::event::seconds_to_rfc3339;
use crate::history::{Place, is_full_state};
use crate::query::filter::Span;
use crate::query::replay::Replayer;
use crate::query::tests_store::Store;
use crate::query::{CauseKind, ExportQuery, HistoryQuery, Query, StateQuery};
use crate::store::Damages;

fn changes(filter: &Filter) -> Query {
    Query::Changes(ChangesQuery {
        filter: filter.clone(),
        ..ChangesQuery::default()
    })
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
    /// Bodies, some of which are repeated.
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
        not_labels in vec(select(vec!["crm", ""]), 0..2),
        types in vec(select(vec!["update", "delete"]), 0..2),
        database in prop_oneof![4 => Just(None), 1 => (0..SECONDS as u64).prop_map(Some)],
        causes in prop_oneof![4 => Just(Vec::new()), 1 => Just(vec![CauseKind::Cascade])],
        cascade: bool,
    ) -> Filter {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Filter {
            fields: owned(fields),
            interests: owned(interests),
            labels: owned(labels),
            not_labels: owned(not_labels),
            types: owned(types),
            span: Span { since, until },
            database,
            causes,
            cascade,
            ..Filter::default()
        }
    }
}

/// Only the delete is in the span, and the subprofile is found only by its head.
#[test]
fn an_end_by_a_delete_without_a_label_is_found_by_its_head() {
    let store = Store::with(vec![
        format!("type=create&time={BEGIN}&profile=1&subprofile=11&fields[mail]=a"),
        format!("type=delete&time={}&profile=1", BEGIN + 9),
    ]);
    let query = Filter {
        labels: vec![String::new()],
        span: Span {
            since: Some(BEGIN + 1),
            until: None,
        },
        cascade: true,
        ..Filter::default()
    };
    assert_eq!(store.ask(&changes(&query)).len(), 1);
    store.check(&query).unwrap();
}

/// The last event before the span does not show the previous value of the field.
#[test]
fn earlier_events_than_the_last_before_a_span_are_found() {
    let store = Store::with(vec![
        format!("type=create&time={BEGIN}&profile=1&fields[mail]=a"),
        format!("type=click&time={}&profile=1", BEGIN + 1),
        format!(
            "type=update&time={}&profile=1&fields[mail]=b&parameters[mail]=b",
            BEGIN + 3
        ),
    ]);
    let query = Filter {
        span: Span {
            since: Some(BEGIN + 2),
            until: None,
        },
        ..Filter::default()
    };
    let lines = store.ask(&changes(&query));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(r#""old":"a""#), "{}", lines[0]);
    store.check(&query).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn changes_are_those_of_a_whole_replay(bodies in stream(), queries in vec(query(), 4)) {
        let store = Store::with(bodies);
        for query in queries {
            store.check(&query)?;
            for reverse in [false, true] {
                let ask = |limit| {
                    let filter = query.clone();
                    store.ask(&Query::Changes(ChangesQuery { filter, limit, reverse }))
                };
                let mut all = ask(None);
                all.truncate(3);
                prop_assert_eq!(ask(Some(3)), all);
            }
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
            let cascade = Filter { cascade: true, ..Filter::default() };
            for query in queries.iter().chain([&Filter::default(), &cascade]) {
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
            span.contains(crate::event::parse_rfc3339_micros(&line.time).unwrap() / 1_000_000)
        });
        prop_assert_eq!(export(span), expected);
    }

    #[test]
    fn what_is_known_at_a_moment_is_that_of_a_whole_replay(bodies in stream(), cascade: bool) {
        let store = Store::with(bodies);
        for key in store.keys() {
            let events = store.events(key);
            for at in BEGIN - 1..BEGIN + SECONDS {
                let mut damage = Damages::default();
                let mut whole = Replay::default();
                let cascades = store.cascades(key, cascade).into_iter();
                let mut cascades = cascades.filter(|delete| delete.place.time <= at).peekable();
                for (event, duplicate_of) in events.iter().filter(|(event, _)| event.time <= at) {
                    if duplicate_of.is_none() {
                        let place = Place::of(event);
                        while let Some(delete) = cascades.next_if(|delete| delete.place < place) {
                            whole.apply_cascade(delete.place);
                        }
                        whole.step(event);
                    }
                }
                for delete in cascades {
                    whole.apply_cascade(delete.place);
                }
                let snapshot = store.trail.snapshot();
                let all = snapshot.events_of(key).unwrap();
                let mut replayer = Replayer::new(&snapshot, cascade);
                let short = replayer.state_at(key, &all, at, &mut damage, is_full_state).unwrap();
                prop_assert_eq!(short.known.state(), whole.known.state());
                prop_assert_eq!(short.last, whole.last);
                prop_assert_eq!(short.ended, whole.ended);
                let blamed = store.ask(&Query::Blame(StateQuery { key, at: Some(at), cascade }));
                let present = whole.known.state().map_or(0, |state| state.fields.len() + state.interests.len());
                prop_assert_eq!(blamed.len(), present);
                let shown = store.ask(&Query::Show(StateQuery { key, at: Some(at), cascade }));
                let shown: crate::query::lines::ShowLine<'_> = serde_json::from_str(&shown[0]).unwrap();
                prop_assert_eq!(shown.database, whole.database);
                prop_assert_eq!(shown.collection, key.subprofile.and(whole.collection));
                let ended = shown.cascade.map(|end| (end.seq, end.time));
                prop_assert_eq!(ended, whole.ended.map(|(seq, time)| (seq, seconds_to_rfc3339(time))));
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
        bodies in stream(), span in query(), limit in 1_usize..9, all: bool, subprofiles: bool, cascade: bool
    ) {
        let store = Store::with(bodies);
        let span = span.span;
        for key in store.keys() {
            let history = |span: Span, limit: Option<u64>, reverse: bool| {
                let fields = Vec::new();
                let interests = Vec::new();
                store.ask(&Query::History(HistoryQuery { key, fields, interests, span, all, limit, reverse, subprofiles, cascade }))
            };
            let mut expected = history(Span::default(), None, false);
            expected.retain(|line| {
                let line: crate::query::lines::HistoryLine<'_> = serde_json::from_str(line).unwrap();
                span.contains(crate::event::parse_rfc3339_micros(&line.time).unwrap() / 1_000_000)
            });
            prop_assert_eq!(&history(span, None, false), &expected);
            expected.reverse();
            prop_assert_eq!(&history(span, None, true), &expected);
            expected.truncate(limit);
            prop_assert_eq!(&history(span, Some(limit as u64), true), &expected);
        }
    }
}
