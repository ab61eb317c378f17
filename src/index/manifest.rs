//! The value that lists the parts of an index.

use bincode::config::standard;
use bincode::{Decode, Encode};

use super::error::IndexError;
use super::run::RunMeta;

/// The version of everything that the index keeps in sled.
const VERSION: u32 = 1;

/// The longest manifest in bytes.
const MAX_LEN: usize = 1 << 24;

/// Up to where the log is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Position {
    /// The last `seq` that is indexed; 0 for none.
    pub seq: u64,
    /// CRC-32C of that event's record, by which another log is recognised.
    pub record_crc: u32,
}

/// The parts of the index, in bincode's variable-length encoding. A run is live while the
/// manifest lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Manifest {
    pub version: u32,
    pub log_id: u64,
    /// A committed prune, by [`crate::store::retention::Retention::generation`]:
    /// no event that it removes is in the index.
    pub generation: u64,
    /// The looked-up values of that prune's baselines are in the index.
    pub has_baselines: bool,
    pub position: Position,
    pub next_run: u64,
    /// The runs, from the oldest.
    pub runs: Vec<RunMeta>,
    /// First and last `seq` of events that could not be read.
    pub unreadable: Vec<(u64, u64)>,
    /// The fields whose values are looked up.
    pub fields: Vec<String>,
}

impl Manifest {
    /// An empty index of a log.
    pub fn new(log_id: u64, generation: u64) -> Self {
        Self {
            version: VERSION,
            log_id,
            generation,
            ..Self::default()
        }
    }

    pub fn encode(&self) -> Result<Vec<u8>, IndexError> {
        bincode::encode_to_vec(self, standard()).map_err(|_| IndexError::Entry)
    }

    pub fn decode(bytes: &[u8], log_id: u64) -> Result<Self, IndexError> {
        let config = standard().with_limit::<MAX_LEN>();
        let (manifest, len): (Self, usize) =
            bincode::decode_from_slice(bytes, config).map_err(|_| IndexError::Entry)?;
        if (manifest.version, manifest.log_id) != (VERSION, log_id) {
            return Err(IndexError::Foreign);
        }
        if len < bytes.len() {
            return Err(IndexError::Entry);
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_what_was_written() {
        let run = |number, items, last, times| RunMeta {
            number,
            items,
            last,
            times,
            values: items / 2,
        };
        let manifest = Manifest {
            position: Position {
                seq: 7,
                record_crc: 9,
            },
            next_run: 300,
            runs: vec![
                run(2, 1_000_000, vec![1; 26], (-5, i64::MAX)),
                run(299, 1, Vec::new(), (i64::MAX, i64::MIN)),
            ],
            unreadable: vec![(3, u64::MAX)],
            fields: vec![String::new(), "mail".to_owned()],
            ..Manifest::new(5, u64::MAX)
        };
        let bytes = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes, 5).unwrap(), manifest);
        for len in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..len], 5).is_err());
        }
        let foreign = |bytes: &[u8], log_id| {
            matches!(Manifest::decode(bytes, log_id), Err(IndexError::Foreign))
        };
        assert!(foreign(&bytes, 6));
        let mut newer = bytes;
        newer[0] += 1;
        assert!(foreign(&newer, 5));
    }
}
