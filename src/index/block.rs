//! The bytes of a block of items.
//!
//! A block holds items in the order of slot and number, and is kept under the
//! name of its last item. Its bytes: the name of the last item before it in the
//! run, after its length (nothing in the run's first block), by which a block
//! that is gone is noticed; then pieces, up to the block's end:
//!
//! | part of a piece | as |
//! | --- | --- |
//! | head | 4 × the number of items + kind: 0 a profile's events, 1 a subprofile's events, 2 an owner |
//! | the slot | the profile, or an owner's subprofile, less that of the piece before (wrapping); of a subprofile's events its number too |
//! | each item | number and value less those of the item before in the piece (wrapping), the value's zigzag |
//!
//! All of them are LEB128 varints. Of [`super::word::Word`] head and slot are as that tells,
//! and there are no items.

use super::slot::{Item, put, put_bytes, put_signed, take, take_bytes, take_signed};
use super::slotted::Slotted;

/// About how many bytes of items a block holds. Finding one (sub)profile reads
/// a sled leaf of some ten blocks; smaller ones cost more names.
///
/// At ten million events, side by side: blocks of half a KiB take 347 MB, these
/// 275 MB; `changes` of an hour and of a day are as quick, and `stats`, which
/// reads all of them, leaves 54 MiB resident rather than 63.
const BLOCK_LEN: usize = 1024;

/// Items of one slot, in the order of their numbers; or a part of them.
pub(super) type Piece<S> = (S, Vec<Item>);

/// A block that is being filled.
pub(super) struct BlockWriter<S: Slotted> {
    bytes: Vec<u8>,
    /// What the next slot is told by.
    base: S::Base,
    last: Option<(S, u64)>,
}

/// A block's name and bytes.
pub(super) struct Block {
    pub name: Vec<u8>,
    pub bytes: Vec<u8>,
}

impl<S: Slotted> BlockWriter<S> {
    /// An empty block after the item of this name.
    pub fn new(before: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(BLOCK_LEN + 64);
        put_bytes(&mut bytes, before);
        Self {
            bytes,
            base: S::Base::default(),
            last: None,
        }
    }

    /// Adds as many of a slot's items as there is room for, at least one;
    /// returns the others.
    pub fn push<'a>(&mut self, slot: S, items: &'a [Item]) -> &'a [Item] {
        // An item takes 20 bytes at the most, some 7 as a rule.
        let room = BLOCK_LEN.saturating_sub(self.bytes.len()) / 7;
        let (items, rest) = items.split_at(room.clamp(1, 256).min(items.len()));
        let Some((last, _)) = items.last() else {
            return rest;
        };
        slot.put(items.len() as u64, &mut self.base, &mut self.bytes);
        let (mut number, mut value) = (0_u64, 0_i64);
        for item in items.iter().filter(|_| !S::BARE) {
            put(&mut self.bytes, item.0.wrapping_sub(number));
            put_signed(&mut self.bytes, item.1.wrapping_sub(value));
            (number, value) = *item;
        }
        self.last = Some((slot, *last));
        rest
    }

    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_LEN
    }

    /// The block; `None` where it has no items.
    pub fn finish(self) -> Option<Block> {
        let (slot, number) = self.last?;
        Some(Block {
            name: slot.name(number),
            bytes: self.bytes,
        })
    }
}

/// The name of the last item before a block, and its pieces; `None` where the
/// bytes make no sense.
pub(super) fn decode<S: Slotted>(bytes: &[u8]) -> Option<(&[u8], Vec<Piece<S>>)> {
    let (before, mut reader) = PieceReader::<S>::new(bytes)?;
    let mut pieces = Vec::new();
    while !reader.is_at_end() {
        let (slot, count) = reader.head()?;
        // An item has two bytes at least, or there is but one.
        let mut items = Vec::with_capacity(count.min(reader.bytes.len() / 2 + 1));
        reader.items(count, |item| items.push(item))?;
        pieces.push((slot, items));
    }
    Some((before, pieces))
}

/// Goes over a block's pieces; what is not asked for is not decoded.
pub(super) struct PieceReader<'a, S: Slotted> {
    bytes: &'a [u8],
    /// What the next slot is told by.
    base: S::Base,
}

impl<'a, S: Slotted> PieceReader<'a, S> {
    /// The name of the last item before a block, and a reader of its pieces.
    pub fn new(mut bytes: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let before = take_bytes(&mut bytes)?;
        let base = S::Base::default();
        Some((before, Self { bytes, base }))
    }

    /// Goes on where another reader of the same block was.
    pub fn resume(bytes: &'a [u8], place: PiecePlace<S::Base>) -> Option<Self> {
        let begin = bytes.len().checked_sub(place.left)?;
        Some(Self {
            bytes: bytes.get(begin..)?,
            base: place.base,
        })
    }

