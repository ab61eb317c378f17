//! The bytes of a block of items.
//!
//! A block holds items in the order of key and number, and is stored under the
//! name of its last item. Its bytes: the name of the last item before it in the
//! run, after its length (empty in the run's first block), by which a missing
//! block is noticed; then groups of items, up to the block's end:
//!
//! | part of a group | as |
//! | --- | --- |
//! | head | 4 × the number of items + kind: 0 a profile's events, 1 a subprofile's events, 2 an owner; for a value 4 × flags + 3 |
//! | key | the profile, or an owner's subprofile, less that of the group before (wrapping); of a subprofile's events its number too; for a value [`super::lookup_key::LookupKey::put`] |
//! | each item | number and value less those of the item before in the group (wrapping), the value's zigzag; a value has none |
//!
//! All except values are varints.

use super::error::IndexError;
use super::key::{Base, IndexKey, Item};
use super::varint::{put, put_signed, skip, take, take_bytes, take_signed};

/// About how many bytes of items a block holds. Smaller blocks cost more names
/// on the disk, larger ones more decoding for each key that is looked for.
const BLOCK_LEN: usize = 1024;

/// Items of one key in the order of their numbers, or some of them.
pub(super) type KeyGroup = (IndexKey, Vec<Item>);

/// A block that is being filled.
pub(super) struct BlockWriter {
    bytes: Vec<u8>,
    base: Base,
    last: Option<(IndexKey, u64)>,
}

impl BlockWriter {
    /// An empty block after the item of this name.
    pub fn new(before: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(BLOCK_LEN + 64);
        put(&mut bytes, before.len() as u64);
        bytes.extend_from_slice(before);
        Self {
            bytes,
            base: Base::default(),
            last: None,
        }
    }

    /// Adds as many of a key's items as there is room for, at least one;
    /// returns the others.
    pub fn push<'a>(&mut self, key: IndexKey, items: &'a [Item]) -> &'a [Item] {
        // An item takes at most 20 bytes, mostly about 7.
        let room = BLOCK_LEN.saturating_sub(self.bytes.len()) / 7;
        let (items, rest) = items.split_at(room.clamp(1, 256).min(items.len()));
        let Some((last, _)) = items.last() else {
            return rest;
        };
        key.put(items.len() as u64, &mut self.base, &mut self.bytes);
        let (mut number, mut value) = (0_u64, 0_i64);
        for item in items.iter().filter(|_| key.has_items()) {
            put(&mut self.bytes, item.0.wrapping_sub(number));
            put_signed(&mut self.bytes, item.1.wrapping_sub(value));
            (number, value) = *item;
        }
        self.last = Some((key, *last));
        rest
    }

    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_LEN
    }

    /// The block's name and bytes; `None` if it has no items.
    pub fn finish(self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (key, number) = self.last?;
        Some((key.name(number), self.bytes))
    }
}

/// Reads a block's groups in order.
pub(super) struct GroupReader<B> {
    bytes: B,
    /// How many bytes are still to be read.
    left: usize,
    base: Base,
    /// The head of a group whose items are still to be read.
    head: Option<(IndexKey, usize)>,
}

impl<B: AsRef<[u8]>> GroupReader<B> {
    /// A reader at the first group.
    pub fn new(bytes: B) -> Result<Self, IndexError> {
        let mut rest = bytes.as_ref();
        take_bytes(&mut rest).ok_or(IndexError::Entry)?;
        Ok(Self {
            left: rest.len(),
            bytes,
            base: Base::default(),
            head: None,
        })
    }

    /// The name of the last item before the block; empty in a run's first block.
    pub fn before(&self) -> &[u8] {
        let mut rest = self.bytes.as_ref();
        take_bytes(&mut rest).unwrap_or_default()
    }

