//! The index against a naive one, under any sequence of operations.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::error::IndexError;
use super::manifest::{Manifest, Position};
use super::pending::Entry;
use super::store::EventStore;
use super::timelines::{Pairs, TimeRange};
use super::tree::Database;
use crate::event::ProfileKey;

/// An operation on the index.
#[derive(Clone, Debug)]
enum Action {
    /// Events arrive: which (sub)profiles, and the times.
    Add(Vec<(usize, i64)>),
    /// Events arrive that cannot be read.
    Unreadable(u64),
    /// Steps of merging.
    Compact(usize),
    /// It is closed and opened.
    Reopen,
    /// It is dropped without a flush; events are read again from its position on.
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    let event = (0..24_usize, -5..2_000_000_000_i64);
    prop_oneof![
        6 => proptest::collection::vec(event, 1..400).prop_map(Action::Add),
        1 => (1..5_u64).prop_map(Action::Unreadable),
        4 => (1..4_usize).prop_map(Action::Compact),
        1 => Just(Action::Reopen),
        1 => Just(Action::Crash),
    ]
}

/// Some profiles and subprofiles; some subprofiles move to another profile.
fn keys() -> Vec<ProfileKey> {
    let profiles = [0, 1, 2, 300, u64::MAX];
    let mut keys: Vec<ProfileKey> = profiles.map(ProfileKey::profile).to_vec();
    for profile in profiles {
        for subprofile in [0, 7, 8, u64::MAX] {
            keys.push(ProfileKey::subprofile(profile, subprofile));
        }
    }
    keys
}

pub(super) const fn position(seq: u64) -> Position {
    Position { seq, record_crc: 3 }
}

/// The content of the log.
#[derive(Default)]
struct Log {
    entries: Vec<Entry>,
    unreadable: Vec<(u64, u64)>,
    last: u64,
}

impl Log {
    /// Indexes the events after a position.
    fn index(&self, index: &EventStore) {
        let after = index.position().seq;
        let entries = self.entries.iter().filter(|entry| entry.seq > after);
        let unreadable = self.unreadable.iter().filter(|(first, _)| *first > after);
        let (entries, unreadable): (Vec<_>, Vec<_>) =
            (entries.copied().collect(), unreadable.copied().collect());
        index
            .add(&entries, &unreadable, position(self.last))
            .unwrap();
    }
}

fn check(index: &EventStore, log: &Log, limit: usize) -> Result<(), TestCaseError> {
    let mut naive: BTreeMap<ProfileKey, Pairs> = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for Entry { key, time, seq } in &log.entries {
        naive.entry(*key).or_default().push((*time, *seq));
        if let Some(subprofile) = key.subprofile {
            owners.insert(subprofile, key.profile);
        }
    }
    prop_assert_eq!(index.position().seq, log.last);
    prop_assert_eq!(index.unreadable(), log.unreadable.clone());
    let known = |key: &ProfileKey| sorted(naive.get(key).cloned().unwrap_or_default());
    let pairs = |keys: &[ProfileKey]| -> Vec<Pairs> { pairs_of(index, keys).unwrap() };
    let mut keys = keys();
    for key in &keys {
        prop_assert_eq!(&pairs(&[*key]), &[known(key)], "{}", key);
    }
    // Many at once, in order and in any order, and unknown ones.
    keys.extend((298..302).map(ProfileKey::profile));
    let expected: Vec<_> = keys.iter().map(known).collect();
    prop_assert_eq!(pairs(&keys), expected);
    keys.sort_unstable();
    for keys in [keys.as_slice(), &keys[..limit.min(keys.len())]] {
        let expected: Vec<_> = keys.iter().map(known).collect();
        prop_assert_eq!(pairs(keys), expected);
    }
    check_slices(index, &keys, log, &known)?;
    for subprofile in [0, 7, 8, 9, u64::MAX] {
        prop_assert_eq!(
            index.profile_of(subprofile).unwrap(),
            owners.get(&subprofile).copied()
        );
    }
    let (mut walked, mut keys_of_walk, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let keys = index.keys_after(after, limit).unwrap();
        let more = index.timelines_after(after, limit).unwrap();
        prop_assert!(more.len() <= limit);
        prop_assert!(keys.starts_with(&more.iter().map(|(key, _)| *key).collect::<Vec<_>>()));
        let Some((last, _)) = more.last() else { break };
        after = Some(*last);
        keys_of_walk.extend_from_slice(&keys[..more.len()]);
        walked.extend(more);
    }
    prop_assert!(keys_of_walk.is_sorted_by(|a, b| a < b));
    let naive = naive.keys().map(|key| (*key, known(key)));
    prop_assert_eq!(walked, naive.collect::<Vec<_>>());
    Ok(())
}

