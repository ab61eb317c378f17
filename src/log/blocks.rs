//! Where the blocks of a plain segment begin.
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

/// A block grows to this many bytes before the next one begins.
const BLOCK_LEN: u64 = 64 * 1024;

const BLOCKS_MAGIC: [u8; 4] = *b"PTLB";
const BLOCKS_VERSION: u32 = 1;

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
    pub hearsay: bool,
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

    /// The first `seq` of every block.
    pub fn firsts(&self) -> impl Iterator<Item = u64> {
        self.starts.iter().map(|(seq, _)| *seq)
    }

    /// The block in which a `seq` stands, if it stands in the segment. `end` is
    /// the segment's.
    pub fn find(&self, seq: u64, end: u64) -> Option<Block> {
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

    pub fn encode(&self, log_id: u64, segment_len: u64) -> Vec<u8> {
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

    pub fn decode(bytes: &[u8], log_id: u64, segment_len: u64) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
