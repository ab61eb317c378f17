//! The segments of a log, and where in them a `seq` is found.
//!
//! A segment is divided into *blocks*: stretches of whole frames of about
//! 64 KiB. The first `seq` and the offset of each are kept in memory (16 bytes
//! a block), learnt while appending, or read from the block index that the
//! writer leaves beside a closed segment, or by a scan where that is missing.
//!
//! A block index, `<first seq>.blocks`, is a help that can always be made anew:
//!
//! | offset | bytes | content (little-endian) |
//! | --- | --- | --- |
//! | 0 | 4 | magic `PTLB` |
//! | 4 | 4 | format version, 1 |
//! | 8 | 8 | log id |
//! | 16 | 8 | the segment's length in bytes |
//! | 24 | 16 each | first `seq` and offset of each block |
//! | end − 4 | 4 | CRC-32C of all before |

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::error::LogError;
use super::scan::{Frames, Step};
use crate::storage::{Access, Storage, StorageFile};

/// A block grows to this many bytes before the next one begins.
const BLOCK_LEN: u64 = 64 * 1024;

const BLOCKS_MAGIC: [u8; 4] = *b"PTLB";
const BLOCKS_VERSION: u32 = 1;

/// A log that is open for reading; clones share it.
#[derive(Clone)]
pub struct Log {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub storage: Arc<dyn Storage>,
    pub dir: PathBuf,
    pub id: u64,
    /// In the order of their first `seq`; only the last one grows.
    pub segments: RwLock<Vec<Arc<Segment>>>,
    /// The last `seq` that is synced; 0 where there is none.
    pub last_seq: AtomicU64,
}

pub(super) struct Segment {
    pub path: PathBuf,
    pub first_seq: u64,
    /// The length up to which frames are synced and may be read.
    pub end: AtomicU64,
    blocks: RwLock<Option<Blocks>>,
}

/// A stretch of whole frames of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub first_seq: u64,
    pub offset: u64,
    pub end: u64,
    /// The first `seq` of the next block of the segment; `None` in the last one.
    pub next_seq: Option<u64>,
}

/// Where the blocks of a segment begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    starts: Vec<(u64, u64)>,
    /// Whether a block index says so, and not the segment itself.
    hearsay: bool,
}

impl Blocks {
    /// Takes note of the next frame.
    pub fn add(&mut self, first_seq: u64, offset: u64) {
        if self
            .starts
            .last()
            .is_none_or(|(_, start)| offset - start >= BLOCK_LEN)
        {
            self.starts.push((first_seq, offset));
        }
    }

    /// The block in which a `seq` stands, if it stands in the segment. `end` is
    /// the segment's.
    fn find(&self, seq: u64, end: u64) -> Option<Block> {
        let after = self.starts.partition_point(|(first, _)| *first <= seq);
        let (first_seq, offset) = *self.starts.get(after.checked_sub(1)?)?;
        let next = self.starts.get(after);
        Some(Block {
            first_seq,
            offset,
            end: next.map_or(end, |(_, offset)| *offset),
            next_seq: next.map(|(seq, _)| *seq),
        })
    }

    fn encode(&self, log_id: u64, segment_len: u64) -> Vec<u8> {
        let mut bytes = BLOCKS_MAGIC.to_vec();
        bytes.extend_from_slice(&BLOCKS_VERSION.to_le_bytes());
        bytes.extend_from_slice(&log_id.to_le_bytes());
        bytes.extend_from_slice(&segment_len.to_le_bytes());
        for (seq, offset) in &self.starts {
            bytes.extend_from_slice(&seq.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], log_id: u64, segment_len: u64) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let head = Self::default().encode(log_id, segment_len);
        let entries = body.strip_prefix(head.get(..24)?)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) || entries.len() % 16 != 0 {
            return None;
        }
        let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
        let starts = entries
            .chunks_exact(16)
            .map(|entry| Some((number(entry.get(..8)?)?, number(entry.get(8..)?)?)))
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            starts,
            hearsay: true,
        })
    }
}

