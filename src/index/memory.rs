//! The index in memory, for when sled cannot be written.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::ask::{MOST_PAIRS, Pairs, Recent, Stretch, Timed};
use super::store::Entry;
use crate::event::ProfileKey;

/// The same entries as in sled, at about 16 bytes an event.
#[derive(Debug, Default)]
pub(super) struct MemoryIndex {
    timelines: BTreeMap<ProfileKey, Pairs>,
    profiles: BTreeMap<u64, u64>,
    unreadable: Vec<(u64, u64)>,
}

impl MemoryIndex {
    pub fn apply(&mut self, entries: &[Entry], unreadable: &[(u64, u64)]) {
        self.unreadable.extend_from_slice(unreadable);
        for entry in entries {
            self.timelines
                .entry(entry.key)
                .or_default()
                .push((entry.time, entry.seq));
            if let Some(subprofile) = entry.key.subprofile {
                self.profiles.insert(subprofile, entry.key.profile);
            }
        }
    }

    pub fn pairs(&self, keys: &[ProfileKey]) -> Vec<Pairs> {
        let mut left = MOST_PAIRS;
        let mut found = Vec::new();
        for key in keys {
            let pairs = self.timelines.get(key);
            if !found.is_empty() && pairs.is_some_and(|pairs| pairs.len() > left) {
                break;
            }
            let pairs = pairs.cloned().unwrap_or_default();
            left = left.saturating_sub(pairs.len());
            found.push(pairs);
        }
        found
    }

    /// The same of a stretch; none of them is cut.
    pub fn recent(
        &self,
        keys: &[ProfileKey],
        stretch: &Stretch<impl Fn(i64, u64) -> bool>,
    ) -> Vec<Recent> {
        let of_key = |pairs: Pairs| {
            let mut recent = Recent::default();
            pairs
                .into_iter()
                .for_each(|pair| recent.take(stretch, pair));
            recent
        };
        self.pairs(keys).into_iter().map(of_key).collect()
    }

    pub fn unreadable(&self) -> Vec<(u64, u64)> {
        self.unreadable.clone()
    }

    pub fn profile_of(&self, subprofile: u64) -> Option<u64> {
        self.profiles.get(&subprofile).copied()
    }

    pub fn keys_after(&self, after: Option<ProfileKey>, limit: usize) -> Vec<ProfileKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.timelines.range((from, Bound::Unbounded));
        keys.take(limit).map(|(key, _)| *key).collect()
    }

    pub fn walk(&self, after: Option<ProfileKey>, limit: usize) -> Vec<Timed> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let timelines = self.timelines.range((from, Bound::Unbounded));
        let timelines = timelines.map(|(key, pairs)| (*key, pairs.clone()));
        timelines.take(limit).collect()
    }
}
