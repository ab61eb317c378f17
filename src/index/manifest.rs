//! The value that says what the index consists of.

use super::error::IndexError;
use super::run::Run;
use super::slot::{put, put_bytes, take, take_bytes};
use super::store::Position;

/// The version of everything the index keeps in sled.
const VERSION: u32 = 2;

/// The version before: one value per (sub)profile.
const VERSION_BEFORE: u32 = 1;

/// Under which name it is kept, in sled's default tree.
pub(super) const META: &[u8] = b"m";

/// What the index consists of: the version (4 bytes), the log's id (8), the
/// applied `seq` (8) and the CRC-32C of that event's record (4), all
/// little-endian; then, as varints, the number of the next run and for each run,
/// from the oldest, its number, the number of its items, and the name of its
/// last item after its length.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub position: Position,
    pub next_run: u64,
    /// Number, items and last item's name of each run.
    pub runs: Vec<(u64, u64, Vec<u8>)>,
}

impl Manifest {
    pub fn new<S>(position: Position, next_run: u64, runs: &[Run<S>]) -> Self {
        let runs = runs
            .iter()
            .map(|run| (run.number, run.items, run.last.clone()));
        Self {
            position,
            next_run,
            runs: runs.collect(),
        }
    }

    pub fn encode(&self, log_id: u64) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend_from_slice(&log_id.to_le_bytes());
        bytes.extend_from_slice(&self.position.seq.to_le_bytes());
        bytes.extend_from_slice(&self.position.mark.to_le_bytes());
        put(&mut bytes, self.next_run);
        for (number, items, last) in &self.runs {
            put(&mut bytes, *number);
            put(&mut bytes, *items);
            put_bytes(&mut bytes, last);
        }
        bytes
    }

    pub fn decode(bytes: &[u8], log_id: u64) -> Result<Self, IndexError> {
        let (version, rest) = bytes.split_first_chunk().ok_or(IndexError::Foreign)?;
        let (own, rest) = rest.split_first_chunk().ok_or(IndexError::Foreign)?;
        match u32::from_le_bytes(*version) {
            _ if u64::from_le_bytes(*own) != log_id => return Err(IndexError::Foreign),
            VERSION => {}
            VERSION_BEFORE => return Err(IndexError::Outdated),
            _ => return Err(IndexError::Foreign),
        }
        Self::decode_rest(rest).ok_or(IndexError::Entry)
    }

    fn decode_rest(bytes: &[u8]) -> Option<Self> {
        let (seq, bytes) = bytes.split_first_chunk()?;
        let (mark, mut bytes) = bytes.split_first_chunk()?;
        let mut manifest = Self {
            position: Position {
                seq: u64::from_le_bytes(*seq),
                mark: u32::from_le_bytes(*mark),
            },
            next_run: take(&mut bytes)?,
            runs: Vec::new(),
        };
        while !bytes.is_empty() {
            let (number, items) = (take(&mut bytes)?, take(&mut bytes)?);
            let last = take_bytes(&mut bytes)?.to_vec();
            manifest.runs.push((number, items, last));
        }
        Some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_what_was_written() {
        let manifest = Manifest {
            position: Position { seq: 7, mark: 9 },
            next_run: 300,
            runs: vec![(2, 1_000_000, vec![1; 26]), (299, 1, Vec::new())],
        };
        let bytes = manifest.encode(5);
        assert_eq!(Manifest::decode(&bytes, 5).unwrap(), manifest);
        for len in 0..bytes.len() {
            assert_ne!(
                Manifest::decode(&bytes[..len], 5).ok(),
                Some(Manifest {
                    position: Position { seq: 7, mark: 9 },
                    next_run: 300,
                    runs: vec![(2, 1_000_000, vec![1; 26]), (299, 1, Vec::new())],
                })
            );
        }
        assert!(matches!(
            Manifest::decode(&bytes, 6),
            Err(IndexError::Foreign)
        ));
    }

    #[test]
    fn the_version_before_is_told_apart() {
        let bytes = |version: u32| {
            let id = 5_u64.to_le_bytes();
            [version.to_le_bytes().as_slice(), id.as_slice(), &[0; 12]].concat()
        };
        let read = |version, id| Manifest::decode(&bytes(version), id);
        assert!(matches!(read(1, 5), Err(IndexError::Outdated)));
        assert!(matches!(read(1, 6), Err(IndexError::Foreign)));
        assert!(matches!(read(3, 5), Err(IndexError::Foreign)));
        assert!(matches!(Manifest::decode(b"", 5), Err(IndexError::Foreign)));
    }
}
