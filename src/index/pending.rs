//! Indexed items that are not in a run yet.

use std::collections::BTreeMap;
use std::iter;

use super::block::KeyGroup;
use super::key::IndexKey;
use super::lookup::LookupValues;
use super::lookup_key::LookupKey;
use super::manifest::Position;
use crate::event::ProfileKey;

/// One event, to be indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: ProfileKey,
    /// The event's time in Unix seconds.
    pub time: i64,
    pub seq: u64,
}

/// Items collected in memory until there are enough for a run; about 100 bytes each.
pub(super) struct Pending {
    items: BTreeMap<(IndexKey, u64), i64>,
    /// First and last `seq` of events that cannot be read.
    pub unreadable: Vec<(u64, u64)>,
    /// The last `seq` of the log that is indexed with these.
    pub position: Position,
}

impl Pending {
    /// An empty collection after a position.
    pub const fn after(position: Position) -> Self {
        Self {
            items: BTreeMap::new(),
            unreadable: Vec::new(),
            position,
        }
    }

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

    pub fn add_values(&mut self, values: &LookupValues) {
        let items = values.0.iter().map(|key| ((IndexKey::Value(*key), 0), 0));
        self.items.extend(items);
    }

    pub fn has_value(&self, key: LookupKey) -> bool {
        self.items.contains_key(&(IndexKey::Value(key), 0))
    }

    /// The number of looked-up values.
    pub fn values(&self) -> usize {
        self.items.range((IndexKey::FIRST_VALUE, 0)..).count()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The items from a key on, those of each key together, in order.
    pub fn read_from(&self, key: IndexKey) -> impl Iterator<Item = KeyGroup> {
        let mut items = self.items.range((key, 0)..).peekable();
        iter::from_fn(move || {
            let (key, _) = *items.peek()?.0;
            let own = iter::from_fn(|| items.next_if(|((own, _), _)| *own == key));
            Some((
                key,
                own.map(|((_, number), value)| (*number, *value)).collect(),
            ))
        })
    }
}
