//! The index in sled against the plain one in memory, whatever is done to it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::ask::{Pairs, Stretch};
use super::memory::MemoryIndex;
use super::store::{Entry, Position, SledIndex};
use crate::event::ProfileKey;

/// What is done to the index.
#[derive(Clone, Debug)]
enum Deed {
    /// Events come: which (sub)profiles, and the times.
    Enter(Vec<(usize, i64)>),
    /// Events come that cannot be read.
    Unreadable(u64),
    /// So many steps of merging.
    Tidy(usize),
    /// It is closed and opened.
    Reopen,
    /// It is dropped as it is; events are read again from where it stands.
    Crash,
}

fn deed() -> impl Strategy<Value = Deed> {
    let event = (0..24_usize, -5..2_000_000_000_i64);
    prop_oneof![
        6 => proptest::collection::vec(event, 1..400).prop_map(Deed::Enter),
        1 => (1..5_u64).prop_map(Deed::Unreadable),
        4 => (1..4_usize).prop_map(Deed::Tidy),
        1 => Just(Deed::Reopen),
        1 => Just(Deed::Crash),
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

/// What came, as the log has it.
#[derive(Default)]
struct Came {
    entries: Vec<Entry>,
    unreadable: Vec<(u64, u64)>,
    last: u64,
}

impl Came {
    /// Enters what came after a position.
    fn enter(&self, index: &SledIndex) {
        let after = index.position().seq;
        let entries = self.entries.iter().filter(|entry| entry.seq > after);
        let unreadable = self.unreadable.iter().filter(|(first, _)| *first > after);
        let position = Position {
            seq: self.last,
            mark: 3,
        };
        let (entries, unreadable): (Vec<_>, Vec<_>) =
            (entries.copied().collect(), unreadable.copied().collect());
        index.apply(&entries, &unreadable, position).unwrap();
    }
}

fn check(index: &SledIndex, came: &Came, limit: usize) -> Result<(), TestCaseError> {
    let mut memory = MemoryIndex::default();
    memory.apply(&came.entries, &came.unreadable);
    let all = memory.walk(None, usize::MAX);
    prop_assert_eq!(index.position().seq, came.last);
    prop_assert_eq!(index.unreadable().unwrap(), memory.unreadable());
    let known = |key: &ProfileKey| sorted(memory.pairs(&[*key]).remove(0));
    let pairs = |keys: &[ProfileKey]| -> Vec<Pairs> {
        let found = index.pairs(keys).unwrap().into_iter();
        found.map(sorted).collect()
    };
    let mut keys = keys();
    for key in &keys {
        prop_assert_eq!(&pairs(&[*key]), &[known(key)], "{}", key);
    }
    // Many at once, in order and in any order; and those that there are not.
    keys.extend((298..302).map(ProfileKey::profile));
    let expected: Vec<_> = keys.iter().map(known).collect();
    prop_assert_eq!(pairs(&keys), expected);
    keys.sort_unstable();
    for keys in [keys.as_slice(), &keys[..limit.min(keys.len())]] {
        let expected: Vec<_> = keys.iter().map(known).collect();
        prop_assert_eq!(pairs(keys), expected);
    }
    check_recent(index, &keys, came, &known)?;
    for subprofile in [0, 7, 8, 9, u64::MAX] {
        prop_assert_eq!(
            index.profile_of(subprofile).unwrap(),
            memory.profile_of(subprofile)
        );
    }
    let (mut walked, mut known, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let keys = index.keys_after(after, limit).unwrap();
        let more = index.walk(after, limit).unwrap();
        prop_assert!(more.len() <= limit);
        prop_assert!(keys.starts_with(&more.iter().map(|(key, _)| *key).collect::<Vec<_>>()));
        let Some((last, _)) = more.last() else { break };
        after = Some(*last);
        known.extend_from_slice(&keys[..more.len()]);
        walked.extend(more);
    }
    let sorted: BTreeMap<ProfileKey, ()> = known.iter().map(|key| (*key, ())).collect();
    prop_assert!(sorted.into_keys().eq(known));
    prop_assert_eq!(walked, all);
    Ok(())
}

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort_unstable();
    pairs
}

/// What is told of a stretch is all that it asks for, and of what comes before
/// it nothing is left out between what is told and the stretch.
fn check_recent(
    index: &SledIndex,
    keys: &[ProfileKey],
    came: &Came,
    known: &impl Fn(&ProfileKey) -> Pairs,
) -> Result<(), TestCaseError> {
    let time = |place: usize| came.entries.get(place).map_or(0, |entry| entry.time);
    let count = came.entries.len();
    for (since, until) in [
        (time(count / 2), time(count / 2) + 1),
        (time(count / 3), time(count / 2)),
        (time(count.saturating_sub(1)), i64::MAX),
        (i64::MIN, time(count / 4)),
    ] {
        let visible = |time: i64, seq: u64| (time + seq.cast_signed()) % 7 != 0;
        let stretch = Stretch {
            since,
            until,
            visible,
        };
        for (key, recent) in keys.iter().zip(index.recent(keys, &stretch).unwrap()) {
            let mut all = known(key);
            all.retain(|(time, seq)| *time < until && visible(*time, *seq));
            let found = sorted(recent.pairs);
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
            prop_assert!(recent.cut || found == all);
        }
    }
    Ok(())
}

#[test]
fn runs_that_end_before_what_is_asked_for_are_not_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let index = SledIndex::open(dir.path(), 1 << 20, 9, 0)
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
        let position = Position {
            seq: run * 50 + 50,
            mark: 3,
        };
        index.apply(&entries, &[], position).unwrap();
    }
    let told = |since, until| {
        let visible = |time, _| time != 99;
        let stretch = Stretch {
            since,
            until,
            visible,
        };
        let recent = index.recent(&[key], &stretch).unwrap().remove(0);
        let times = recent.pairs.into_iter().map(|pair| pair.0);
        (times.min(), recent.cut)
    };
    assert_eq!(told(103, 140), (Some(101), true));
    assert_eq!(told(101, 140), (Some(51), true));
    assert_eq!(told(52, 60), (Some(51), true));
    assert_eq!(told(51, 60), (Some(1), false));
    assert_eq!(told(1, 10), (Some(1), false));
    assert_eq!(told(1, 1), (None, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_tells_what_a_plain_index_tells(
        deeds in proptest::collection::vec(deed(), 1..40),
        run_len in 1..600_usize,
        limit in 1..30_usize,
        steady: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let open = || SledIndex::open(dir.path(), 1 << 20, 9, 0).unwrap().with_run_len(run_len);
        let keys = keys();
        let mut index = open();
        let mut came = Came::default();
        for deed in deeds {
            match deed {
                Deed::Enter(events) => for (key, time) in events {
                    came.last += 1;
                    // Mostly events come in the order of their times.
                    let time = if steady { came.last.cast_signed() * 3 + time % 50 } else { time };
                    came.entries.push(Entry { key: keys[key], time, seq: came.last });
                },
                Deed::Unreadable(count) => {
                    came.unreadable.push((came.last + 1, came.last + count));
                    came.last += count;
                }
                Deed::Tidy(steps) => for _ in 0..steps {
                    index.tidy().unwrap();
                },
                Deed::Reopen => {
                    index.flush().unwrap();
                    drop(index);
                    index = open();
                    prop_assert_eq!(index.position().seq, came.last);
                }
                Deed::Crash => {
                    drop(index);
                    index = open();
                }
            }
            came.enter(&index);
            check(&index, &came, limit)?;
        }
        index.flush().unwrap();
        check(&index, &came, limit)?;
    }
}
