//! What is in the index but not in sled yet.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;

use super::block::Piece;
use super::slot::{Item, Slot};
use super::slotted::Slotted;
use super::store::{Entry, Position};

/// Items that wait until there are enough for a run; some 60 bytes each.
pub(super) struct Pending<S> {
    items: BTreeMap<(S, u64), i64>,
    /// First and last `seq` of events that cannot be read.
    pub unreadable: Vec<(u64, u64)>,
    /// Up to where the log is applied with these.
    pub position: Position,
}

impl Pending<Slot> {
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
}

impl<S: Slotted> Pending<S> {
    /// Nothing yet, after a position.
    pub const fn after(position: Position) -> Self {
        Self {
            items: BTreeMap::new(),
            unreadable: Vec::new(),
            position,
        }
    }

    /// Enters slots that have no items but one.
    pub fn enter_bare(&mut self, slots: &[S], position: Position) {
        let items = slots.iter().map(|slot| ((*slot, 0), 0));
        self.items.extend(items);
        self.position = position;
    }

    /// The slots of which there are items.
    pub fn slots(&self) -> impl Iterator<Item = S> {
        self.items.keys().map(|(slot, _)| *slot)
    }

    /// Whether there is a bare slot.
    pub fn holds_bare(&self, slot: S) -> bool {
        self.items.contains_key(&(slot, 0))
    }

    /// Lets bare slots go.
    pub fn forget_bare(&mut self, slots: &[S]) {
        for slot in slots {
            self.items.remove(&(*slot, 0));
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The items from a slot on.
    pub fn read_from(&self, slot: S) -> PendingReader<'_, S> {
        PendingReader {
            items: self.items.range((slot, 0)..),
            head: None,
        }
    }
}

/// Reads pending items in order.
pub(super) struct PendingReader<'a, S> {
    items: Range<'a, (S, u64), i64>,
    head: Option<(S, Item)>,
}

impl<S: Slotted> PendingReader<'_, S> {
    fn item(&mut self) -> Option<(S, Item)> {
        let head = self.head.take();
        head.or_else(|| {
            let ((slot, number), value) = self.items.next()?;
            Some((*slot, (*number, *value)))
        })
    }

    /// All items of the next slot.
    pub fn next(&mut self) -> Option<Piece<S>> {
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
