//! The index in sled after a crash or damage.

use std::path::Path;

use super::error::IndexError;
use super::manifest::Manifest;
use super::pending::Entry;
use super::store::EventStore;
use super::tests_model::{pairs_of, position};
use super::timelines::MAX_PAIRS;
use super::tree::Database;
use crate::event::ProfileKey;

fn index(path: &Path) -> EventStore {
    EventStore::open(path, 1 << 20, &Manifest::new(9, 0))
        .unwrap()
        .with_run_len(1000)
}

fn enter(index: &EventStore, seqs: std::ops::RangeInclusive<u64>) {
    let position = position(*seqs.end());
    let entries: Vec<Entry> = seqs
        .map(|seq| Entry {
            key: ProfileKey::profile(seq * 7919 % 500),
            time: 1_700_000_000 + seq as i64,
            seq,
        })
        .collect();
    index.add(&entries, &[], position).unwrap();
}

fn runs(index: &EventStore) -> Vec<u64> {
    index.view().runs.iter().map(|run| run.meta.items).collect()
}

fn trees(index: &EventStore) -> usize {
    index.db.tree_names("run-").len()
}

#[test]
fn unfinished_runs_are_dropped_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let first = index(dir.path());
    for round in 0..4 {
        enter(&first, round * 1500 + 1..=round * 1500 + 1500);
    }
    assert_eq!(runs(&first), [1500; 4]);
    assert!(first.compact_step().unwrap(), "a merge begins");
    assert_eq!(trees(&first), 5);
    enter(&first, 6001..=6010);
    drop(first);

    let second = index(dir.path());
    assert_eq!(second.position().seq, 6000);
    assert_eq!(runs(&second), [1500; 4]);
    assert_eq!(trees(&second), 4);
    // No run was added since: the next one starts it.
    assert!(!second.compact_step().unwrap());
    enter(&second, 6001..=7001);
    while second.compact_step().unwrap() {}
    assert_eq!(runs(&second), [6000, 1001]);
    assert_eq!(trees(&second), 2);
    assert_eq!(second.position().seq, 7001);
}

#[test]
fn closing_leaves_nothing_to_read_again_and_few_runs() {
    let dir = tempfile::tempdir().unwrap();
    for seq in 1..=40 {
        let index = index(dir.path());
        assert_eq!(index.position().seq, seq - 1);
        enter(&index, seq..=seq);
        index.flush().unwrap();
    }
    let index = index(dir.path());
    assert_eq!(runs(&index).iter().sum::<u64>(), 40);
    assert!(runs(&index).len() < 8, "{:?}", runs(&index));
}

#[test]
fn a_missing_block_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let index = index(dir.path());
    enter(&index, 1..=1000);
    let Database::Sled(db) = &index.db else {
        unreachable!("the index is in sled")
    };
    let tree = db.open_tree("run-0").unwrap();
    let blocks: Vec<_> = tree.iter().map(Result::unwrap).collect();
    assert!(blocks.len() > 5);
    let all: Vec<_> = (0..500).map(ProfileKey::profile).collect();
    for (name, bytes) in &blocks {
        tree.remove(name).unwrap();
        let is_error = |profile| pairs_of(&index, &[ProfileKey::profile(profile)]).is_err();
        assert!((0..500).any(is_error));
        // No answer is short, even so.
        for profile in 0..500 {
            if let Ok(pairs) = pairs_of(&index, &[ProfileKey::profile(profile)]) {
                assert_eq!(pairs[0].len(), 2);
            }
        }
        // Nor if all are requested at once.
        assert!(matches!(pairs_of(&index, &all), Err(IndexError::Entry)));
        assert!(matches!(
            index.timelines_after(None, 1000),
            Err(IndexError::Entry)
        ));
        tree.insert(name, bytes).unwrap();
    }
    assert_eq!(index.timelines_after(None, 1000).unwrap().len(), 500);
}

#[test]
fn many_events_are_returned_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let index = index(dir.path());
    let many = MAX_PAIRS as u64;
    let keys: Vec<_> = (0..20).map(ProfileKey::profile).collect();
    // The third has too many for one answer, the others together too.
    let entries: Vec<Entry> = (1..=many * 3)
        .map(|seq| Entry {
            key: keys[if seq <= many * 3 / 2 {
                3
            } else {
                (seq % 20) as usize
            }],
            time: 1,
            seq,
        })
        .collect();
    for part in entries.chunks(10_000) {
        let last = part.last().unwrap().seq;
        index.add(part, &[], position(last)).unwrap();
    }
    let (mut found, mut answers) = (Vec::new(), 0);
    while found.len() < keys.len() {
        let part = pairs_of(&index, &keys[found.len()..]).unwrap();
        assert!(!part.is_empty());
        let pairs: usize = part.iter().map(Vec::len).sum();
        assert!(pairs <= MAX_PAIRS || part.len() == 1);
        found.extend(part);
        answers += 1;
    }
    assert!(answers > 3);
    for (key, pairs) in keys.iter().zip(&found) {
        let own = entries.iter().filter(|entry| entry.key == *key);
        assert!(
            own.map(|entry| (entry.time, entry.seq))
                .eq(pairs.iter().copied())
        );
    }
}

#[test]
fn an_index_of_another_folder_is_foreign() {
    let dir = tempfile::tempdir().unwrap();
    drop(EventStore::open(dir.path(), 1 << 20, &Manifest::new(9, 0)).unwrap());
    assert!(matches!(
        EventStore::open(dir.path(), 1 << 20, &Manifest::new(8, 0)),
        Err(IndexError::Foreign)
    ));
}
