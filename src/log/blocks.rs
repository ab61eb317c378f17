//! Where the blocks of a plain segment begin.
//!
//! A segment is divided into *blocks*: consecutive whole frames of about 64 KiB.
//! The first `seq` and the offset of each are kept in memory (16 bytes a block).
//! They are noted while appending, or found by reading the segment once.

/// A block grows to this many bytes before the next one begins.
const BLOCK_LEN: u64 = 64 * 1024;

/// Consecutive whole frames of a segment.
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
}

impl Blocks {
    /// Notes the next frame.
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

    /// The block that holds a `seq`, if the segment does. `end` is the segment's
    /// length.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seq_is_found_in_its_block() {
        let mut blocks = Blocks::default();
        for (seq, offset) in [(1, 0), (5, 100), (9, 70_000), (20, 140_000)] {
            blocks.add(seq, offset);
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