/// All pairs of some (sub)profiles.
pub(super) fn pairs_of(index: &EventStore, keys: &[ProfileKey]) -> Result<Vec<Pairs>, IndexError> {
    let all = TimeRange {
        since: i64::MIN,
        until: i64::MAX,
        visible: |_, _| true,
    };
    let slices = index.slices(keys, &all)?.into_iter();
    Ok(slices.map(|slice| slice.pairs).collect())
}

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort_unstable();
    pairs
}

/// A slice has all pairs of its range, and everything between its first pair and the
/// range.
fn check_slices(
    index: &EventStore,
    keys: &[ProfileKey],
    log: &Log,
    known: &impl Fn(&ProfileKey) -> Pairs,
) -> Result<(), TestCaseError> {
    let time = |place: usize| log.entries.get(place).map_or(0, |entry| entry.time);
    let count = log.entries.len();
    for (since, until) in [
        (time(count / 2), time(count / 2) + 1),
        (time(count / 3), time(count / 2)),
        (time(count.saturating_sub(1)), i64::MAX),
        (i64::MIN, time(count / 4)),
    ] {
        let visible = |time: i64, seq: u64| (time + seq.cast_signed()) % 7 != 0;
        let range = TimeRange {
            since,
            until,
            visible,
        };
        for (key, slice) in keys.iter().zip(index.slices(keys, &range).unwrap()) {
            let mut all = known(key);
            all.retain(|(time, seq)| *time < until && visible(*time, *seq));
            let found = slice.pairs;
            let before = all
                .iter()
                .map(|pair| pair.0)
                .filter(|time| *time < since)
                .max();
            let wanted = all.partition_point(|(time, _)| *time < before.unwrap_or(since));
            prop_assert!(
                found.ends_with(&all[wanted..]),
                "{} {:?} {:?}",
                key,
                found,
                all
            );
            prop_assert!(found.iter().all(|pair| all.contains(pair)));
            prop_assert!(slice.cut || found == all);
        }
    }
    Ok(())
}

#[test]
fn runs_that_end_before_the_range_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let index = EventStore::open(dir.path(), 1 << 20, &Manifest::new(9, 0))
        .unwrap()
        .with_run_len(50);
    let key = ProfileKey::profile(7);
    for run in 0..3_u64 {
        let entries: Vec<Entry> = (run * 50 + 1..=run * 50 + 50)
            .map(|seq| Entry {
                key,
                time: seq.cast_signed(),
                seq,
            })
            .collect();
        index.add(&entries, &[], position(run * 50 + 50)).unwrap();
    }
    let first_and_cut = |since, until| {
        let visible = |time, _| time != 99;
        let range = TimeRange {
            since,
            until,
            visible,
        };
        let slice = index.slices(&[key], &range).unwrap().remove(0);
        let times = slice.pairs.into_iter().map(|pair| pair.0);
        (times.min(), slice.cut)
    };
    assert_eq!(first_and_cut(103, 140), (Some(101), true));
    assert_eq!(first_and_cut(101, 140), (Some(51), true));
    assert_eq!(first_and_cut(52, 60), (Some(51), true));
    assert_eq!(first_and_cut(51, 60), (Some(1), false));
    assert_eq!(first_and_cut(1, 10), (Some(1), false));
    assert_eq!(first_and_cut(1, 1), (None, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_answers_as_a_naive_index(
        actions in proptest::collection::vec(action(), 1..40),
        run_len in 1..600_usize,
        limit in 1..30_usize,
        steady: bool,
        in_memory: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let open = || if in_memory {
            EventStore::with_database(Database::Memory, &Manifest::new(9, 0))
        } else {
            EventStore::open(dir.path(), 1 << 20, &Manifest::new(9, 0))
        };
        let open = || open().unwrap().with_run_len(run_len);
        let keys = keys();
        let mut index = open();
        let mut log = Log::default();
        for action in actions {
            match action {
                Action::Add(events) => for (key, time) in events {
                    log.last += 1;
                    // Mostly events arrive in the order of their times.
                    let time = if steady { log.last.cast_signed() * 3 + time % 50 } else { time };
                    log.entries.push(Entry { key: keys[key], time, seq: log.last });
                },
                Action::Unreadable(count) => {
                    log.unreadable.push((log.last + 1, log.last + count));
                    log.last += count;
                }
                Action::Compact(steps) => for _ in 0..steps {
                    index.compact_step().unwrap();
                },
                Action::Reopen => {
                    index.flush().unwrap();
                    drop(index);
                    index = open();
                    prop_assert!(in_memory || index.position().seq == log.last);
                }
                Action::Crash => {
                    drop(index);
                    index = open();
                }
            }
            log.index(&index);
            check(&index, &log, limit)?;
        }
        index.flush().unwrap();
        check(&index, &log, limit)?;
    }
}
