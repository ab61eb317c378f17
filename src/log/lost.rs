//! The record that replaces an event that is lost for good.
//!
//! A repair cannot restore an event whose bytes are lost, but its number must not be
//! reused or leave a gap. So the repair replaces each lost event with this record:
//!
//! | offset | bytes | content (little-endian) |
//! | --- | --- | --- |
//! | 0 | 1 | kind of record, 2 |
//! | 1 | 8 | `seq` of the first of the consecutive events that were lost together |
//! | 9 | 8 | `seq` of the last |
//! | 17 | 8 | time of the repair in Unix microseconds |
//!
//! Readers treat it as an unreadable event that the operator knows about.

use std::fmt;

use super::fixed::{get, put};
use crate::event::micros_to_rfc3339;

/// The first byte of the record.
pub(super) const KIND: u8 = 2;

/// The length of the record in bytes.
const LEN: usize = 25;

/// Consecutive events that were lost together; each of them has this record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first `seq`.
    pub first: u64,
    /// The last `seq`.
    pub last: u64,
    /// The time of the repair in Unix microseconds.
    pub repaired: i64,
}

impl Lost {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, (KIND, self.first, self.last, self.repaired)).unwrap_or_default();
        bytes
    }

    /// Decodes the record; `None` if it is of another kind.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, first, last, repaired): (u8, _, _, _) =
            get(bytes).filter(|_| bytes.len() == LEN)?;
        let lost = Self {
            first,
            last,
            repaired,
        };
        (kind == KIND && first <= last).then_some(lost)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repaired = micros_to_rfc3339(self.repaired);
        let day = repaired.split('T').next().unwrap_or_default();
        if self.first == self.last {
            write!(f, "event {} was lost (repaired on {day})", self.first)
        } else {
            let Self { first, last, .. } = self;
            write!(f, "events {first} to {last} were lost (repaired on {day})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_encoded_is_decoded() {
        let lost = Lost {
            first: 17,
            last: 25,
            repaired: 1_760_000_000_000_000,
        };
        let bytes = lost.encode();
        assert_eq!(bytes.len(), 25);
        assert_eq!(Lost::decode(&bytes), Some(lost));
        for len in 0..25 {
            assert_eq!(Lost::decode(&bytes[..len]), None);
        }
        assert_eq!(Lost::decode(&[bytes.as_slice(), b"x"].concat()), None);
        assert_eq!(
            lost.to_string(),
            "events 17 to 25 were lost (repaired on 2025-10-09)"
        );
    }
}
