//! The footer and seek table after the blocks of a sealed segment.
//!
//! Two of zstd's skippable frames, with little-endian numbers. First the footer:
//!
//! | bytes | content |
//! | --- | --- |
//! | 4 | `0x184D2A50`, which `zstd` skips |
//! | 4 | length of what follows |
//! | 4 | magic `PTLS` |
//! | 4 | format version, 1 |
//! | 8 | log id |
//! | 4 | number of blocks |
//! | 4 | zero |
//! | 40 each | for each block: first `seq` (8), number of records (4), length compressed (4), length plain (4), CRC-32C of the compressed bytes (4), least and greatest time in Unix seconds (8 each) |
//! | 4 | CRC-32C of all from the magic on |
//!
//! A pruned record has no time. A block with only pruned records has [`NO_TIMES`], an
//! empty range. The log of baselines has other numbers instead of times
//! ([`crate::store::retention`]); the log does not interpret them.
//!
//! Then the seek table of zstd's seekable format
//! (`contrib/seekable_format/zstd_seekable_compression_format.md` in zstd's
//! sources), without checksums: an entry for each block, and one for the footer,
//! whose plain length is 0. Its last nine bytes, which end the file, give its
//! length and so the end of the footer.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::log::fixed::{get, put};
use crate::log::frame::{Header, MAX_FRAME, MAX_SEQ};

/// The times of a block with only pruned records: no time range includes them.
pub(super) const NO_TIMES: (i64, i64) = (i64::MAX, i64::MIN);

const SKIPPABLE: u32 = 0x184D_2A50;
const SEEK_TABLE: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;

const MAGIC: [u8; 4] = *b"PTLS";
const VERSION: u32 = 1;

/// The bytes of a footer's frame before the entries, and after them.
const HEAD_LEN: usize = 32;
const CRC_LEN: usize = 4;
const ENTRY_LEN: usize = 40;

/// The seek table's bytes before its entries, and after them.
const TABLE_HEAD_LEN: usize = 8;
const TABLE_ENTRY_LEN: usize = 8;
pub(super) const TABLE_END_LEN: usize = 9;

/// One compressed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log) struct SealedBlock {
    pub first_seq: u64,
    /// The number of records.
    pub count: u32,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length in the file.
    pub len: u32,
    /// Where it begins in the plain segment.
    pub plain_offset: u64,
    /// Its length in the plain segment.
    pub plain_len: u32,
    /// CRC-32C of its bytes in the file.
    pub crc: u32,
    /// The least and the greatest time of its records in Unix seconds; the whole
    /// range if the time of one is not known, [`NO_TIMES`] if all are pruned.
    pub times: (i64, i64),
}

impl SealedBlock {
    /// The `seq` after its last record.
    pub const fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.count as u64)
    }

    /// Whether it holds only the frame with this header.
    pub const fn describes(&self, header: &Header) -> bool {
        self.first_seq == header.first_seq
            && self.count == header.count
            && self.plain_len as u64 == header.frame_len()
    }

    /// Where it ends in the file.
    pub const fn end(&self) -> u64 {
        self.offset + self.len as u64
    }

    /// Where it ends in the plain segment.
    pub const fn plain_end(&self) -> u64 {
        self.plain_offset + self.plain_len as u64
    }
}

/// Where the blocks of a sealed segment are.
#[derive(Debug)]
pub(in crate::log) struct Footer {
    /// In their order; both offsets grow.
    pub blocks: Vec<SealedBlock>,
    /// Why the blocks were found by searching the file, if they were.
    pub recovered_by_scan: Option<&'static str>,
    /// A number that no other footer of this process has.
    pub number: u64,
    /// Its checksum in the file; `None` if the file has none or is not written
    /// yet.
    crc: Option<u32>,
}

pub(in crate::log) fn begins_footer(bytes: [u8; 4]) -> bool {
    bytes == SKIPPABLE.to_le_bytes()
}

