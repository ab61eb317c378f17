//! The value that says what the index consists of.

use super::error::IndexError;
use super::run::{Run, Shape};
use super::slot::{put, put_bytes, put_signed, take, take_bytes, take_signed};
use super::store::Position;

/// The version of everything the index keeps in sled.
const VERSION: u32 = 1;

/// Under which name it is kept, in sled's default tree.
pub(super) const META: &[u8] = b"m";

/// What the index consists of: the version (4 bytes), the log's id (8), the
/// generation of baselines (8), the applied `seq` (8) and the CRC-32C of that
/// event's record (4), all little-endian; then, as varints, the number of the next run and for each run,
/// from the oldest, its number, the number of its items, the name of its last item
/// after its length, and the first and the last time of its events (zigzag).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The prune that had been committed when the index was begun: no event that
    /// it removes is in the index. 0 where nothing was pruned.
    pub generation: u64,
    pub position: Position,
    pub next_run: u64,
    /// The runs, from the oldest.
    pub runs: Vec<Shape>,
}

impl Manifest {
    pub fn new<S>(generation: u64, position: Position, next_run: u64, runs: &[Run<S>]) -> Self {
        Self {
            generation,
            position,
            next_run,
            runs: runs.iter().map(|run| run.shape.clone()).collect(),
        }
    }

    pub fn encode(&self, log_id: u64) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend_from_slice(&log_id.to_le_bytes());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.position.seq.to_le_bytes());
        bytes.extend_from_slice(&self.position.mark.to_le_bytes());
        put(&mut bytes, self.next_run);
        for run in &self.runs {
            put(&mut bytes, run.number);
            put(&mut bytes, run.items);
            put_bytes(&mut bytes, &run.last);
            put_signed(&mut bytes, run.times.0);
            put_signed(&mut bytes, run.times.1);
        }
        bytes
    }

    pub fn decode(bytes: &[u8], log_id: u64) -> Result<Self, IndexError> {
        let (version, rest) = bytes.split_first_chunk().ok_or(IndexError::Foreign)?;
        let (own, rest) = rest.split_first_chunk().ok_or(IndexError::Foreign)?;
        if u32::from_le_bytes(*version) != VERSION || u64::from_le_bytes(*own) != log_id {
            return Err(IndexError::Foreign);
        }
        Self::decode_rest(rest).ok_or(IndexError::Entry)
    }

    fn decode_rest(bytes: &[u8]) -> Option<Self> {
        let (generation, bytes) = bytes.split_first_chunk()?;
        let (seq, bytes) = bytes.split_first_chunk()?;
        let (mark, mut bytes) = bytes.split_first_chunk()?;
        let mut manifest = Self {
            generation: u64::from_le_bytes(*generation),
            position: Position {
                seq: u64::from_le_bytes(*seq),
                mark: u32::from_le_bytes(*mark),
            },
            next_run: take(&mut bytes)?,
            runs: Vec::new(),
        };
        while !bytes.is_empty() {
            manifest.runs.push(Shape {
                number: take(&mut bytes)?,
                items: take(&mut bytes)?,
                last: take_bytes(&mut bytes)?.to_vec(),
                times: (take_signed(&mut bytes)?, take_signed(&mut bytes)?),
            });
        }
        Some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_what_was_written() {
        let run = |number, items, last, times| Shape {
            number,
            items,
            last,
            times,
        };
        let manifest = Manifest {
            generation: 11,
            position: Position { seq: 7, mark: 9 },
            next_run: 300,
            runs: vec![
                run(2, 1_000_000, vec![1; 26], (-5, i64::MAX)),
                run(299, 1, Vec::new(), (i64::MAX, i64::MIN)),
            ],
        };
        let bytes = manifest.encode(5);
        assert_eq!(Manifest::decode(&bytes, 5).unwrap(), manifest);
        for len in 0..bytes.len() {
            let short = Manifest::decode(&bytes[..len], 5).ok();
            assert_ne!(short.as_ref(), Some(&manifest));
        }
        assert!(matches!(
            Manifest::decode(&bytes, 6),
            Err(IndexError::Foreign)
        ));
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = Manifest::default().encode(5);
        assert!(Manifest::decode(&bytes, 5).is_ok());
        bytes[0] += 1;
        for bytes in [bytes.as_slice(), b""] {
            assert!(matches!(
                Manifest::decode(bytes, 5),
                Err(IndexError::Foreign)
            ));
        }
    }
}
