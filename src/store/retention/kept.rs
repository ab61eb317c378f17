//! The records of the baselines' log.
//!
//! A record is a version byte (1) and bincode values, as those of
//! [`crate::log::record`]. A baseline's begins with the (sub)profile; one of
//! owners is a list of (subprofile, profile) pairs ordered by subprofile.

use bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use bincode::{Decode, Encode};

use crate::event::ProfileKey;
use crate::history::Baseline;
use crate::log::record::RecordError;

const VERSION: u8 = 1;

/// The most bytes that a decoded record may take in memory. Bincode allocates as many
/// items as a length claims, and a wrong length must not exhaust memory.
const MOST_BYTES: usize = 256 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MOST_BYTES>> =
    standard().with_limit::<MOST_BYTES>();

/// A baseline and its (sub)profile.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct KeptBaseline {
    /// The (sub)profile.
    pub key: ProfileKey,
    /// The baseline.
    pub baseline: Baseline,
}

fn encode(value: impl Encode) -> Result<Vec<u8>, RecordError> {
    let mut bytes = vec![VERSION];
    bincode::encode_into_std_write(value, &mut bytes, CONFIG)
        .map_err(|error| RecordError::Encode(error.to_string()))?;
    Ok(bytes)
}

fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, RecordError> {
    let (version, rest) = bytes
        .split_first()
        .ok_or_else(|| RecordError::Malformed("it is empty".to_owned()))?;
    if *version != VERSION {
        return Err(RecordError::Kind(*version));
    }
    bincode::decode_from_slice(rest, CONFIG)
        .map(|(value, _)| value)
        .map_err(|error| RecordError::Malformed(error.to_string()))
}

impl KeptBaseline {
    /// The record's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        encode(self)
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (key, place, database, collection, known, second) = decode(bytes)?;
        Ok(Self {
            key,
            baseline: Baseline {
                place,
                database,
                collection,
                known,
                second,
            },
        })
    }

    /// The (sub)profile of a baseline record.
    pub fn key_of(bytes: &[u8]) -> Result<ProfileKey, RecordError> {
        decode(bytes)
    }
}

/// The record of (subprofile, profile) pairs.
pub(super) fn encode_owners(owners: &[(u64, u64)]) -> Result<Vec<u8>, RecordError> {
    encode(owners)
}

/// The pairs of a record.
pub(super) fn decode_owners(bytes: &[u8]) -> Result<Vec<(u64, u64)>, RecordError> {
    decode(bytes)
}

/// Maps a profile or subprofile number to a footer time, preserving the order.
pub(super) const fn footer_time(number: u64) -> i64 {
    (number ^ (1 << 63)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{DIGEST_LEN, Known, Place, PrunedDigest, State};

    fn example() -> KeptBaseline {
        KeptBaseline {
            key: ProfileKey::subprofile(1, 2),
            baseline: Baseline {
                place: Place {
                    time: -5,
                    rank: 1,
                    seq: 7,
                },
                known: Known::Present(State {
                    fields: [("b", "1"), ("a", "")]
                        .map(|(name, value)| (name.into(), value.into()))
                        .into_iter()
                        .collect(),
                    interests: ["x".into()].into(),
                    created: None,
                    modified: Some("2020".into()),
                }),
                database: Some(3),
                collection: None,
                second: vec![PrunedDigest {
                    seq: 7,
                    rank: 1,
                    digest: [9; DIGEST_LEN],
                }],
            },
        }
    }

    #[test]
    fn a_record_reads_what_was_written() {
        let bytes = example().encode().unwrap();
        assert_eq!(KeptBaseline::decode(&bytes).unwrap(), example());
        assert_eq!(KeptBaseline::key_of(&bytes).unwrap(), example().key);
        for len in 0..bytes.len() {
            assert!(KeptBaseline::decode(&bytes[..len]).is_err());
        }
        let owners = [(1, 2), (3, u64::MAX)];
        assert_eq!(
            decode_owners(&encode_owners(&owners).unwrap()).unwrap(),
            owners
        );
    }

    #[test]
    fn an_announced_length_takes_no_memory() {
        let mut bytes = vec![VERSION, 253];
        bytes.extend_from_slice(&(1_u64 << 40).to_le_bytes());
        assert!(decode_owners(&bytes).is_err());
    }

    #[test]
    fn footer_times_are_ordered_as_numbers() {
        let numbers = [0, 1, 1 << 62, (1 << 63) - 1, 1 << 63, u64::MAX];
        assert!(numbers.map(footer_time).is_sorted());
        assert_eq!(footer_time(0), i64::MIN);
    }
}