impl Footer {
    pub fn new(blocks: Vec<SealedBlock>, recovered_by_scan: Option<&'static str>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            blocks,
            recovered_by_scan,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            crc: None,
        }
    }

    /// The offset of its checksum in the file, and the checksum.
    pub fn stored_crc(&self) -> Option<(u64, u32)> {
        let entries = self.blocks.len() * ENTRY_LEN;
        Some((self.blocks_end() + (HEAD_LEN + entries) as u64, self.crc?))
    }

    /// Where the last block ends in the file.
    pub fn blocks_end(&self) -> u64 {
        self.blocks.last().map_or(0, SealedBlock::end)
    }

    /// The length of the plain segment in bytes.
    pub fn plain_len(&self) -> u64 {
        self.blocks.last().map_or(0, SealedBlock::plain_end)
    }

    /// The `seq` after the last record; `None` if there is no block.
    pub fn next_seq(&self) -> Option<u64> {
        self.blocks.last().map(SealedBlock::next_seq)
    }

    /// The block that holds or should hold a `seq`, and its number.
    pub fn block_of_seq(&self, seq: u64) -> Option<(usize, &SealedBlock)> {
        let after = self.blocks.partition_point(|block| block.first_seq <= seq);
        let at = after.checked_sub(1)?;
        Some((at, self.blocks.get(at)?))
    }

    /// The block that holds an offset of the plain segment, and its number.
    pub fn block_of_offset(&self, offset: u64) -> Option<(usize, &SealedBlock)> {
        let at = self
            .blocks
            .partition_point(|block| block.plain_end() <= offset);
        Some((at, self.blocks.get(at)?))
    }

    /// Where the bytes between two offsets of the plain segment are in the file: their
    /// blocks, or, if the offsets are equal, the space between the adjacent blocks.
    pub fn place(&self, offset: u64, end: u64) -> (u64, u64) {
        let at = self
            .blocks
            .partition_point(|block| block.plain_end() <= offset);
        let before = at.checked_sub(1).and_then(|before| self.blocks.get(before));
        let before = before.map_or(0, SealedBlock::end);
        let Some(first) = self.blocks.get(at) else {
            return (before, before);
        };
        if end <= offset {
            return (before, first.offset);
        }
        let last = self
            .block_of_offset(end - 1)
            .map_or(first, |(_, last)| last);
        (first.offset, last.end())
    }

    /// Both skippable frames, to be written after the blocks; `None` if there are
    /// too many blocks.
    pub fn encode(&self, log_id: u64) -> Option<Vec<u8>> {
        let content = HEAD_LEN - 8 + self.blocks.len() * ENTRY_LEN + CRC_LEN;
        let count = u32::try_from(self.blocks.len()).ok()?;
        let mut bytes = Vec::new();
        let content = u32::try_from(content).ok()?;
        put(
            &mut bytes,
            (SKIPPABLE, content, MAGIC, VERSION, log_id, count, 0_u32),
        )?;
        for block in &self.blocks {
            let numbers = (block.count, block.len, block.plain_len, block.crc);
            put(&mut bytes, (block.first_seq, numbers, block.times))?;
        }
        let crc = crc32c::crc32c(bytes.get(8..)?);
        put(&mut bytes, crc)?;
        let footer_len = u32::try_from(bytes.len()).ok()?;
        let entries = count.checked_add(1)?;
        let table = entries.checked_mul(TABLE_ENTRY_LEN as u32)? + TABLE_END_LEN as u32;
        put(&mut bytes, (SEEK_TABLE, table))?;
        for block in &self.blocks {
            put(&mut bytes, (block.len, block.plain_len))?;
        }
        put(&mut bytes, (footer_len, 0_u32))?;
        put(&mut bytes, (entries, 0_u8, SEEKABLE))?;
        Some(bytes)
    }

    /// How many bytes footer and seek table take together according to the last
    /// [`TABLE_END_LEN`] bytes of a file.
    pub fn encoded_len(file_end: &[u8]) -> Option<u64> {
        let (entries, flags, magic): (u32, u8, u32) = get(file_end)?;
        if magic != SEEKABLE || flags != 0 {
            return None;
        }
        let entries = u64::from(entries);
        let blocks = entries.checked_sub(1)?;
        let footer = HEAD_LEN as u64 + blocks * ENTRY_LEN as u64 + CRC_LEN as u64;
        let table = (TABLE_HEAD_LEN + TABLE_END_LEN) as u64 + entries * TABLE_ENTRY_LEN as u64;
        Some(footer + table)
    }

    /// Decodes the output of [`Footer::encode`]. `blocks_len` is the length of the file
    /// before it. `zstd` reads the seek table, so that must match the footer.
    pub fn decode(bytes: &[u8], log_id: u64, blocks_len: u64) -> Option<Self> {
        let count: u32 = get(bytes.get(24..)?)?;
        let crc_at = HEAD_LEN.checked_add((count as usize).checked_mul(ENTRY_LEN)?)?;
        let crc = get(bytes.get(crc_at..)?)?;
        if crc32c::crc32c(bytes.get(8..crc_at)?) != crc {
            return None;
        }
        let mut blocks = Vec::with_capacity(count as usize);
        let (mut offset, mut plain_offset) = (0, 0);
        for entry in bytes.get(HEAD_LEN..crc_at)?.chunks_exact(ENTRY_LEN) {
            let (first_seq, (count, len, plain_len, crc), times) = get(entry)?;
            let block = SealedBlock {
                first_seq,
                count,
                offset,
                len,
                plain_offset,
                plain_len,
                crc,
                times,
            };
            offset += u64::from(block.len);
            plain_offset += u64::from(block.plain_len);
            blocks.push(block);
        }
        let footer = Self {
            crc: Some(crc),
            ..Self::new(blocks, None)
        };
        let longest = zstd::zstd_safe::compress_bound(MAX_FRAME);
        let plausible = footer.blocks.iter().all(|block| {
            (1..=MAX_SEQ).contains(&block.first_seq)
                && block.plain_len as usize <= MAX_FRAME
                && block.len as usize <= longest
        });
        (plausible && offset == blocks_len && footer.encode(log_id)? == bytes).then_some(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Vec<SealedBlock> {
        let block = |first_seq, offset, plain_offset| SealedBlock {
            first_seq,
            count: 10,
            offset,
            len: 100,
            plain_offset,
            plain_len: 1000,
            crc: 7,
            times: (-5, first_seq as i64),
        };
        vec![block(1, 0, 0), block(11, 100, 1000), block(21, 200, 2000)]
    }

    #[test]
    fn a_footer_reads_what_was_written_and_nothing_else() {
        let footer = Footer::new(blocks(), None);
        let bytes = footer.encode(9).unwrap();
        let end = &bytes[bytes.len() - TABLE_END_LEN..];
        assert_eq!(Footer::encoded_len(end), Some(bytes.len() as u64));
        let read = Footer::decode(&bytes, 9, 300).unwrap();
        assert_eq!(read.blocks, blocks());
        let (at, crc) = read.stored_crc().unwrap();
        let at = at as usize - 300;
        assert_eq!(bytes[at..at + 4], crc.to_le_bytes());
        assert!(Footer::decode(&bytes, 8, 300).is_none());
        assert!(Footer::decode(&bytes, 9, 301).is_none());
        for place in 0..bytes.len() {
            assert!(Footer::decode(&bytes[..place], 9, 300).is_none());
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[place] ^= 1 << bit;
                assert!(Footer::decode(&bad, 9, 300).is_none(), "byte {place}");
            }
        }
    }

    #[test]
    fn blocks_are_found_by_seq_and_by_offset() {
        let footer = Footer::new(blocks(), None);
        let by_seq = |seq| footer.block_of_seq(seq).map(|(at, _)| at);
        assert_eq!(
            [0, 1, 10, 11, 99].map(by_seq),
            [None, Some(0), Some(0), Some(1), Some(2)]
        );
        let by_offset = |offset| footer.block_of_offset(offset).map(|(at, _)| at);
        assert_eq!(
            [0, 999, 1000, 2999, 3000].map(by_offset),
            [Some(0), Some(0), Some(1), Some(2), None]
        );
        assert_eq!((footer.plain_len(), footer.next_seq()), (3000, Some(31)));
    }
}
