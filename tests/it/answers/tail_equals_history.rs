//! `tail` and `explain` say what `history` says.
//!
//! Proven on random calls with late events, ties, repetitions, deletes, bare updates
//! and types that change nothing, with some events pruned and with none: a tail has
//! every event once, in the order of arrival, with the line that `history` has for
//! it; a filter selects the events that match; and what `explain` says about an event
//! agrees with its changes.

use std::collections::BTreeMap;

use crate::support::store::{BEGIN, Call, Store, call, keys, labelled};
use clap::ValueEnum as _;
use profiletrail::event::ProfileKey;
use profiletrail::query::{CauseKind, ExplainQuery, Filter, HistoryQuery, Query, Span, TailQuery};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

const SPAN: i64 = 12;

fn tail(filter: Filter, after: Option<u64>, last: Option<u64>) -> Query {
    Query::Tail(TailQuery {
        filter,
        after,
        last,
        limit: None,
    })
}

fn first(filter: Filter, limit: u64) -> Query {
    Query::Tail(TailQuery {
        filter,
        after: Some(0),
        last: None,
        limit: Some(limit),
    })
}

fn all_of(store: &Store) -> Vec<Value> {
    store.ask(&tail(Filter::default(), None, None))
}

/// Every event's line by its `seq`, from the histories.
fn histories(store: &Store) -> Vec<Value> {
    let mut found = BTreeMap::new();
    for key in keys() {
        let lines = store.ask(&Query::History(HistoryQuery {
            key,
            fields: Vec::new(),
            interests: Vec::new(),
            span: Span::default(),
            all: true,
            limit: None,
            reverse: false,
            subprofiles: false,
            cascade: false,
        }));
        for line in lines {
            assert!(found.insert(line["seq"].as_u64().unwrap(), line).is_none());
        }
    }
    found.into_values().collect()
}

/// A filter on changes, and whether it is meant to take a change.
fn of_changes(field: &str, cause: &str) -> (Filter, impl Fn(&Value) -> bool) {
    let query = Filter {
        fields: vec![field.to_owned()],
        interests: vec![field.to_owned()],
        causes: vec![CauseKind::from_str(cause, false).unwrap()],
        ..Filter::default()
    };
    let (field, cause) = (field.to_owned(), cause.to_owned());
    (query, move |change: &Value| {
        (change["field"] == field.as_str() || change["interest"] == field.as_str())
            && change["cause"] == cause.as_str()
    })
}

fn explained(store: &Store, event: &Value) {
    let seq = event["seq"].as_u64().unwrap();
    let mut rows = store.ask(&Query::Explain(ExplainQuery {
        seq,
        head: true,
        cascade: false,
    }));
    assert_eq!(rows.remove(0), *event);
    assert_eq!(
        rows,
        store.ask(&Query::Explain(ExplainQuery {
            seq,
            head: false,
            cascade: false
        }))
    );
    for row in &rows {
        let (old, new) = (row.get("old"), &row["new"]);
        let as_asked = row.get("asked").map(|asked| match new {
            Value::Bool(member) => *member != matches!(asked.as_str().unwrap(), "" | "0" | "false"),
            new => new == asked,
        });
        let outcome = row["outcome"].as_str().unwrap();
        match outcome {
            "applied" => assert!(as_asked == Some(true) && old != Some(new), "{row}"),
            "already_so" => assert!(as_asked == Some(true) && old == Some(new), "{row}"),
            "ignored" => assert!(
                as_asked == Some(false) && (old == Some(new) || (old.is_none() && new.is_null())),
                "{row}"
            ),
            "coerced" => assert!(as_asked == Some(false) && old != Some(new), "{row}"),
            "unasked" => assert!(
                as_asked.is_none() && old.is_some_and(|old| old != new),
                "{row}"
            ),
            other => panic!("{other}"),
        }
        // What is reported as changed is among the event's changes, and vice versa.
        let is_same = |change: &&Value| {
            change.get("field") == row.get("field") && change.get("interest") == row.get("interest")
        };
        let changes = event["changes"].as_array().unwrap();
        let change = changes.iter().find(is_same);
        match (old, change) {
            (Some(old), Some(change)) => {
                assert_eq!(
                    (Some(old), new),
                    (change.get("old"), &change["new"]),
                    "{row}"
                );
            }
            (Some(old), None) => assert_eq!(old, new, "{row} of {event}"),
            (None, _) => {}
        }
    }
    for change in event["changes"].as_array().unwrap() {
        let matching = rows.iter().filter(|row| {
            change.get("field") == row.get("field") && change.get("interest") == row.get("interest")
        });
        let count = matching.count();
        assert!(
            count == 1 || (count == 0 && change.get("old").is_none()),
            "{change}"
        );
    }
}

