//! The bytes of a block of items.
//!
//! A block holds items in the order of key and number, and is stored under the
//! name of its last item. Its bytes: the name of the last item before it in the
//! run, after its length (empty in the run's first block), by which a missing
//! block is noticed; then groups of items, up to the block's end:
//!
//! | part of a group | as |
//! | --- | --- |
//! | head | 4 × the number of items + kind: 0 a profile's events, 1 a subprofile's events, 2 an owner |
//! | key | the profile, or an owner's subprofile, less that of the group before (wrapping); of a subprofile's events its number too |
//! | each item | number and value less those of the item before in the group (wrapping), the value's zigzag |
//!
//! All of them are varints. [`super::lookup_key::LookupKey`] has a head of its
//! own and no items.

use super::run_key::{Item, RunKey};
use super::varint::{put, put_bytes, put_signed, skip, take, take_bytes, take_signed};

/// About how many bytes of items a block holds. Smaller blocks cost more names
/// on the disk, larger ones more decoding for each key that is looked for.
const BLOCK_LEN: usize = 1024;

/// Items of one key in the order of their numbers, or some of them.
pub(super) type KeyGroup<K> = (K, Vec<Item>);

/// A block that is being filled.
pub(super) struct BlockWriter<K: RunKey> {
    bytes: Vec<u8>,
    base: K::Base,
    last: Option<(K, u64)>,
}

impl<K: RunKey> BlockWriter<K> {
    /// An empty block after the item of this name.
    pub fn new(before: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(BLOCK_LEN + 64);
        put_bytes(&mut bytes, before);
        Self {
            bytes,
            base: K::Base::default(),
            last: None,
        }
    }

    /// Adds as many of a key's items as there is room for, at least one;
    /// returns the others.
    pub fn push<'a>(&mut self, key: K, items: &'a [Item]) -> &'a [Item] {
        // An item takes at most 20 bytes, mostly about 7.
        let room = BLOCK_LEN.saturating_sub(self.bytes.len()) / 7;
        let (items, rest) = items.split_at(room.clamp(1, 256).min(items.len()));
        let Some((last, _)) = items.last() else {
            return rest;
        };
        key.put(items.len() as u64, &mut self.base, &mut self.bytes);
        let (mut number, mut value) = (0_u64, 0_i64);
        for item in items.iter().filter(|_| !K::KEY_ONLY) {
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

/// Reads a block's groups in order. Every method returns `None` if the bytes
/// are malformed.
pub(super) struct GroupReader<'a, K: RunKey> {
    bytes: &'a [u8],
    base: K::Base,
}

/// A reader's position in its block, for [`GroupReader::resume`].
#[derive(Clone, Copy)]
pub(super) struct GroupPosition<B> {
    /// How many bytes follow.
    left: usize,
    base: B,
}

impl<'a, K: RunKey> GroupReader<'a, K> {
    /// The name of the last item before a block, and a reader of its groups.
    pub fn new(mut bytes: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let before = take_bytes(&mut bytes)?;
        let base = K::Base::default();
        Some((before, Self { bytes, base }))
    }

    /// Continues from the position of another reader of the same block.
    pub fn resume(bytes: &'a [u8], position: GroupPosition<K::Base>) -> Option<Self> {
        let begin = bytes.len().checked_sub(position.left)?;
        Some(Self {
            bytes: bytes.get(begin..)?,
            base: position.base,
        })
    }

    pub const fn position(&self) -> GroupPosition<K::Base> {
        GroupPosition {
            left: self.bytes.len(),
            base: self.base,
        }
    }

    pub const fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The key of the next group, and the number of its items, which must be
    /// read or skipped then.
    pub fn head(&mut self) -> Option<(K, usize)> {
        K::take(&mut self.bytes, &mut self.base)
    }

    /// Reads the items of a group.
    pub fn items(&mut self, count: usize, mut each: impl FnMut(Item)) -> Option<()> {
        let (mut number, mut value) = (0_u64, 0_i64);
        if K::KEY_ONLY {
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

    /// Passes over the items of a group.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        if K::KEY_ONLY {
            return Some(());
        }
        skip(&mut self.bytes, count.checked_mul(2)?)
    }

    /// The next group with its items.
    pub fn group(&mut self) -> Option<KeyGroup<K>> {
        let (key, count) = self.head()?;
        // An item has at least two bytes, or it is the only one.
        let mut items = Vec::with_capacity(count.min(self.bytes.len() / 2 + 1));
        self.items(count, |item| items.push(item))?;
        Some((key, items))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::lookup_key::LookupKey;
    use super::super::run_key::IndexKey;
    use super::*;
    use crate::event::ProfileKey;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn index_key() -> impl Strategy<Value = IndexKey> {
        let number = prop_oneof![0..4_u64, any::<u64>()];
        (number.clone(), proptest::option::of(number), 0..3).prop_map(
            |(number, subprofile, kind)| match kind {
                0 => IndexKey::Owner(number),
                _ => IndexKey::Events(ProfileKey {
                    profile: number,
                    subprofile,
                }),
            },
        )
    }

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
                let items: Vec<Item> = items.into_iter().collect();
                let mut rest = items.as_slice();
                while !rest.is_empty() {
                    rest = writer.push(key, rest);
                }
                last_name = key.name(items.last().unwrap().0);
                expected.insert(key, items);
            }
            let (name, bytes) = writer.finish().unwrap();
            prop_assert_eq!(&name, &last_name);
            let (found_before, mut reader) = GroupReader::<IndexKey>::new(&bytes).unwrap();
            prop_assert_eq!(found_before, before);
            let mut found: BTreeMap<IndexKey, Vec<Item>> = BTreeMap::new();
            while !reader.is_at_end() {
                let (key, items) = reader.group().unwrap();
                found.entry(key).or_default().extend(items);
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn skipping_a_group_ends_where_reading_it_does(
            items in proptest::collection::btree_map(any::<u64>(), any::<i64>(), 1..40),
            small in proptest::collection::btree_map(0..300_u64, 0..300_i64, 1..40),
        ) {
            let mut writer = BlockWriter::<IndexKey>::new(b"before");
            for (number, items) in [(3, items), (4, small)] {
                let items: Vec<Item> = items.into_iter().collect();
                let mut rest = items.as_slice();
                while !rest.is_empty() {
                    rest = writer.push(IndexKey::Events(ProfileKey::profile(number)), rest);
                }
            }
            let (_, bytes) = writer.finish().unwrap();
            let (_, mut reading) = GroupReader::<IndexKey>::new(&bytes).unwrap();
            while !reading.is_at_end() {
                let mut skipping =
                    GroupReader::<IndexKey>::resume(&bytes, reading.position()).unwrap();
                let (key, count) = reading.head().unwrap();
                reading.items(count, |_| ()).unwrap();
                prop_assert_eq!(skipping.head().unwrap(), (key, count));
                skipping.skip(count).unwrap();
                prop_assert_eq!(skipping.position().left, reading.position().left);
            }
        }

        #[test]
        fn malformed_bytes_cause_no_panic(bytes: Vec<u8>, count: usize) {
            if let Some((_, mut reader)) = GroupReader::<LookupKey>::new(&bytes) {
                while reader.group().is_some() {}
            }
            if let Some((_, mut reader)) = GroupReader::<IndexKey>::new(&bytes) {
                while reader.group().is_some() {}
                let _ = reader.skip(count);
            }
        }
    }
}
