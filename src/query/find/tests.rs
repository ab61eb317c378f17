//! Every source of candidates finds the same values as the histories and the states, on
//! streams with late events, ties, repetitions, deletes, bare updates and pruned events.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use super::tests_store::{BEGIN, Call, SECONDS, mail, query, update};
use super::*;
use crate::query::tests_store::Store;
use crate::query::{ChangesQuery, HistoryQuery, Query, Span, StateQuery};

const LONG: &str = "a-value-that-is-much-longer-than-its-head@example.com";

const VALUES: [&str; 9] = [
    "",
    "a",
    "A",
    "ab",
    "b",
    "\0",
    "50% + [x]",
    LONG,
    "a-value-that-is-much-longer-than-another",
];

fn pairs() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    vec(
        (
            select(vec!["mail", "mail", "city", "news"]),
            select(VALUES.to_vec()),
        ),
        0..3,
    )
}

fn call() -> impl Strategy<Value = Call> {
    let event_type = select(vec![
        "create", "update", "update", "update", "delete", "click",
    ]);
    let key = (1_u64..4, proptest::option::of(1_u64..3));
    let rest = (
        vec(select(vec!["news", "sale"]), 0..3),
        0..SECONDS,
        proptest::option::of(1_u64..3),
        any::<bool>(),
    );
    (key, event_type, pairs(), pairs(), rest).prop_map(
        |((profile, subprofile), event_type, parameters, fields, rest)| {
            let (interests, time, database, json) = rest;
            Call {
                key: ProfileKey {
                    profile,
                    subprofile: subprofile.map(|number| profile * 10 + number),
                },
                event_type,
                time,
                database,
                parameters,
                fields,
                interests,
                json,
            }
        },
    )
}

fn keys() -> Vec<ProfileKey> {
    let of = |profile| {
        let subprofiles = (1..3).map(move |n| ProfileKey::subprofile(profile, profile * 10 + n));
        std::iter::once(ProfileKey::profile(profile)).chain(subprofiles)
    };
    (1..4).flat_map(of).collect()
}

fn sought() -> impl Strategy<Value = FindQuery> {
    let field = (
        select(vec!["mail", "mail", "city", "none"]),
        select(VALUES.to_vec()),
        select(vec![(false, false), (true, false), (false, true)]),
        any::<bool>(),
    );
    prop_oneof![
        4 => field.prop_map(|(name, value, (prefix, matches), ignore_case)| FindQuery {
            field: Some(name.to_owned()),
            value: match matches && value.contains('[') {
                true => "[x]".to_owned(),
                false => value.to_owned(),
            },
            prefix,
            matches,
            ignore_case,
            ..FindQuery::default()
        }),
        1 => select(vec!["news", "sale", "none"]).prop_map(|name| FindQuery {
            interest: Some(name.to_owned()),
            ..FindQuery::default()
        }),
    ]
}

/// Whether a line of `history` or a state has the value.
fn holds(sought: &FindQuery, value: &Json) -> bool {
    if sought.interest.is_some() {
        return *value == Json::Bool(true);
    }
    let Json::String(text) = value else {
        return false;
    };
    let fold = |text: &str| match sought.ignore_case {
        true => text.to_lowercase(),
        false => text.to_owned(),
    };
    let (text, wanted) = (fold(text), fold(&sought.value));
    match (sought.prefix, sought.matches) {
        (true, _) => text.starts_with(&wanted),
        (_, true) => text.contains(if wanted == "[x]" { "x" } else { &wanted }),
        _ => text == wanted,
    }
}

/// The intervals of all, made from their histories.
fn naive(store: &Store, sought: &FindQuery, cascade: bool) -> Vec<Json> {
    let (kind, name) = match (&sought.field, &sought.interest) {
        (Some(name), _) => ("field", name),
        (_, name) => ("interest", name.as_ref().unwrap()),
    };
    let mut found = Vec::new();
    for key in keys() {
        let history = store.ask_json(&Query::History(HistoryQuery {
            key,
            fields: Vec::new(),
            interests: Vec::new(),
            span: Span::default(),
            all: false,
            limit: None,
            reverse: false,
            subprofiles: false,
            cascade,
        }));
        let mut open: Option<Json> = None;
        let mut own = Vec::new();
        for event in &history {
            let mut close = |open: &mut Option<Json>| {
                if let Some(mut interval) = open.take() {
                    interval["until"] = event["time"].clone();
                    interval["until_seq"] = event["seq"].clone();
                    own.push(interval);
                }
            };
            for change in event["changes"].as_array().unwrap() {
                if change[kind] != **name {
                    continue;
                }
                close(&mut open);
                if holds(sought, &change["new"]) {
                    open = Some(serde_json::json!({
                        "profile": key.profile, "subprofile": key.subprofile,
                        kind: name, "value": change["new"],
                        "since": event["time"], "since_seq": event["seq"], "cause": change["cause"],
                        "until": null, "until_seq": null,
                    }));
                }
            }
            if event["type"] == "delete" {
                close(&mut open);
            }
        }
        own.extend(open);
        found.extend(own);
    }
    found
}