fn check(store: &Store, at: Index, field: &str, cause: &str) {
    let all = all_of(store);
    assert_eq!(all, histories(store));
    let some = at.index(all.len() + 1);
    let newest = store.ask(&tail(Filter::default(), None, Some(some as u64)));
    assert_eq!(newest, all[all.len() - some..]);
    let after = some as u64;
    let later: Vec<_> = all
        .iter()
        .filter(|line| line["seq"].as_u64() > Some(after))
        .cloned()
        .collect();
    assert_eq!(
        store.ask(&tail(Filter::default(), Some(after), None)),
        later
    );

    let (query, is_meant) = of_changes(field, cause);
    let meant: Vec<Value> = all
        .iter()
        .cloned()
        .filter_map(|mut line| {
            let changes = line["changes"].as_array_mut().unwrap();
            changes.retain(&is_meant);
            (!changes.is_empty()).then_some(line)
        })
        .collect();
    assert_eq!(store.ask(&tail(query.clone(), None, None)), meant);
    let few = at.index(meant.len() + 1);
    assert_eq!(
        store.ask(&tail(query.clone(), None, Some(few as u64))),
        meant[meant.len() - few..]
    );
    assert_eq!(store.ask(&first(query, few as u64)), meant[..few]);

    let span = Span {
        since: Some(BEGIN + 3),
        until: Some(BEGIN + 9),
    };
    let own = Filter {
        profile: Some(ProfileKey::profile(2)),
        span,
        ..Filter::default()
    };
    let of_two: Vec<_> = all
        .iter()
        .filter(|line| {
            let time = chrono::DateTime::parse_from_rfc3339(line["time"].as_str().unwrap());
            line["profile"] == 2 && span.contains(time.unwrap().timestamp())
        })
        .cloned()
        .collect();
    assert_eq!(store.ask(&tail(own, None, None)), of_two);
    for event in &all {
        explained(store, event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn every_event_has_the_line_of_its_history(
        calls in vec(call(SPAN), 1..30),
        repeated in vec(any::<Index>(), 0..5),
        at in any::<Index>(),
        field in select(vec!["mail", "city", "news", "é"]),
        cause in select(vec!["set", "create", "unexplained", "first_seen"]),
        before in 1_i64..SPAN,
    ) {
        let mut bodies: Vec<String> = calls.iter().map(Call::body).collect();
        for index in &repeated {
            bodies.push(bodies[index.index(bodies.len())].clone());
        }
        let mut store = Store::new();
        store.add(bodies, BEGIN + 100);
        check(&store, at, field, cause);
        store.prune(BEGIN + before);
        check(&store, at, field, cause);
        let store = store.reopened(true);
        check(&store, at, field, cause);
    }
}

#[test]
fn a_long_log_is_paged_and_searched_from_its_end() {
    const EVENTS: u64 = 6_000;
    let mut store = Store::new();
    let arrivals: Vec<_> = (1..=EVENTS)
        .map(|number| {
            // A rare field, a busy profile and a long body now and then.
            let profile = if number % 3 == 0 { 1 } else { (number - 1) % 50 + 1 };
            let rare = if number % 2_000 == 7 { "&fields[rare]=x" } else { "" };
            let long = "y".repeat(if number % 500 == 0 { 300_000 } else { 10 });
            let time = BEGIN + i64::try_from(number / 2).unwrap();
            let body = format!(
                "type=update&profile={profile}&time={time}&fields[n]={number}{rare}&parameters[z]={long}"
            );
            let label = (number % 1_500 == 0).then_some("seldom");
            labelled(label, body, i64::try_from(number).unwrap() * 1_000_000)
        })
        .collect();
    store.appender.append(arrivals);
    let all = all_of(&store);
    assert_eq!(all.len() as u64, EVENTS);
    for (line, seq) in all.iter().zip(1_u64..) {
        assert_eq!(line["seq"], seq);
    }
    let seqs = |of: &Filter, after: Option<u64>, last: Option<u64>| -> Vec<u64> {
        let lines = store.ask(&tail(of.clone(), after, last));
        lines
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect()
    };
    let none = Filter::default();
    assert_eq!(seqs(&none, None, Some(3)), [5_998, 5_999, 6_000]);
    assert_eq!(
        seqs(&none, None, Some(3_000)),
        (3_001..=EVENTS).collect::<Vec<_>>()
    );
    assert_eq!(seqs(&none, None, Some(u64::MAX)).len() as u64, EVENTS);
    assert_eq!(seqs(&none, Some(5_999), Some(1)), [6_000]);
    assert!(seqs(&none, Some(u64::MAX), None).is_empty());
    let seldom = Filter {
        labels: vec!["seldom".to_owned()],
        ..none.clone()
    };
    assert_eq!(seqs(&seldom, None, Some(2)), [4_500, 6_000]);
    assert_eq!(seqs(&seldom, None, Some(9)), [1_500, 3_000, 4_500, 6_000]);
    assert!(seqs(&seldom, None, Some(0)).is_empty());
    let one = Filter {
        profile: Some(ProfileKey::profile(1)),
        ..none.clone()
    };
    let two = store.ask(&first(one.clone(), 2));
    assert_eq!(
        (two.len(), &two[0]["seq"], &two[1]["seq"]),
        (2, &1.into(), &3.into())
    );
    let own: Vec<u64> = (1..=EVENTS).filter(|n| n % 3 == 0 || n % 50 == 1).collect();
    assert_eq!(seqs(&one, None, None), own);
    assert_eq!(seqs(&one, None, Some(4)), own[own.len() - 4..]);
    // Of profile 7 it is there, then gone: both are changes of it.
    let rare = Filter {
        fields: vec!["rare".to_owned()],
        ..none.clone()
    };
    let found = seqs(&rare, None, None);
    assert!(found.contains(&7) && found.contains(&4_007), "{found:?}");
    for few in 0..=found.len() {
        assert_eq!(
            seqs(&rare, None, Some(few as u64)),
            found[found.len() - few..]
        );
    }
    assert_eq!(seqs(&rare, None, Some(1 << 20)), found);
    let span = Filter {
        span: Span {
            since: Some(BEGIN + 2_000),
            until: Some(BEGIN + 2_010),
        },
        ..none
    };
    assert_eq!(seqs(&span, None, None), (4_000..4_020).collect::<Vec<_>>());
    assert_eq!(seqs(&span, None, Some(2)), [4_018, 4_019]);
}
