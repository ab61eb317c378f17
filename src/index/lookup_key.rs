//! A value of a field that a (sub)profile had, as the look-ups keep it.
//!
//! The key has the first bytes of the value in lower case, so that values with the same
//! beginning are adjacent and case can be ignored. A longer value adds its CRC-32C. So
//! several values can have one key, and a look-up must confirm its results.

use super::varint::{put, take, take_byte};
use crate::event::ProfileKey;

/// How many bytes of a value are kept unchanged.
pub(super) const HEAD: usize = 24;

/// The bytes of a text in which upper and lower case are the same: each
/// character's lower case, so that the beginning of a text has the beginning
/// of its folded text.
pub fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// A value that a (sub)profile had. Keys sort by field, then by the value's
/// bytes, then by the (sub)profile; their names sort alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LookupKey {
    /// The field's place among the indexed fields.
    pub field: u8,
    pub folded: Folded,
    pub owner: ProfileKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folded {
    /// The first bytes; zeros after the value's end.
    pub head: [u8; HEAD],
    /// How many bytes of the head belong to it.
    pub len: u8,
    /// The CRC-32C of the folded value, if it is longer than the head; else 0.
    pub hash: u32,
}

impl Folded {
    pub fn new(value: &str) -> Self {
        let mut head = [0; HEAD];
        let mut len = 0;
        let mut hash = 0;
        let mut buffer = [0; 4];
        for character in folded(value) {
            let bytes = character.encode_utf8(&mut buffer).as_bytes();
            hash = crc32c::crc32c_append(hash, bytes);
            for byte in bytes {
                if let Some(place) = head.get_mut(len) {
                    *place = *byte;
                }
                len += 1;
            }
        }
        Self {
            head,
            len: len.min(HEAD) as u8,
            hash: if len > HEAD { hash } else { 0 },
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.head.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The field differs from that of the key before.
const FIELD: u8 = 1;
/// The value differs.
const VALUE: u8 = 2;
/// It is longer than its head.
const LONG: u8 = 4;
/// It is of a subprofile.
const SUBPROFILE: u8 = 8;

impl LookupKey {
    /// The lowest key.
    pub const FIRST: Self = Self {
        field: 0,
        folded: Folded {
            head: [0; HEAD],
            len: 0,
            hash: 0,
        },
        owner: ProfileKey::profile(0),
    };

    /// Appends its name: the field (1 byte), the head (24), how many bytes of it count
    /// (1), the hash (4), the profile (8), 0 or 1, and the subprofile (8, or 8 zeros).
    pub fn put_name(self, bytes: &mut Vec<u8>) {
        bytes.push(self.field);
        bytes.extend_from_slice(&self.folded.head);
        bytes.push(self.folded.len);
        bytes.extend_from_slice(&self.folded.hash.to_be_bytes());
        bytes.extend_from_slice(&self.owner.profile.to_be_bytes());
        bytes.push(u8::from(self.owner.subprofile.is_some()));
        bytes.extend_from_slice(&self.owner.subprofile.unwrap_or_default().to_be_bytes());
    }

    /// The parts of a key that are encoded after `before`.
    pub fn flags(self, before: Option<Self>) -> u8 {
        let new_field = before.is_none_or(|before| before.field != self.field);
        let new_value = new_field || before.is_none_or(|before| before.folded != self.folded);
        u8::from(new_field) * FIELD
            + u8::from(new_value) * VALUE
            + u8::from(self.folded.hash != 0) * LONG
            + u8::from(self.owner.subprofile.is_some()) * SUBPROFILE
    }

    /// Appends what the flags announce: the field (1 byte); if the value differs from
    /// that of the key before, how many bytes of the head are the same (1), how many
    /// there are (1), the others, and the hash if there is one (4, little-endian); the
    /// profile, less that of the key before if the value is the same (wrapping), and
    /// the subprofile, as varints.
    pub fn put(self, before: Option<Self>, bytes: &mut Vec<u8>) {
        let flags = self.flags(before);
        let before = before.unwrap_or(Self::FIRST);
        if flags & FIELD != 0 {
            bytes.push(self.field);
        }
        let mut profile = self.owner.profile;
        if flags & VALUE != 0 {
            let pairs = before.folded.head.iter().zip(&self.folded.head);
            let shared = pairs.take_while(|(a, b)| a == b).count();
            let shared = shared.min(usize::from(self.folded.len));
            bytes.push(shared as u8);
            bytes.push(self.folded.len);
            let rest = self.folded.head.get(shared..usize::from(self.folded.len));
            bytes.extend_from_slice(rest.unwrap_or_default());
            if self.folded.hash != 0 {
                bytes.extend_from_slice(&self.folded.hash.to_le_bytes());
            }
        } else {
            profile = profile.wrapping_sub(before.owner.profile);
        }
        put(bytes, profile);
        if let Some(subprofile) = self.owner.subprofile {
            put(bytes, subprofile);
        }
    }

    /// Takes a key with these flags off the front.
    pub fn take(flags: u64, before: Option<Self>, bytes: &mut &[u8]) -> Option<Self> {
        let flags = u8::try_from(flags).ok()?;
        let before = before.unwrap_or(Self::FIRST);
        let mut key = before;
        if flags & FIELD != 0 {
            key.field = take_byte(bytes)?;
        }
        let new_value = flags & VALUE != 0;
        if new_value {
            let shared = usize::from(take_byte(bytes)?);
            key.folded.len = take_byte(bytes)?;
            let len = usize::from(key.folded.len);
            let rest;
            (rest, *bytes) = bytes.split_at_checked(len.checked_sub(shared)?)?;
            key.folded.head = [0; HEAD];
            key.folded
                .head
                .get_mut(..shared)?
                .copy_from_slice(before.folded.head.get(..shared)?);
            key.folded.head.get_mut(shared..len)?.copy_from_slice(rest);
            key.folded.hash = 0;
            if flags & LONG != 0 {
                let (hash, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                key.folded.hash = u32::from_le_bytes(*hash);
            }
        }
        let profile = take(bytes)?;
        key.owner.profile = if new_value {
            profile
        } else {
            before.owner.profile.wrapping_add(profile)
        };
        key.owner.subprofile = match flags & SUBPROFILE {
            0 => None,
            _ => Some(take(bytes)?),
        };
        Some(key)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keys of values, many of which have the same beginning.
    pub fn lookup_key() -> impl Strategy<Value = LookupKey> {
        let number = || prop_oneof![0..4_u64, any::<u64>()];
        let value = prop_oneof!["[ab\u{0}]{0,3}", "a{20}[a-c]{0,8}", "é{11}[éE]{0,3}"];
        (0..3_u8, value, number(), proptest::option::of(number())).prop_map(
            |(field, value, profile, subprofile)| {
                let key = ProfileKey {
                    profile,
                    subprofile,
                };
                LookupKey {
                    field,
                    folded: Folded::new(&value),
                    owner: key,
                }
            },
        )
    }

    #[test]
    fn values_are_folded_and_long_ones_differ() {
        let of = Folded::new;
        assert_eq!(of("John@X.COM"), of("john@x.com"));
        assert_eq!(of("Johnß").bytes(), "johnß".as_bytes());
        assert_ne!(of(""), of("\0"));
        let long = "x".repeat(HEAD);
        assert_eq!(of(&long).hash, 0);
        let (one, other) = (of(&format!("{long}a")), of(&format!("{long}b")));
        assert_eq!(one.head, other.head);
        assert_ne!(one, other);
        // A character that is cut in two keeps its beginning.
        assert_eq!(of(&format!("{}é", "x".repeat(HEAD - 1))).len, 24);
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_values_do(a in "[ab\u{0}é]{0,6}", b in "[ab\u{0}é]{0,6}") {
            prop_assert_eq!(Folded::new(&a).cmp(&Folded::new(&b)), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
