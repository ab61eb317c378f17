//! The keys by which runs are ordered.

use std::fmt::Debug;

use crate::event::ProfileKey;

use super::varint::{put, take};

/// An item's number and value: an event's `seq` and time in Unix seconds, or 0
/// and a profile.
pub(super) type Item = (u64, i64);

/// What an item belongs to. Two kinds of runs stand in one database, with the
/// same blocks, merges and manifest: of [`IndexKey`] and of
/// [`super::lookup_key::LookupKey`].
///
/// The order of keys is that of their names.
pub(super) trait RunKey: Copy + Debug + Ord + Send + Sync + 'static {
    /// What the next key of a block is encoded against.
    type Base: Copy + Default;

    /// The lowest key.
    const FIRST: Self;

    /// The beginning of the names of runs' trees; the run's number follows, in hex.
    const TREE_PREFIX: &'static str;

    /// The name of the manifest in sled's default tree.
    const MANIFEST: &'static [u8];

    /// The key alone is kept: its one item is (0, 0), and takes no bytes.
    const KEY_ONLY: bool;

    /// The name of an item, by the item's number.
    fn name(self, number: u64) -> Vec<u8>;

    /// Whether only the newest item counts; a run then has one item per key.
    fn keeps_newest(self) -> bool;

    /// The time of an item in Unix seconds, if it is an event's.
    fn time(self, item: Item) -> Option<i64>;

    /// Appends the head of a group: the key and the number of its items.
    fn put(self, count: u64, base: &mut Self::Base, bytes: &mut Vec<u8>);

    /// Takes the head of a group off the front.
    fn take(bytes: &mut &[u8], base: &mut Self::Base) -> Option<(Self, usize)>;
}

/// A key of the index of events. Keys sort by kind, then by number, a profile
/// before its subprofiles; their names sort alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IndexKey {
    /// The events of a (sub)profile: `seq` and event time of each.
    Events(ProfileKey),
    /// The profile of a subprofile: one item, 0 and the profile's number.
    Owner(u64),
}

impl IndexKey {
    /// The lowest key of an owner.
    const FIRST_OWNER: Self = Self::Owner(0);

    /// The (sub)profile whose events these are.
    pub const fn profile_key(self) -> Option<ProfileKey> {
        match self {
            Self::Events(key) => Some(key),
            Self::Owner(_) => None,
        }
    }

    /// The key after that of a (sub)profile's events.
    pub fn after(key: ProfileKey) -> Self {
        let next = match key.subprofile {
            None => Some(ProfileKey::subprofile(key.profile, 0)),
            Some(u64::MAX) => key.profile.checked_add(1).map(ProfileKey::profile),
            Some(subprofile) => Some(ProfileKey::subprofile(key.profile, subprofile + 1)),
        };
        next.map_or(Self::FIRST_OWNER, Self::Events)
    }
}

impl RunKey for IndexKey {
    /// The number of the key before: a profile's, or an owner's subprofile's.
    type Base = u64;

    const FIRST: Self = Self::Events(ProfileKey::profile(0));
    const TREE_PREFIX: &'static str = "run-";
    const MANIFEST: &'static [u8] = b"m";
    const KEY_ONLY: bool = false;

    /// The kind (0 or 1); for events the profile (8 bytes) and 0, or the
    /// profile, 1 and the subprofile (8), else the subprofile (8); then the
    /// item's number (8). All big-endian.
    fn name(self, number: u64) -> Vec<u8> {
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
        }
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes
    }

    fn keeps_newest(self) -> bool {
        matches!(self, Self::Owner(_))
    }

    fn time(self, (_, value): Item) -> Option<i64> {
        matches!(self, Self::Events(_)).then_some(value)
    }

    fn put(self, count: u64, base: &mut u64, bytes: &mut Vec<u8>) {
        let (number, kind, subprofile) = match self {
            Self::Events(key) => (
                key.profile,
                u64::from(key.subprofile.is_some()),
                key.subprofile,
            ),
            Self::Owner(subprofile) => (subprofile, 2, None),
        };
        put(bytes, (count << 2) | kind);
        put(bytes, number.wrapping_sub(*base));
        *base = number;
        if let Some(subprofile) = subprofile {
            put(bytes, subprofile);
        }
    }

    fn take(bytes: &mut &[u8], base: &mut u64) -> Option<(Self, usize)> {
        let head = take(bytes)?;
        *base = base.wrapping_add(take(bytes)?);
        let key = match head & 3 {
            0 => Self::Events(ProfileKey::profile(*base)),
            1 => Self::Events(ProfileKey::subprofile(*base, take(bytes)?)),
            2 => Self::Owner(*base),
            _ => return None,
        };
        Some((key, usize::try_from(head >> 2).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index_key() -> impl Strategy<Value = IndexKey> {
        prop_oneof![
            (any::<u64>(), any::<Option<u64>>()).prop_map(|(profile, subprofile)| {
                IndexKey::Events(ProfileKey {
                    profile,
                    subprofile,
                })
            }),
            any::<u64>().prop_map(IndexKey::Owner),
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
            prop_assert_eq!(one >= IndexKey::FIRST_OWNER, one.profile_key().is_none());
        }
    }
}