/// The name of the segment that begins with a `seq`.
pub(super) fn segment_name(first_seq: u64) -> String {
    format!("{first_seq:020}.log")
}

/// The first `seq` of the segment of that name.
pub(super) fn parse_segment_name(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".log")?;
    let digits = number.len() == 20 && number.bytes().all(|b| b.is_ascii_digit());
    if digits {
        number.parse().ok().filter(|seq| *seq > 0)
    } else {
        None
    }
}

impl Segment {
    pub fn new(dir: &Path, first_seq: u64, end: u64, blocks: Option<Blocks>) -> Self {
        Self {
            path: dir.join(segment_name(first_seq)),
            first_seq,
            end: AtomicU64::new(end),
            blocks: RwLock::new(blocks),
        }
    }

    pub fn open(&self, storage: &dyn Storage) -> Result<Arc<dyn StorageFile>, LogError> {
        storage
            .open(&self.path, Access::Read)
            .map_err(LogError::io("opening", &self.path))
    }

    /// Makes a frame readable that was appended and synced.
    pub fn publish(&self, first_seq: u64, offset: u64, end: u64) {
        let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        blocks.get_or_insert_default().add(first_seq, offset);
        self.end.store(end, Ordering::Release);
    }

    /// The block that holds a `seq` of this segment. `next_first` is the first
    /// `seq` of the segment after it.
    pub fn find_block(
        &self,
        inner: &Inner,
        seq: u64,
        next_first: Option<u64>,
    ) -> Result<Block, LogError> {
        let known = self.known(|blocks, end| blocks.find(seq, end));
        let found = if let Some(found) = known {
            found
        } else {
            let end = self.end.load(Ordering::Acquire);
            let kept = read_whole(inner.storage.as_ref(), &self.blocks_path())
                .and_then(|bytes| Blocks::decode(&bytes, inner.id, end));
            let loaded = match kept {
                Some(blocks) => blocks,
                None => self.scan_blocks(inner, next_first)?,
            };
            let found = loaded.find(seq, end);
            let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
            blocks.get_or_insert(loaded);
            found
        };
        // A segment without a frame is one block.
        Ok(found.unwrap_or_else(|| Block {
            first_seq: self.first_seq,
            offset: 0,
            end: self.end.load(Ordering::Acquire),
            next_seq: None,
        }))
    }

    /// To be called where a bad stretch was met: blocks that only the block
    /// index tells of may begin inside a frame, where bytes have moved since.
    /// Tells whether others, from a scan, have taken their place.
    pub fn verify_blocks(&self, inner: &Inner, next_first: Option<u64>) -> Result<bool, LogError> {
        if self.known(|blocks, _| blocks.hearsay) != Some(true) {
            return Ok(false);
        }
        let scanned = self.scan_blocks(inner, next_first)?;
        *self.blocks.write().unwrap_or_else(PoisonError::into_inner) = Some(scanned);
        Ok(true)
    }

    fn known<T>(&self, ask: impl FnOnce(&Blocks, u64) -> T) -> Option<T> {
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let end = self.end.load(Ordering::Acquire);
        blocks.as_ref().map(|blocks| ask(blocks, end))
    }

    fn scan_blocks(&self, inner: &Inner, next_first: Option<u64>) -> Result<Blocks, LogError> {
        let mut blocks = Blocks::default();
        let mut frames = Frames::new(self.open(inner.storage.as_ref())?, inner.id);
        let end = self.end.load(Ordering::Acquire);
        frames.seek(0, end, self.first_seq, next_first);
        while let Some(step) = frames.step().map_err(LogError::io("reading", &self.path))? {
            match step {
                Step::Frame { offset, header } => blocks.add(header.first_seq, offset),
                // The bad stretch belongs to the block before it.
                Step::Bad(bad) => blocks.add(bad.first_seq, bad.offset),
            }
        }
        Ok(blocks)
    }

