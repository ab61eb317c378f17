//! Whatever the calls and the file: once the differences are recorded, nothing
//! differs; recording them again adds nothing; answers about earlier moments do not
//! change; and an import of the export gives the same answers.

use crate::support::copy_folder;
use crate::support::store::{BEGIN, Store, call, changes, history, keys, open, show};
use profiletrail::event::TimeSource;
use profiletrail::query::{
    FileRow, Importer, QueryError, ReconcileOrder, ReconcileReport, Reconciler, Recording,
};
use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;

fn order(at: i64, gone: bool) -> ReconcileOrder {
    ReconcileOrder {
        columns: vec!["mail".into(), "city".into(), "é".into()],
        at,
        time_source: TimeSource::Time,
        subprofiles: false,
        database: None,
        collection: None,
        gone,
        only_fields: false,
        record: Some(Recording::default()),
    }
}

fn reconcile(store: &mut Store, rows: &[FileRow], at: i64, gone: bool) -> ReconcileReport {
    let Store {
        trail, appender, ..
    } = store;
    let mut reconciler = Reconciler::new(trail, order(at, gone)).unwrap();
    let mut out = Vec::new();
    for row in rows {
        let line = serde_json::to_vec(row).unwrap();
        let mut append = |group| appender.append(group);
        reconciler.rows(&line, &mut out, &mut append).unwrap();
    }
    let mut append = |group| appender.append(group);
    let report = reconciler.finish(&mut out, &mut append).unwrap().clone();
    assert_eq!(report.failure, None);
    let lines = out.split(|byte| *byte == b'\n').count() as u64 - 1;
    assert_eq!(
        lines,
        report.fields() + report.unknown + report.deleted + report.gone
    );
    report
}

#[test]
fn what_is_wrong_with_an_order_or_a_row_is_said() {
    let store = Store::new();
    let wrong = |error: QueryError| match error {
        QueryError::Wrong(what) => what,
        other => panic!("{other:?}"),
    };
    let mut labelled = order(BEGIN, false);
    labelled.record = Some(Recording {
        label: Some("a b".to_owned()),
    });
    let refused = Reconciler::new(&store.trail, labelled).err().unwrap();
    assert_eq!(wrong(refused), "\"a b\" is not a label");
    for (rows, says) in [
        (
            "[5,null,[\"\",\"\",\"\"]]\n[5,null,[\"\",\"\",\"\"]]",
            "the row of 5 is out of order",
        ),
        ("[5,null,[\"\"]]", "the row of 5 does not fit"),
        ("[5", "a row is invalid"),
    ] {
        let mut reconciler = Reconciler::new(&store.trail, order(BEGIN, false)).unwrap();
        let refused = reconciler.rows(rows.as_bytes(), &mut Vec::new(), &mut |_| Vec::new());
        let what = wrong(refused.unwrap_err());
        assert!(what.starts_with(says), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_entered_differs_no_more(
        calls in proptest::collection::vec(call(40), 0..30),
        rows in btree_map(1_u64..6, proptest::collection::vec(select(vec!["", "a", "b", "李雷", "\0\u{1f}\""]), 3), 0..5),
        at in 0_i64..45,
        gone: bool,
    ) {
        let mut store = Store::new();
        store.add(calls.iter().map(|call| call.body()), BEGIN);
        let rows: Vec<FileRow> = rows
            .into_iter()
            .map(|(profile, cells)| FileRow(profile, None, cells.into_iter().map(Into::into).collect()))
            .collect();
        let at = BEGIN + at;
        let earlier: Vec<_> = store.ask(&changes(None)).into_iter().filter(|line| time(line) < at).collect();
        let first = reconcile(&mut store, &rows, at, gone);
        prop_assert_eq!(first.recorded, first.to_record());
        let again = reconcile(&mut store, &rows, at, gone);
        prop_assert_eq!((again.same, again.to_record(), again.recorded), (rows.len() as u64, 0, 0));
        let now: Vec<_> = store.ask(&changes(None)).into_iter().filter(|line| time(line) < at).collect();
        prop_assert_eq!(earlier, now);
        // A new index, and another folder, say the same.
        let store = store.reopened(true);
        let other = Store::new();
        let Store { trail, mut appender, dir } = other;
        let export = store.export(false);
        let mut importer = Importer::new(&trail);
        let report = importer.import(1, &export, |group| appender.append(group)).unwrap();
        prop_assert_eq!(&report.refused, &[]);
        importer.finish().unwrap();
        drop(importer);
        let other = Store { trail, appender, dir };
        prop_assert_eq!(other.export(false), export);
        prop_assert_eq!(other.ask(&changes(None)), store.ask(&changes(None)));
        for key in keys() {
            let known = store.trail.snapshot().events_of(key).unwrap();
            if !known.is_empty() {
                prop_assert_eq!(other.ask(&history(key, None)), store.ask(&history(key, None)));
                prop_assert_eq!(other.ask(&show(key, at)), store.ask(&show(key, at)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_observed_is_pruned_like_the_rest(
        calls in proptest::collection::vec(call(40), 0..30),
        rows in btree_map(1_u64..6, proptest::collection::vec(select(vec!["", "a", "b"]), 3), 1..5),
        at in 0_i64..45,
        gone: bool,
        before in 1_i64..60,
    ) {
        let mut store = Store::new();
        store.add(calls.iter().map(|call| call.body()), BEGIN);
        let rows: Vec<FileRow> = rows
            .into_iter()
            .map(|(profile, cells)| FileRow(profile, None, cells.into_iter().map(Into::into).collect()))
            .collect();
        reconcile(&mut store, &rows, BEGIN + at, gone);
        // As if all had come when it happened, so that it may go.
        let export = String::from_utf8(store.export(false)).unwrap();
        let export: Vec<String> = export
            .lines()
            .map(|line| {
                let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["received"] = line["time"].as_str().unwrap().replace('Z', ".000000Z").into();
                line.to_string()
            })
            .collect();
        let Store { trail, mut appender, dir } = Store::new();
        let mut importer = Importer::new(&trail);
        for line in &export {
            let report = importer.import(1, line.as_bytes(), |group| appender.append(group)).unwrap();
            assert_eq!((report.added + report.present, &report.refused), (1, &vec![]));
        }
        drop(importer);
        let copy = tempfile::tempdir().unwrap();
        let data = copy.path().join("data");
        let whole = Store { trail, appender, dir }.reopened_after(|from| copy_folder(from, &data));
        let (trail, appender) = open(&data);
        let pruned = Store { trail, appender, dir: copy };
        let first = BEGIN + before;
        pruned.prune(first);
        let pruned = pruned.reopened(true);
        let since = Some(first);
        prop_assert_eq!(pruned.ask(&changes(since)), whole.ask(&changes(since)));
        for key in keys() {
            prop_assert_eq!(pruned.ask(&history(key, since)), whole.ask(&history(key, since)));
            for later in [first, first + 30] {
                prop_assert_eq!(pruned.ask(&show(key, later)), whole.ask(&show(key, later)));
            }
        }
    }
}

fn time(line: &serde_json::Value) -> i64 {
    let time = line["time"].as_str().unwrap();
    chrono::DateTime::parse_from_rfc3339(time)
        .unwrap()
        .timestamp()
}
