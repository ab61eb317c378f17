//! The keys by which runs are ordered.

use super::lookup_key::LookupKey;
use super::varint::{put, take};
use crate::event::ProfileKey;

/// An item's number and value: an event's `seq` and time in Unix seconds, or 0
/// and a profile.
pub(super) type Item = (u64, i64);

/// The owner of an item. Keys sort by kind, then by number, a profile before its
/// subprofiles; their names have the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IndexKey {
    /// The events of a (sub)profile: `seq` and event time of each.
    Events(ProfileKey),
    /// The profile of a subprofile: one item, 0 and the profile's number.
    Owner(u64),
    /// A looked-up value that a (sub)profile had: one item, (0, 0), which takes no
    /// bytes.
    Value(LookupKey),
}

/// The reference for encoding the next key of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base {
    /// The number of the key before: a profile's, or an owner's subprofile's.
    number: u64,
    value: Option<LookupKey>,
}

impl IndexKey {
    pub const FIRST: Self = Self::Events(ProfileKey::profile(0));

    /// The lowest key of an owner.
    const FIRST_OWNER: Self = Self::Owner(0);

    pub const FIRST_VALUE: Self = Self::Value(LookupKey::FIRST);

    /// The key after that of a (sub)profile's events.
    pub fn after(key: ProfileKey) -> Self {
        let next = match key.subprofile {
            None => Some(ProfileKey::subprofile(key.profile, 0)),
            Some(u64::MAX) => key.profile.checked_add(1).map(ProfileKey::profile),
            Some(subprofile) => Some(ProfileKey::subprofile(key.profile, subprofile + 1)),
        };
        next.map_or(Self::FIRST_OWNER, Self::Events)
    }

    /// The name of an item, by the item's number: the kind (0 to 2); for events the
    /// profile (8 bytes) and 0, or the profile, 1 and the subprofile (8), for an owner
    /// the subprofile (8), for a value [`LookupKey::put_name`]; then the item's number
    /// (8). All big-endian.
    pub fn name(self, number: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(26);
        match self {
            Self::Events(key) => {
                bytes.push(0);
                bytes.extend_from_slice(&key.profile.to_be_bytes());
                bytes.push(u8::from(key.subprofile.is_some()));
                if let Some(subprofile) = key.subprofile {
                    bytes.extend_from_slice(&subprofile.to_be_bytes());
                }
            }
            Self::Owner(subprofile) => {
                bytes.push(1);
                bytes.extend_from_slice(&subprofile.to_be_bytes());
            }
            Self::Value(key) => {
                bytes.push(2);
                key.put_name(&mut bytes);
            }
        }
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes
    }

    /// Whether only the newest item counts; a run then has one item per key.
    pub const fn keeps_newest(self) -> bool {
        !matches!(self, Self::Events(_))
    }

    /// Whether its items are stored; otherwise only the key is.
    pub const fn has_items(self) -> bool {
        !matches!(self, Self::Value(_))
    }

    /// Appends the head of a group: the key and the number of its items.
    pub fn put(self, count: u64, base: &mut Base, bytes: &mut Vec<u8>) {
        let (number, kind, subprofile) = match self {
            Self::Events(key) => (
                key.profile,
                u64::from(key.subprofile.is_some()),
                key.subprofile,
            ),
            Self::Owner(subprofile) => (subprofile, 2, None),
            Self::Value(key) => {
                let flags = key.flags(base.value);
                put(bytes, (u64::from(flags) << 2) | 3);
                key.put(base.value, bytes);
                base.value = Some(key);
                return;
            }
        };
        put(bytes, (count << 2) | kind);
        put(bytes, number.wrapping_sub(base.number));
        base.number = number;
        if let Some(subprofile) = subprofile {
            put(bytes, subprofile);
        }
    }

    /// Takes the head of a group off the front.
    pub fn take(bytes: &mut &[u8], base: &mut Base) -> Option<(Self, usize)> {
        let head = take(bytes)?;
        if head & 3 == 3 {
            let key = LookupKey::take(head >> 2, base.value, bytes)?;
            base.value = Some(key);
            return Some((Self::Value(key), 1));
        }
        base.number = base.number.wrapping_add(take(bytes)?);
        let key = match head & 3 {
            0 => Self::Events(ProfileKey::profile(base.number)),
            1 => Self::Events(ProfileKey::subprofile(base.number, take(bytes)?)),
            _ => Self::Owner(base.number),
        };
        Some((key, usize::try_from(head >> 2).ok()?))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::lookup_key::tests::lookup_key;
    use super::*;
    use proptest::prelude::*;

    /// Keys of every kind, many of them close to each other.
    pub fn index_key() -> impl Strategy<Value = IndexKey> {
        let number = || prop_oneof![0..4_u64, any::<u64>()];
        prop_oneof![
            (number(), proptest::option::of(number())).prop_map(|(profile, subprofile)| {
                IndexKey::Events(ProfileKey {
                    profile,
                    subprofile,
                })
            }),
            number().prop_map(IndexKey::Owner),
            lookup_key().prop_map(IndexKey::Value),
        ]
    }

    proptest! {
        #[test]
        fn names_sort_as_keys_do(one in index_key(), other in index_key(), numbers: (u64, u64)) {
            prop_assert_eq!(
                (one, numbers.0).cmp(&(other, numbers.1)),
                one.name(numbers.0).cmp(&other.name(numbers.1))
            );
            prop_assert!(one >= IndexKey::FIRST);
            prop_assert_eq!(one >= IndexKey::FIRST_OWNER, !matches!(one, IndexKey::Events(_)));
            prop_assert_eq!(one >= IndexKey::FIRST_VALUE, matches!(one, IndexKey::Value(_)));
        }
    }
}