    /// Where in its block it is.
    pub const fn place(&self) -> PiecePlace<S::Base> {
        PiecePlace {
            left: self.bytes.len(),
            base: self.base,
        }
    }

    /// Whether there is no other piece.
    pub const fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The slot of the next piece, and how many items it has; those must be
    /// read or skipped then.
    pub fn head(&mut self) -> Option<(S, usize)> {
        S::take(&mut self.bytes, &mut self.base)
    }

    /// Reads the items of a piece.
    pub fn items(&mut self, count: usize, mut each: impl FnMut(Item)) -> Option<()> {
        let (mut number, mut value) = (0_u64, 0_i64);
        if S::BARE {
            each((number, value));
            return Some(());
        }
        for _ in 0..count {
            number = number.wrapping_add(take(&mut self.bytes)?);
            value = value.wrapping_add(take_signed(&mut self.bytes)?);
            each((number, value));
        }
        Some(())
    }

    /// Passes over the items of a piece.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        if S::BARE {
            return Some(());
        }
        let mut left = count.checked_mul(2)?;
        // Every varint ends with the one byte of it that is below 0x80.
        while left >= 8
            && let Some((eight, rest)) = self.bytes.split_first_chunk()
        {
            let ends = !u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080;
            left -= ends.count_ones() as usize;
            self.bytes = rest;
        }
        while left > 0 {
            let (byte, rest) = self.bytes.split_first()?;
            left -= usize::from(byte & 0x80 == 0);
            self.bytes = rest;
        }
        Some(())
    }
}

/// Where in a block a reader is.
#[derive(Clone, Copy)]
pub(super) struct PiecePlace<B> {
    /// How many bytes come after.
    left: usize,
    base: B,
}

#[cfg(test)]
mod tests {
    use super::super::slot::Slot;
    use super::super::word::Word;
    use super::*;
    use crate::event::ProfileKey;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn slot() -> impl Strategy<Value = Slot> {
        let number = prop_oneof![0..4_u64, any::<u64>()];
        (number.clone(), proptest::option::of(number), 0..3).prop_map(
            |(number, subprofile, kind)| match kind {
                0 => Slot::Owner(number),
                _ => Slot::Events(ProfileKey {
                    profile: number,
                    subprofile,
                }),
            },
        )
    }

    proptest! {
        #[test]
        fn a_block_reads_what_was_written(
            slots in proptest::collection::btree_map(
                slot(),
                proptest::collection::btree_map(any::<u64>(), any::<i64>(), 1..20),
                1..20,
            ),
            before: Vec<u8>,
        ) {
            let mut expected: BTreeMap<Slot, Vec<Item>> = BTreeMap::new();
            let mut writer = BlockWriter::new(&before);
            let mut name = Vec::new();
            for (slot, items) in slots {
                let items: Vec<Item> = items.into_iter().collect();
                let mut rest = items.as_slice();
                while !rest.is_empty() {
                    rest = writer.push(slot, rest);
                }
                name = slot.name(items.last().unwrap().0);
                expected.insert(slot, items);
            }
            let block = writer.finish().unwrap();
            prop_assert_eq!(&block.name, &name);
            let (found_before, pieces) = decode::<Slot>(&block.bytes).unwrap();
            prop_assert_eq!(found_before, before);
            let mut found: BTreeMap<Slot, Vec<Item>> = BTreeMap::new();
            for (slot, items) in pieces {
                found.entry(slot).or_default().extend(items);
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_is_passed_over_is_as_long_as_what_is_read(
            items in proptest::collection::btree_map(any::<u64>(), any::<i64>(), 1..40),
            small in proptest::collection::btree_map(0..300_u64, 0..300_i64, 1..40),
        ) {
            let mut writer = BlockWriter::<Slot>::new(b"before");
            for (number, items) in [(3, items), (4, small)] {
                let items: Vec<Item> = items.into_iter().collect();
                let mut rest = items.as_slice();
                while !rest.is_empty() {
                    rest = writer.push(Slot::Events(ProfileKey::profile(number)), rest);
                }
            }
            let block = writer.finish().unwrap();
            let (_, mut reading) = PieceReader::<Slot>::new(&block.bytes).unwrap();
            while !reading.is_at_end() {
                let mut skipping = PieceReader::<Slot>::resume(&block.bytes, reading.place()).unwrap();
                let (slot, count) = reading.head().unwrap();
                reading.items(count, |_| ()).unwrap();
                prop_assert_eq!(skipping.head().unwrap(), (slot, count));
                skipping.skip(count).unwrap();
                prop_assert_eq!(skipping.place().left, reading.place().left);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, count: usize) {
            let _ = decode::<Slot>(&bytes);
            let _ = decode::<Word>(&bytes);
            if let Some((_, mut reader)) = PieceReader::<Slot>::new(&bytes) {
                let _ = reader.skip(count);
            }
        }
    }
}