/// Lines without the keys that their histories do not show.
fn bare(lines: Vec<Json>) -> Vec<Json> {
    let mut lines = lines;
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        line.remove("database").unwrap();
        line.remove("collection").unwrap();
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn intervals_are_those_of_the_histories_and_of_the_states(
        calls in vec(call(), 1..40),
        sought in vec(sought(), 3),
        lookup in any::<bool>(),
        cascade in any::<bool>(),
    ) {
        let query = |sought: &FindQuery, ever, at| FindQuery { cascade, ..query(sought, ever, at) };
        let mut store = Store::new();
        let (first, second) = calls.split_at(calls.len() / 2);
        store.add(first);
        if lookup {
            store.set_lookup(&["mail"]);
        }
        store.add(second);
        for sought in &sought {
            let ever = query(sought, true, None);
            let found = store.find(&ever);
            prop_assert_eq!(bare(found.clone()), naive(&store, sought, cascade), "{:?}", sought);
            // All sources give the same result, and a limit returns its first
            // lines.
            for (most_keys, held) in [(0, usize::MAX), (usize::MAX, 0), (1, 300)] {
                prop_assert_eq!(&store.find_by(&ever, most_keys, held), &found);
            }
            for limit in [0, 1, 2, 5] {
                let few = FindQuery { limit: Some(limit), ..ever.clone() };
                let first = &found[..found.len().min(limit as usize)];
                prop_assert_eq!(&store.find(&few), first);
                prop_assert_eq!(&store.find_by(&few, 0, 0), first);
            }
            for database in [1, 2] {
                let of = FindQuery { database: Some(database), ..ever.clone() };
                let own: Vec<_> = found.iter().filter(|line| line["database"] == database).cloned().collect();
                prop_assert_eq!(store.find(&of), own);
            }
            for second in -1..=SECONDS {
                let at = BEGIN + second;
                let present: BTreeSet<String> = store
                    .find(&query(sought, false, Some(at)))
                    .iter()
                    .map(|line| format!("{}/{} {}", line["profile"], line["subprofile"], line["value"]))
                    .collect();
                let mut expected = BTreeSet::new();
                for key in keys() {
                    let shown = store.ask_json(&Query::Show(StateQuery { key, at: Some(at), cascade }));
                    let Some(shown) = shown.first() else { continue };
                    let value = match (&sought.field, &sought.interest) {
                        (Some(name), _) => shown["fields"].get(name).cloned(),
                        (_, name) => {
                            let name = name.as_ref().unwrap();
                            let held = shown["interests"].as_array().unwrap();
                            held.iter().any(|own| own == name.as_str()).then_some(Json::Bool(true))
                        }
                    };
                    let value = value.filter(|value| holds(sought, value));
                    expected.extend(value.map(|value| {
                        format!("{}/{} {}", shown["profile"], shown["subprofile"], value)
                    }));
                }
                prop_assert_eq!(present, expected, "{:?} at {}", sought, second);
            }
            prop_assert_eq!(
                store.find(&query(sought, false, None)),
                store.find(&query(sought, false, Some(BEGIN + SECONDS)))
            );
        }
    }

    #[test]
    fn lookups_change_no_answer(
        parts in vec(vec(call(), 0..20), 4),
        prunes in vec(proptest::option::of(0..SECONDS), 4),
        reopen in vec(any::<bool>(), 4),
        fields in vec(select(vec![vec!["mail"], vec!["city", "mail"], vec![]]), 4),
        sought in vec(sought(), 4),
        gone in any::<Index>(),
    ) {
        let (mut plain, mut store) = (Store::new(), Store::new());
        for (part, calls) in parts.iter().enumerate() {
            store.set_lookup(&fields[part]);
            for of in [&mut plain, &mut store] {
                of.add(calls);
            }
            let waited = gone.index(parts.len()) == part;
            if waited {
                // Whatever is known by then, the baselines are read.
                store.wait_for_lookup(&fields[part]);
            }
            if let Some(second) = prunes[part] {
                for of in [&plain, &store] {
                    of.prune(BEGIN + second);
                }
            }
            if reopen[part] {
                store = store.reopened(|_| ());
                if !waited {
                    // The wanted build may not have started.
                    store.set_lookup(&fields[part]);
                }
            }
            for sought in &sought {
                for query in [query(sought, true, None), query(sought, false, None)] {
                    prop_assert_eq!(store.find(&query), plain.find(&query), "{:?}", sought);
                }
            }
            store.wait_for_lookup(&fields[part]);
            for sought in &sought {
                for query in [query(sought, true, None), query(sought, false, None)] {
                    prop_assert_eq!(store.find(&query), plain.find(&query), "{:?}", sought);
                }
            }
        }
    }
}

