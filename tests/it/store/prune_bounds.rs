//! Whatever might make pruning remove what must stay: clocks, absurd times, a
//! small log, and others who append, ask and prune at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::store::{BEGIN, Store, blame, changes, history, show};
use crate::support::{copy_folder, flip, segments};
use profiletrail::event::ProfileKey;
use profiletrail::query::answer;
use profiletrail::store::{PruneError, PruneOrder, RetentionPeriod};
use serde_json::Value;

/// Long enough that a segment of [`SMALL`] holds two events.
fn body(profile: u64, time: i64, value: &str) -> String {
    let filler = "x".repeat(400);
    format!(
        "type=update&profile={profile}&database=1&time={time}&parameters[v]={value}&fields[v]={value}&fields[filler]={filler}"
    )
}

#[test]
fn nothing_makes_it_eat_too_much() {
    // An empty log; one whose only segment is the newest.
    let mut store = Store::new();
    assert_eq!(store.prune(BEGIN + 1).events, 0);
    store.add([body(1, BEGIN, "a")], BEGIN);
    let report = store.prune(BEGIN + 1_000_000);
    assert_eq!((report.events, report.kept), (0, 1));
    // The future, and what is younger than a day.
    let now = BEGIN + 1_000_000_000;
    for before in [now, now - 86_399, now + 1, i64::MAX] {
        let refused = store.try_prune(before, false);
        assert!(
            matches!(refused, Err(PruneError::TooYoung { .. })),
            "{before}"
        );
    }
    // Everything is older, but the newest segment stays.
    for day in 0..20_i64 {
        store.add(
            [body(2, BEGIN + day, "b"), body(3, BEGIN + day, "c")],
            BEGIN + day,
        );
    }
    // Absurd times: 1970 by a sender that is broken today, and 9999.
    store.add(
        [
            body(4, 0, "d"),
            body(4, 253_402_300_799, "e"),
            body(4, -1, "f"),
        ],
        BEGIN + 10_000,
    );
    store.add(
        [body(2, BEGIN + 10_001, "g"), body(2, BEGIN + 10_002, "h")],
        BEGIN + 10_001,
    );
    let all = store.ask(&history(ProfileKey::profile(4), None)).len();
    let report = store.prune(BEGIN + 9_000);
    assert_eq!(report.events, 41);
    assert_eq!(report.kept, 2);
    assert_eq!(store.ask(&history(ProfileKey::profile(4), None)).len(), all);
    let newest = store.trail.last_seq();
    let report = store.prune(now - 86_400);
    assert!(report.kept >= 1, "{report:?}");
    let left = store.ask(&changes(None));
    assert!(left.iter().any(|line| line["seq"] == newest), "{left:?}");
    let e = store.ask(&show(ProfileKey::profile(4), now));
    assert_eq!(e[0]["fields"]["v"], "d");
}

#[test]
fn a_clock_that_jumps_takes_nothing_along() {
    let mut store = Store::new();
    for day in 0..40_i64 {
        store.add(
            [
                body(1, BEGIN + day * 86_400, "a"),
                body(2, BEGIN + day * 86_400, "b"),
            ],
            BEGIN + day * 86_400,
        );
    }
    let count = |store: &Store| store.ask(&changes(None)).len();
    let before = count(&store);
    let keep = |store: &Store, now| {
        store
            .trail
            .keep(RetentionPeriod::Days(60), now, &|| false)
            .unwrap()
    };
    // 80 years ahead: the newest events say otherwise.
    assert_eq!(keep(&store, BEGIN + 80 * 365 * 86_400).events, 0);
    // Even where calls came in that time, as long as their sender's clock is right.
    store.add(
        [
            body(3, BEGIN + 40 * 86_400, "c"),
            body(3, BEGIN + 40 * 86_400 + 1, "d"),
        ],
        BEGIN + 80 * 365 * 86_400,
    );
    assert_eq!(keep(&store, BEGIN + 80 * 365 * 86_400).events, 0);
    // Behind: everything is young.
    assert_eq!(keep(&store, 0).events, 0);
    assert_eq!(keep(&store, i64::MIN).events, 0);
    assert!(count(&store) >= before);
    // And when all clocks are right, what is old goes.
    let report = store
        .trail
        .keep(RetentionPeriod::Days(10), BEGIN + 41 * 86_400, &|| false)
        .unwrap();
    assert!((1..60).contains(&report.events), "{report:?}");
}