    fn blocks_path(&self) -> PathBuf {
        self.path.with_extension("blocks")
    }

    /// Leaves the block index beside a segment that is closed. It is a help
    /// alone: where it cannot be written, a scan takes its place, and one that
    /// a crash has torn fails its checksum.
    pub fn write_blocks(&self, inner: &Inner) {
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let Some(blocks) = &*blocks else { return };
        let bytes = blocks.encode(inner.id, self.end.load(Ordering::Acquire));
        let path = self.blocks_path();
        let file = inner.storage.open(&path, Access::CreateNew).or_else(|_| {
            let file = inner.storage.open(&path, Access::Write)?;
            file.set_len(0).map(|()| file)
        });
        if let Err(error) = file.and_then(|file| file.write_at(&bytes, 0)) {
            tracing::debug!("no block index beside {}: {error}", self.path.display());
        }
    }
}

/// The content of a file, if it can be read.
pub(super) fn read_whole(storage: &dyn Storage, path: &Path) -> Option<Vec<u8>> {
    let file = storage.open(path, Access::Read).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().ok()?).ok()?];
    let count = file.read_at(&mut bytes, 0).ok()?;
    (count == bytes.len()).then_some(bytes)
}

impl Log {
    /// The last `seq` that is synced; 0 where there is none.
    pub fn last_seq(&self) -> u64 {
        self.inner.last_seq()
    }

    /// The first `seq` that the log holds; 1 where it is empty.
    pub fn first_seq(&self) -> u64 {
        self.inner
            .segments()
            .first()
            .map_or(1, |segment| segment.first_seq)
    }

    /// The bytes of all segments together.
    pub fn bytes(&self) -> u64 {
        let segments = self.inner.segments();
        segments
            .iter()
            .map(|segment| segment.end.load(Ordering::Acquire))
            .sum()
    }
}

impl Inner {
    /// The last `seq` that is synced; 0 where there is none.
    pub fn last_seq(&self) -> u64 {
        self.last_seq.load(Ordering::Acquire)
    }

    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The segment in which a `seq` stands, if it stands in any, and the first
    /// `seq` of the one after it.
    pub fn find_segment(&self, seq: u64) -> Option<(Arc<Segment>, Option<u64>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.first_seq <= seq);
        let segment = segments.get(after.checked_sub(1)?)?;
        Some((
            Arc::clone(segment),
            segments.get(after).map(|next| next.first_seq),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        assert_eq!(parse_segment_name(&segment_name(42)), Some(42));
        for name in [
            "42.log",
            "00000000000000000042.blocks",
            "0000000000000000004x.log",
            "00000000000000000000.log",
        ] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_block_index_is_believed_only_whole_and_for_its_segment() {
        let mut blocks = Blocks::default();
        for (seq, offset) in [(1, 0), (5, 100), (9, 70_000), (20, 140_000)] {
            blocks.add(seq, offset);
        }
        let bytes = blocks.encode(7, 150_000);
        let decoded = Blocks::decode(&bytes, 7, 150_000).unwrap();
        assert_eq!(decoded.starts, blocks.starts);
        assert!(decoded.hearsay);
        assert_eq!(Blocks::decode(&bytes, 8, 150_000), None);
        assert_eq!(Blocks::decode(&bytes, 7, 150_001), None);
        for place in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[place] ^= 1;
            assert_eq!(Blocks::decode(&bad, 7, 150_000), None);
            assert_eq!(Blocks::decode(&bytes[..place], 7, 150_000), None);
        }
        let place = |seq| {
            blocks
                .find(seq, 150_000)
                .map(|b| (b.first_seq, b.offset, b.end, b.next_seq))
        };
        assert_eq!(place(8), Some((1, 0, 70_000, Some(9))));
        assert_eq!(place(9), Some((9, 70_000, 140_000, Some(20))));
        assert_eq!(place(99), Some((20, 140_000, 150_000, None)));
        assert_eq!(blocks.find(0, 150_000), None);
    }
}