#[test]
fn lookups_whose_index_is_destroyed_are_made_again() {
    let mut store = Store::new();
    store.set_lookup(&["mail"]);
    store.add(&[update(1, 0, "a"), update(2, 1, "a"), update(1, 2, "b")]);
    store.wait_for_lookup(&["mail"]);
    let found = store.find(&query(&mail("a"), true, None));
    assert_eq!(found.len(), 2);
    let store = store.reopened(|data| {
        for name in ["db", "conf"] {
            let path = data.join("index").join(name);
            if path.exists() {
                std::fs::write(path, b"no database").unwrap();
            }
        }
    });
    assert_eq!(store.find(&query(&mail("a"), true, None)), found);
    // Only the index knew the look-up fields.
    store.set_lookup(&["mail"]);
    store.wait_for_lookup(&["mail"]);
    assert_eq!(store.find(&query(&mail("a"), true, None)), found);
}

#[test]
fn lookups_outlive_a_restart() {
    let mut store = Store::new();
    store.add(&[update(1, 0, "a"), update(2, 1, "a")]);
    // The events are already indexed, so nothing follows after the new index is filled.
    store.trail.wait_for_index(|_| ()).unwrap();
    store.set_lookup(&["mail"]);
    store.wait_for_lookup(&["mail"]);
    let store = store.reopened(|_| ());
    store.wait_for_lookup(&["mail"]);
    assert_eq!(store.find(&query(&mail("a"), true, None)).len(), 2);
}

#[test]
fn a_late_event_before_a_baseline_is_known_for_its_moment_alone() {
    let mut store = Store::new();
    store.add(&[update(1, 3, "a"), update(1, 5, "b")]);
    // Only events in closed segments are pruned.
    store.add(&vec![update(9, 7, "c"); 20]);
    store.prune(BEGIN + 6);
    store.add(&[update(1, 1, "late")]);
    let found = store.find(&query(&mail("late"), true, None));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["since"], found[0]["until"]);
    assert_eq!(found[0]["since_seq"], found[0]["until_seq"]);
    assert_eq!(
        store.find(&query(&mail("late"), false, Some(BEGIN + 1))),
        Vec::<Json>::new()
    );
    let found = store.find(&query(&mail("b"), false, None));
    assert_eq!(found[0]["cause"], "baseline");
    assert_eq!(found[0]["until"], Json::Null);
}

#[test]
fn values_of_a_mebibyte_are_found_and_distinguished() {
    let long: &'static str = Box::leak("x".repeat(1 << 20).into_boxed_str());
    let other: &'static str = Box::leak(format!("{}y", &long[1..]).into_boxed_str());
    let mut store = Store::new();
    store.set_lookup(&["mail"]);
    store.add(&[update(1, 0, long), update(2, 0, other), update(3, 0, "")]);
    store.wait_for_lookup(&["mail"]);
    let whose = |sought: &FindQuery| -> Vec<u64> {
        let found = store.find(&query(sought, false, None));
        found
            .iter()
            .map(|line| line["profile"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(whose(&mail(long)), [1]);
    assert_eq!(whose(&mail(other)), [2]);
    assert_eq!(whose(&mail("")), [3]);
    let by_prefix = |value: &str| FindQuery {
        prefix: true,
        ignore_case: true,
        ..mail(value)
    };
    assert_eq!(whose(&by_prefix("XXX")), [1, 2]);
    assert_eq!(whose(&by_prefix("")), [1, 2, 3]);
    // The changes are there all the same.
    let changes = store.ask(&Query::Changes(ChangesQuery::default()));
    assert_eq!(changes.len(), 3);
}
