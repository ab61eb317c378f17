//! What is in the index but not in sled yet.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;

use super::block::Piece;
use super::slot::{Item, Slot};
use super::store::{Entry, Position};

/// Items that wait until there are enough for a run; some 60 bytes each.
#[derive(Default)]
pub(super) struct Pending {
    items: BTreeMap<(Slot, u64), i64>,
    /// First and last `seq` of events that cannot be read.
    pub unreadable: Vec<(u64, u64)>,
    /// Up to where the log is applied with these.
    pub position: Position,
}

impl Pending {
    /// Nothing yet, after a position.
    pub fn after(position: Position) -> Self {
        Self {
            position,
            ..Self::default()
        }
    }

    /// Enters events, in the order of their `seq`.
    pub fn enter(&mut self, entries: &[Entry], unreadable: &[(u64, u64)], position: Position) {
        for Entry { key, time, seq } in entries {
            self.items.insert((Slot::Events(*key), *seq), *time);
            if let Some(subprofile) = key.subprofile {
                // The last event of a subprofile decides whose it is.
                let owner = (Slot::Owner(subprofile), 0);
                self.items.insert(owner, key.profile.cast_signed());
            }
        }
        self.unreadable.extend_from_slice(unreadable);
        self.position = position;
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The items from a slot on.
    pub fn read_from(&self, slot: Slot) -> PendingReader<'_> {
        PendingReader {
            items: self.items.range((slot, 0)..),
            head: None,
        }
    }
}

/// Reads pending items in order.
pub(super) struct PendingReader<'a> {
    items: Range<'a, (Slot, u64), i64>,
    head: Option<(Slot, Item)>,
}

impl PendingReader<'_> {
    fn item(&mut self) -> Option<(Slot, Item)> {
        let head = self.head.take();
        head.or_else(|| {
            let ((slot, number), value) = self.items.next()?;
            Some((*slot, (*number, *value)))
        })
    }

    /// All items of the next slot.
    pub fn next(&mut self) -> Option<Piece> {
        let (slot, first) = self.item()?;
        let mut items = vec![first];
        while let Some((own, item)) = self.item() {
            if own != slot {
                self.head = Some((own, item));
                break;
            }
            items.push(item);
        }
        Some((slot, items))
    }
}
