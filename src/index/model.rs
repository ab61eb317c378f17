//! The index in sled against the plain one in memory, whatever is done to it.

use std::collections::BTreeMap;

use proptest::prelude::*;

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
    let known = |key: &ProfileKey| memory.pairs(&[*key]).remove(0);
    let mut keys = keys();
    for key in &keys {
        prop_assert_eq!(&index.pairs(&[*key]).unwrap(), &[known(key)], "{}", key);
    }
    // Many at once, in order and in any order; and those that there are not.
    keys.extend((298..302).map(ProfileKey::profile));
    let expected: Vec<_> = keys.iter().map(known).collect();
    prop_assert_eq!(index.pairs(&keys).unwrap(), expected);
    keys.sort_unstable();
    for keys in [keys.as_slice(), &keys[..limit.min(keys.len())]] {
        let expected: Vec<_> = keys.iter().map(known).collect();
        prop_assert_eq!(index.pairs(keys).unwrap(), expected);
    }
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_tells_what_a_plain_index_tells(
        deeds in proptest::collection::vec(deed(), 1..40),
        run_len in 1..600_usize,
        limit in 1..30_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let open = || SledIndex::open(dir.path(), 1 << 20, 9).unwrap().with_run_len(run_len);
        let keys = keys();
        let mut index = open();
        let mut came = Came::default();
        for deed in deeds {
            match deed {
                Deed::Enter(events) => for (key, time) in events {
                    came.last += 1;
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