#[test]
fn it_prunes_beside_answers_appends_and_others_who_prune() {
    let mut store = Store::new();
    for time in 0..150 {
        store.add(
            [body(time as u64 % 5 + 1, BEGIN + time, &time.to_string())],
            BEGIN + time,
        );
    }
    let trail = std::sync::Arc::clone(&store.trail);
    let since = BEGIN + 140;
    let expected = store.ask(&changes(Some(since)));
    let done = AtomicBool::new(false);
    let more = AtomicBool::new(false);
    let prune = |before| {
        trail.prune(PruneOrder {
            before,
            now: BEGIN + 1_000_000,
            dry_run: false,
            stop: &|| false,
            progress: &mut |_, _| (),
        })
    };
    let prune = &prune;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let mut out = Vec::new();
                    for query in [
                        changes(Some(since)),
                        changes(None),
                        history(ProfileKey::profile(3), None),
                        blame(ProfileKey::profile(1), since),
                    ] {
                        out.clear();
                        let (answered, _) =
                            answer(&trail, &query, None, &mut out, &mut |_| ()).unwrap();
                        assert_eq!(answered.damage, Vec::<String>::new(), "{query:?}");
                        if query == changes(Some(since)) && !more.load(Ordering::Acquire) {
                            let found = lines_of(&out);
                            assert_eq!(found[..expected.len()], expected[..]);
                        }
                    }
                }
            });
        }
        let others: Vec<_> = (0..3)
            .map(|number| {
                scope.spawn(move || {
                    let mut pruned = 0;
                    for step in 0..8 {
                        match prune(BEGIN + 15 * step + number) {
                            Ok(report) => pruned += report.events,
                            Err(PruneError::Busy) => std::thread::sleep(Duration::from_millis(1)),
                            Err(error) => panic!("{error}"),
                        }
                    }
                    pruned
                })
            })
            .collect();
        for time in 150..200 {
            store.add(
                [body(time as u64 % 5 + 1, BEGIN + time, &time.to_string())],
                BEGIN + time,
            );
        }
        let pruned: u64 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert!(pruned > 0);
        // Whatever they left, one more does.
        more.store(true, Ordering::Release);
        prune(since).unwrap();
        done.store(true, Ordering::Release);
    });
    assert_eq!(store.ask(&changes(None)).len(), 60);
}

#[test]
fn what_the_index_and_the_log_do_not_agree_on_is_not_pruned() {
    for the_index_knows in [false, true] {
        is_not_pruned_where_an_event_cannot_be_read(the_index_knows);
    }
}

fn is_not_pruned_where_an_event_cannot_be_read(the_index_knows: bool) {
    let mut store = Store::new();
    for time in 0..40 {
        store.add([body(time as u64 % 5 + 1, BEGIN + time, "a")], BEGIN + time);
    }
    store.trail.wait_for_index(|_| ()).unwrap();
    let data = store.trail.folder().path().to_owned();
    // An event that is not the last of its profile.
    let segment = &segments(&data)[3];
    let whole = std::fs::read(segment).unwrap();
    flip(segment, |_| 100);
    if the_index_knows {
        store = store.reopened(true);
    }
    let before = store.log_len();
    let refused = store.try_prune(BEGIN + 30, false).unwrap_err();
    match refused {
        PruneError::IndexDiffers { .. } => assert!(!the_index_knows),
        PruneError::Unreadable(_) => assert!(the_index_knows),
        other => panic!("{other}"),
    }
    assert_eq!(store.log_len(), before);
    assert_eq!(store.trail.retention().pruned, None);
    let format = std::fs::read_to_string(data.join("format")).unwrap();
    assert!(!format.contains("pruned"), "{format}");
    let baselines = std::fs::read_dir(data.join("baselines"));
    assert_eq!(baselines.map_or(0, Iterator::count), 0);
    std::fs::write(segment, whole).unwrap();
    if the_index_knows {
        store = store.reopened(true);
    }
    assert_eq!(store.prune(BEGIN + 30).events, 30);
}

fn lines_of(bytes: &[u8]) -> Vec<Value> {
    let lines = serde_json::Deserializer::from_slice(bytes).into_iter();
    lines.map(Result::unwrap).collect()
}

#[test]
fn files_set_aside_of_pruned_segments_are_removed() {
    let mut store = Store::new();
    for day in 0..30_i64 {
        store.add([body(1, BEGIN + day, "a")], BEGIN + day);
    }
    let log = store.trail.folder().path().join("log");
    let last = store.trail.events().segments().last().unwrap().0;
    let names = [
        format!("{:020}.log.damaged-20260101T000000Z", 1),
        format!("{:020}.torn-900-0", 1),
        format!("{last:020}.log.damaged-20260101T000000Z"),
    ];
    for name in &names {
        std::fs::write(log.join(name), b"v=a").unwrap();
    }
    assert!(store.prune(BEGIN + 10).events > 0);
    let left = names.map(|name| log.join(name).exists());
    assert_eq!(left, [false, false, true]);
}

/// A server that is killed between the commit and the end of the removal has an
/// index that still knows the pruned events.
#[test]
fn an_index_of_before_the_prune_is_built_again_at_the_start() {
    let mut store = Store::new();
    for day in 0..30_i64 {
        // Every third call is late: it stays.
        let received = if day % 3 == 0 {
            BEGIN + 1_000_000
        } else {
            BEGIN + day
        };
        store.add([body(1, BEGIN + day, &day.to_string())], received);
    }
    store.trail.wait_for_index(|_| ()).unwrap();
    let all = store.ask(&changes(None)).len();
    let aside = tempfile::tempdir().unwrap();
    let old = aside.path().join("index");
    let store = store.reopened_after(|data| copy_folder(&data.join("index"), &old));
    let pruned = store.prune(BEGIN + 20).events;
    assert!(pruned > 5);
    let expected = store.ask(&changes(None));
    assert!(expected.len() < all);
    let store = store.reopened_after(|data| {
        std::fs::remove_dir_all(data.join("index")).unwrap();
        copy_folder(&old, &data.join("index"));
    });
    assert_eq!(store.ask(&changes(None)), expected);
}
