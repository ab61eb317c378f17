//! Indexed items that are not in a run yet.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;

use super::block::KeyGroup;
use super::manifest::Position;
use super::run_key::{IndexKey, Item, RunKey};
use crate::event::ProfileKey;

/// One event, to be indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: ProfileKey,
    /// The event's time in Unix seconds.
    pub time: i64,
    pub seq: u64,
}

/// Items collected in memory until there are enough for a run; about 60 bytes each.
pub(super) struct Pending<K> {
    items: BTreeMap<(K, u64), i64>,
    /// First and last `seq` of events that cannot be read.
    pub unreadable: Vec<(u64, u64)>,
    /// The last `seq` of the log that is indexed with these.
    pub position: Position,
}

impl Pending<IndexKey> {
    /// Adds events, in the order of their `seq`.
    pub fn add(&mut self, entries: &[Entry], unreadable: &[(u64, u64)], position: Position) {
        for Entry { key, time, seq } in entries {
            self.items.insert((IndexKey::Events(*key), *seq), *time);
            if let Some(subprofile) = key.subprofile {
                // A subprofile belongs to the profile that its last event names.
                let owner = (IndexKey::Owner(subprofile), 0);
                self.items.insert(owner, key.profile.cast_signed());
            }
        }
        self.unreadable.extend_from_slice(unreadable);
        self.position = position;
    }
}

impl<K: RunKey> Pending<K> {
    /// An empty collection after a position.
    pub const fn after(position: Position) -> Self {
        Self {
            items: BTreeMap::new(),
            unreadable: Vec::new(),
            position,
        }
    }

    /// Adds keys that have no items.
    pub fn add_keys(&mut self, keys: &[K], position: Position) {
        let items = keys.iter().map(|key| ((*key, 0), 0));
        self.items.extend(items);
        self.position = position;
    }

    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.items.keys().map(|(key, _)| *key)
    }

    pub fn has_key(&self, key: K) -> bool {
        self.items.contains_key(&(key, 0))
    }

    pub fn remove_keys(&mut self, keys: &[K]) {
        for key in keys {
            self.items.remove(&(*key, 0));
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The items from a key on.
    pub fn read_from(&self, key: K) -> PendingReader<'_, K> {
        PendingReader {
            items: self.items.range((key, 0)..),
            head: None,
        }
    }
}

/// Reads pending items in order.
pub(super) struct PendingReader<'a, K> {
    items: Range<'a, (K, u64), i64>,
    head: Option<(K, Item)>,
}

impl<K: RunKey> PendingReader<'_, K> {
    fn item(&mut self) -> Option<(K, Item)> {
        let head = self.head.take();
        head.or_else(|| {
            let ((key, number), value) = self.items.next()?;
            Some((*key, (*number, *value)))
        })
    }

    /// All items of the next key.
    pub fn next(&mut self) -> Option<KeyGroup<K>> {
        let (key, first) = self.item()?;
        let mut items = vec![first];
        while let Some((own, item)) = self.item() {
            if own != key {
                self.head = Some((own, item));
                break;
            }
            items.push(item);
        }
        Some((key, items))
    }
}
