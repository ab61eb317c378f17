//! The log as consecutive ranges of records, each with its range of time.

use super::error::LogError;
use super::segment::{Log, Segment};

/// The consecutive records of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRange {
    /// `seq` of the first.
    pub first_seq: u64,
    /// `seq` of the last.
    pub last_seq: u64,
    /// The least and the greatest time of all of them in Unix seconds; `None` if
    /// not known, as in a plain segment or one with damage.
    pub times: Option<(i64, i64)>,
}

impl BlockRange {
    const fn unknown(first_seq: u64, last_seq: u64) -> Self {
        Self {
            first_seq,
            last_seq,
            times: None,
        }
    }

    /// Whether a record may have a time from `since` to `until` (exclusive).
    pub fn may_touch(&self, since: i64, until: i64) -> bool {
        self.times
            .is_none_or(|(least, greatest)| least < until && greatest >= since)
    }
}

impl Log {
    /// All synced records, in the order of `seq` and without gaps: unreadable records
    /// belong to the range before them. About 32 bytes for 64 KiB of records.
    pub fn block_ranges(&self) -> Result<Vec<BlockRange>, LogError> {
        let mut ranges = Vec::new();
        self.each_range(|range| ranges.push(range))?;
        Ok(ranges)
    }

    /// First and last `seq` of the consecutive ranges that may hold records from `since`
    /// to `until` (exclusive). Their number depends only on that span, not on the length
    /// of the log.
    pub fn block_ranges_touching(
        &self,
        since: i64,
        until: i64,
    ) -> Result<Vec<(u64, u64)>, LogError> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        self.each_range(|range| {
            if !range.may_touch(since, until) {
                return;
            }
            match found.last_mut() {
                Some((_, last)) if *last + 1 == range.first_seq => *last = range.last_seq,
                _ => found.push((range.first_seq, range.last_seq)),
            }
        })?;
        Ok(found)
    }

    /// Calls `each` with all ranges in the order of `seq`.
    fn each_range(&self, mut each: impl FnMut(BlockRange)) -> Result<(), LogError> {
        let last_seq = self.last_seq();
        let mut next_seq = 1;
        while next_seq <= last_seq {
            let found = self.inner.with_segment(next_seq, |segment, next_first| {
                let last = next_first.map_or(last_seq, |next| (next - 1).min(last_seq));
                Ok((self.ranges_of(segment, next_first, last)?, last))
            })?;
            let (ranges, last) = found.unwrap_or_else(|| {
                let missing = self.inner.missing_start();
                let last = missing.map_or(0, |damage| damage.last_seq).min(last_seq);
                (vec![BlockRange::unknown(next_seq, last)], last)
            });
            let ranges = ranges.into_iter();
            ranges
                .filter(|range| range.first_seq <= range.last_seq)
                .for_each(&mut each);
            next_seq = last.max(next_seq) + 1;
        }
        Ok(())
    }

    /// The blocks of a segment whose last `seq` is given.
    fn ranges_of(
        &self,
        segment: &Segment,
        next_first: Option<u64>,
        last_seq: u64,
    ) -> Result<Vec<BlockRange>, LogError> {
        let inner = &self.inner;
        let unknown = |first_seq| BlockRange::unknown(first_seq, 0);
        let mut ranges: Vec<_> = match segment.footer(inner)? {
            Some(footer) => footer
                .blocks
                .iter()
                .map(|block| BlockRange {
                    first_seq: block.first_seq,
                    last_seq: block.next_seq() - 1,
                    times: Some(block.times),
                })
                .collect(),
            None => segment.with_blocks(inner, next_first, |blocks| {
                blocks.firsts().map(unknown).collect()
            })?,
        };
        match ranges.first_mut() {
            // Records that are missing at the beginning belong to the first block.
            Some(first) if first.first_seq != segment.first_seq => {
                *first = unknown(segment.first_seq);
            }
            Some(_) => {}
            None => ranges.push(unknown(segment.first_seq)),
        }
        let mut end = last_seq;
        for range in ranges.iter_mut().rev() {
            if range.last_seq != end {
                *range = BlockRange::unknown(range.first_seq, end);
            }
            end = range.first_seq - 1;
        }
        Ok(ranges)
    }
}