    /// Reads a part of the bytes that are left.
    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut &[u8], &mut Base) -> Option<T>,
    ) -> Result<T, IndexError> {
        let bytes = self.bytes.as_ref();
        let begin = bytes.len().saturating_sub(self.left);
        let mut rest = bytes.get(begin..).unwrap_or_default();
        let found = read(&mut rest, &mut self.base).ok_or(IndexError::Entry)?;
        self.left = rest.len();
        Ok(found)
    }

    /// The key of the next group; `None` at the end.
    pub fn key(&mut self) -> Result<Option<IndexKey>, IndexError> {
        if self.head.is_none() && self.left > 0 {
            self.head = Some(self.read(IndexKey::take)?);
        }
        Ok(self.head.map(|(key, _)| key))
    }

    /// Reads the items of the next group.
    pub fn items(&mut self, mut each: impl FnMut(Item)) -> Result<(), IndexError> {
        self.key()?;
        let Some((key, count)) = self.head.take() else {
            return Ok(());
        };
        if !key.has_items() {
            each((0, 0));
            return Ok(());
        }
        self.read(|bytes, _| {
            let (mut number, mut value) = (0_u64, 0_i64);
            for _ in 0..count {
                number = number.wrapping_add(take(bytes)?);
                value = value.wrapping_add(take_signed(bytes)?);
                each((number, value));
            }
            Some(())
        })
    }

    /// Passes over the next group.
    pub fn skip(&mut self) -> Result<(), IndexError> {
        self.key()?;
        match self.head.take() {
            Some((key, count)) if key.has_items() => {
                self.read(|bytes, _| skip(bytes, count.checked_mul(2)?))
            }
            _ => Ok(()),
        }
    }

    /// The next group with its items; `None` at the end.
    pub fn group(&mut self) -> Result<Option<KeyGroup>, IndexError> {
        let Some(key) = self.key()? else {
            return Ok(None);
        };
        // An item has at least two bytes, or it is the only one.
        let count = self.head.map_or(0, |(_, count)| count);
        let mut items = Vec::with_capacity(count.min(self.left / 2 + 1));
        self.items(|item| items.push(item))?;
        Ok(Some((key, items)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::index_key;
    use super::*;
    use crate::event::ProfileKey;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_block_reads_what_was_written(
            groups in proptest::collection::btree_map(
                index_key(),
                proptest::collection::btree_map(any::<u64>(), any::<i64>(), 1..20),
                1..20,
            ),
            before: Vec<u8>,
        ) {
            let mut expected: BTreeMap<IndexKey, Vec<Item>> = BTreeMap::new();
            let mut writer = BlockWriter::new(&before);
            let mut last_name = Vec::new();
            for (key, items) in groups {
                let items: Vec<Item> = match key.has_items() {
                    true => items.into_iter().collect(),
                    false => vec![(0, 0)],
                };
                let mut rest = items.as_slice();
                while !rest.is_empty() {
                    rest = writer.push(key, rest);
                }
                last_name = key.name(items.last().unwrap().0);
                expected.insert(key, items);
            }
            let (name, bytes) = writer.finish().unwrap();
            prop_assert_eq!(&name, &last_name);
            let mut reader = GroupReader::new(bytes).unwrap();
            prop_assert_eq!(reader.before(), before);
            let mut found: BTreeMap<IndexKey, Vec<Item>> = BTreeMap::new();
            while let Some((key, items)) = reader.group().unwrap() {
                found.entry(key).or_default().extend(items);
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn skipping_a_group_ends_where_reading_it_does(
            items in proptest::collection::btree_map(any::<u64>(), any::<i64>(), 1..40),
            small in proptest::collection::btree_map(0..300_u64, 0..300_i64, 1..40),
        ) {
            let mut writer = BlockWriter::new(b"before");
            for (number, items) in [(3, items), (4, small)] {
                let items: Vec<Item> = items.into_iter().collect();
                let mut rest = items.as_slice();
                while !rest.is_empty() {
                    rest = writer.push(IndexKey::Events(ProfileKey::profile(number)), rest);
                }
            }
            let (_, bytes) = writer.finish().unwrap();
            let mut reading = GroupReader::new(bytes.as_slice()).unwrap();
            let mut skipping = GroupReader::new(bytes.as_slice()).unwrap();
            while let Some(key) = reading.key().unwrap() {
                reading.items(|_| ()).unwrap();
                prop_assert_eq!(skipping.key().unwrap(), Some(key));
                skipping.skip().unwrap();
                prop_assert_eq!(skipping.left, reading.left);
            }
            prop_assert_eq!(skipping.key().unwrap(), None);
        }

        #[test]
        fn malformed_bytes_cause_no_panic(bytes: Vec<u8>) {
            if let Ok(mut reader) = GroupReader::new(bytes.as_slice()) {
                while let Ok(Some(_)) = reader.group() {}
            }
            if let Ok(mut reader) = GroupReader::new(bytes.as_slice()) {
                while let Ok(Some(_)) = reader.key() && reader.skip().is_ok() {}
            }
        }
    }
}
