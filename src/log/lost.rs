//! What stands in the place of an event that is lost for good.
//!
//! A repair cannot bring back what bytes no longer tell, but their numbers were
//! given, and must neither be given anew nor leave a gap. So each lost event
//! gets a record that says so:
//!
//! | offset | bytes | content (little-endian) |
//! | --- | --- | --- |
//! | 0 | 1 | record version, 2 |
//! | 1 | 1 | `L` |
//! | 2 | 8 | the first `seq` of the row of events that were lost together |
//! | 10 | 8 | the last |
//! | 18 | 8 | the moment of the repair in Unix microseconds |
//!
//! Readers take it for an event that cannot be read, and know that the operator
//! knows.

use std::fmt;

use crate::event::micros_to_rfc3339;

/// The version byte of the record.
pub(super) const VERSION: u8 = 2;

const KIND: u8 = b'L';

/// Events that were lost together, as the record of each of them tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first `seq`.
    pub first: u64,
    /// The last `seq`.
    pub last: u64,
    /// The moment of the repair in Unix microseconds.
    pub repaired: i64,
}

impl Lost {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, KIND];
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.last.to_le_bytes());
        bytes.extend_from_slice(&self.repaired.to_le_bytes());
        bytes
    }

    /// Reads a record; `None` where it is another.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION, KIND])?;
        let (first, rest) = rest.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        let (repaired, rest) = rest.split_first_chunk()?;
        let lost = Self {
            first: u64::from_le_bytes(*first),
            last: u64::from_le_bytes(*last),
            repaired: i64::from_le_bytes(*repaired),
        };
        (rest.is_empty() && lost.first <= lost.last).then_some(lost)
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
    fn it_reads_what_was_written_and_nothing_else() {
        let lost = Lost {
            first: 17,
            last: 25,
            repaired: 1_760_000_000_000_000,
        };
        let bytes = lost.encode();
        assert_eq!(bytes.len(), 26);
        assert_eq!(Lost::decode(&bytes), Some(lost));
        for len in 0..26 {
            assert_eq!(Lost::decode(&bytes[..len]), None);
        }
        assert_eq!(Lost::decode(&[bytes.as_slice(), b"x"].concat()), None);
        assert_eq!(
            lost.to_string(),
            "events 17 to 25 were lost (repaired on 2025-10-09)"
        );
    }
}
