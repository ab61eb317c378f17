//! What the index keeps things of, and the names under which they sort.

use super::manifest::META;
use super::slotted::Slotted;
use crate::event::ProfileKey;

/// What an item of the index belongs to. Slots sort by kind, then by number, a
/// profile before its subprofiles; their bytes sort alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// The events of a (sub)profile: `seq` and event time of each.
    Events(ProfileKey),
    /// The profile of a subprofile: one item, 0 and the profile's number.
    Owner(u64),
}

/// An item's number and value: an event's `seq` and time, or 0 and a profile.
pub(super) type Item = (u64, i64);

impl Slotted for Slot {
    /// The number of the slot before: a profile's, or an owner's subprofile's.
    type Base = u64;

    const FIRST: Self = Self::Events(ProfileKey::profile(0));
    const TREES: &'static str = "run-";
    const MANIFEST: &'static [u8] = META;
    const BARE: bool = false;

    /// The name of an item: the kind (0 or 1); for events the profile (8
    /// bytes) and 0, or the profile, 1 and the subprofile (8 bytes), else the
    /// subprofile (8 bytes); then the item's number (8 bytes). All big-endian.
    fn name(self, number: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(26);
        match self {
            Self::Events(key) => {
                bytes.push(0);
                bytes.extend_from_slice(&key.profile.to_be_bytes());
                match key.subprofile {
                    None => bytes.push(0),
                    Some(subprofile) => {
                        bytes.push(1);
                        bytes.extend_from_slice(&subprofile.to_be_bytes());
                    }
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

    fn is_single(self) -> bool {
        matches!(self, Self::Owner(_))
    }

    fn time(self, (_, value): Item) -> Option<i64> {
        matches!(self, Self::Events(_)).then_some(value)
    }

    fn put(self, count: u64, base: &mut u64, bytes: &mut Vec<u8>) {
        let (number, kind) = match self {
            Self::Events(key) => (key.profile, u64::from(key.subprofile.is_some())),
            Self::Owner(subprofile) => (subprofile, 2),
        };
        let step = number.wrapping_sub(*base);
        *base = number;
        put(bytes, (count << 2) | kind);
        put(bytes, step);
        if let Self::Events(ProfileKey {
            subprofile: Some(subprofile),
            ..
        }) = self
        {
            put(bytes, subprofile);
        }
    }

    fn take(bytes: &mut &[u8], base: &mut u64) -> Option<(Self, usize)> {
        let head = take(bytes)?;
        *base = base.wrapping_add(take(bytes)?);
        let slot = match head & 3 {
            0 => Self::Events(ProfileKey::profile(*base)),
            1 => Self::Events(ProfileKey::subprofile(*base, take(bytes)?)),
            2 => Self::Owner(*base),
            _ => return None,
        };
        Some((slot, usize::try_from(head >> 2).ok()?))
    }
}

impl Slot {
    /// The lowest that is no (sub)profile's.
    pub const FIRST_OWNER: Self = Self::Owner(0);

    /// The (sub)profile, where it is one's.
    pub const fn key(self) -> Option<ProfileKey> {
        match self {
            Self::Events(key) => Some(key),
            Self::Owner(_) => None,
        }
    }
}

/// Appends a varint (LEB128).
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a varint off the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a number that may be negative, as a zigzag varint.
pub(super) fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Takes a zigzag varint off the front.
pub(super) fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let value = take(bytes)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Appends bytes after their length.
pub(super) fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    put(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

/// Takes bytes after their length off the front.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take(bytes)?).ok()?;
    let (value, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot() -> impl Strategy<Value = Slot> {
        prop_oneof![
            (any::<u64>(), any::<Option<u64>>()).prop_map(|(profile, subprofile)| Slot::Events(
                ProfileKey {
                    profile,
                    subprofile
                }
            )),
            any::<u64>().prop_map(Slot::Owner),
        ]
    }

    proptest! {
        #[test]
        fn names_sort_as_slots_do(one in slot(), other in slot(), numbers: (u64, u64)) {
            prop_assert_eq!(
                (one, numbers.0).cmp(&(other, numbers.1)),
                one.name(numbers.0).cmp(&other.name(numbers.1))
            );
            prop_assert!(one >= Slot::FIRST);
            prop_assert_eq!(one >= Slot::FIRST_OWNER, one.key().is_none());
        }
    }
}
