//! Pages of answers.
//!
//! Proven for random histories, pruned or not: the pages of an answer, one after
//! the other, are the answer; and where events arrive between two pages, no line
//! that was there at the first is skipped or repeated.

use std::collections::BTreeSet;

use crate::support::store::{BEGIN, Call, Store, call, history};
use profiletrail::event::ProfileKey;
use profiletrail::query::{
    ChangesQuery, ExportQuery, Filter, HistoryQuery, Mark, Page, Query, Span, answer,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// How long the made-up histories are, in seconds.
const SPAN: i64 = 15;

/// Questions that have pages, about what [`call`] makes.
fn questions() -> Vec<Query> {
    let Query::History(plain) = history(ProfileKey::profile(2), None) else {
        panic!("another question");
    };
    let fields = vec!["mail".to_owned(), "é".to_owned()];
    let span = Span {
        since: Some(BEGIN + 3),
        until: Some(BEGIN + 12),
    };
    let export = ExportQuery::default();
    let mut all = Vec::new();
    for reverse in [false, true] {
        let plain = HistoryQuery {
            reverse,
            ..plain.clone()
        };
        all.push(Query::History(plain.clone()));
        all.push(Query::History(HistoryQuery {
            subprofiles: true,
            span,
            ..plain.clone()
        }));
        all.push(Query::History(HistoryQuery {
            fields: fields.clone(),
            interests: vec!["news".to_owned()],
            all: false,
            ..plain
        }));
    }
    all.push(Query::Changes(ChangesQuery::default()));
    all.push(Query::Changes(ChangesQuery {
        filter: Filter {
            fields,
            span,
            ..Filter::default()
        },
        ..ChangesQuery::default()
    }));
    all.push(Query::Export(export.clone()));
    all.push(Query::Export(ExportQuery {
        raw: true,
        span,
        ..export.clone()
    }));
    all.push(Query::Export(ExportQuery {
        from_seq: Some(7),
        ..export.clone()
    }));
    all.push(Query::Export(ExportQuery {
        profile: Some(ProfileKey::profile(2)),
        database: Some(1),
        ..export
    }));
    all
}

/// A page's lines, and the mark after which the next one begins.
fn page(store: &Store, query: &Query, page: Page) -> (Vec<Value>, Option<Mark>) {
    let mut out = Vec::new();
    let (answered, next) = answer(&store.trail, query, Some(page), &mut out, &mut |_| ()).unwrap();
    assert_eq!(answered.damage, Vec::<String>::new(), "{query:?}");
    let lines = String::from_utf8(out).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), next)
}

/// The lines of the pages from a mark on; each but the last must be full.
fn rest(store: &Store, query: &Query, limit: u64, mut after: Option<Mark>) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let limit = Some(limit);
        let (lines, next) = page(store, query, Page { limit, after });
        let count = Some(lines.len() as u64);
        assert!(if next.is_some() {
            count == limit
        } else {
            count <= limit
        });
        all.extend(lines);
        match next {
            Some(_) => after = next,
            None => return all,
        }
    }
}

fn bodies(calls: &[Call]) -> impl Iterator<Item = String> {
    calls.iter().map(Call::body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn pages_are_the_answer_cut_in_parts(
        calls in vec(call(SPAN), 1..40),
        late in vec(call(SPAN), 0..10),
        pruned in proptest::option::of(1..SPAN),
        limit in 1_u64..6,
    ) {
        let mut store = Store::new();
        store.add(bodies(&calls), BEGIN + SPAN);
        if let Some(before) = pruned {
            store.prune(BEGIN + before);
        }
        store.add(bodies(&late), BEGIN + 3 * SPAN);
        for query in questions() {
            let whole = store.ask(&query);
            prop_assert_eq!(&rest(&store, &query, limit, None), &whole, "{:?}", query);
            let (none, next) = page(&store, &query, Page { limit: Some(0), after: None });
            prop_assert!(none.is_empty() && next.is_none());
            let (all, next) = page(&store, &query, Page::default());
            prop_assert!(all == whole && next.is_none());
        }
    }

    #[test]
    fn what_arrives_between_pages_takes_nothing_away(
        calls in vec(call(SPAN), 2..40),
        late in vec(call(SPAN), 1..12),
        limit in 1_u64..6,
    ) {
        let mut store = Store::new();
        store.add(bodies(&calls), BEGIN + SPAN);
        let before: Vec<_> = questions().into_iter().map(|query| {
            let whole = store.ask(&query);
            let (first, next) = page(&store, &query, Page { limit: Some(limit), after: None });
            (query, whole, first, next)
        }).collect();
        store.add(bodies(&late), BEGIN + 3 * SPAN);
        for (query, whole, mut lines, next) in before {
            if next.is_none() {
                continue;
            }
            lines.extend(rest(&store, &query, limit, next));
            let now = store.ask(&query);
            // A line that a late event has changed may have its old or its new form.
            for line in whole.iter().filter(|line| now.contains(line)) {
                prop_assert!(lines.contains(line), "{line} is skipped by {query:?}");
            }
            let seqs = |lines: &[Value]| -> Vec<u64> {
                lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect()
            };
            let found = seqs(&lines);
            let unique: BTreeSet<u64> = found.iter().copied().collect();
            if !matches!(query, Query::Changes(_)) {
                prop_assert_eq!(unique.len(), found.len(), "twice by {:?}", query);
            }
            if matches!(&query, Query::Export(_)) || matches!(&query, Query::History(query) if query.all) {
                prop_assert!(seqs(&whole).iter().all(|seq| unique.contains(seq)), "{query:?}");
            }
        }
    }
}
