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
    /// Whether a record may have a time from `since` to `until` (exclusive).
    pub fn may_touch(&self, since: i64, until: i64) -> bool {
        self.times
            .is_none_or(|(least, greatest)| least < until && greatest >= since)
    }
}

impl Log {
    /// All that is synced now, in the order of `seq` and without gaps: what cannot
    /// be read belongs to the range before it. About 32 bytes for 64 KiB of
    /// records.
    pub fn block_ranges(&self) -> Result<Vec<BlockRange>, LogError> {
        let mut ranges = Vec::new();
        self.each_range(|range| ranges.push(range))?;
        Ok(ranges)
    }

    /// First and last `seq` of the consecutive ranges that may hold records from
    /// `since` to `until` (exclusive). Their number depends on that span alone,
    /// not on the length of the log.
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
                Ok((self.starts(segment, next_first)?, last))
            })?;
            let Some((starts, last)) = found else {
                // The first segment is missing.
                let first = self.first_seq();
                each(BlockRange {
                    first_seq: next_seq,
                    last_seq: first.saturating_sub(1).min(last_seq),
                    times: None,
                });
                next_seq = first.max(next_seq + 1);
                continue;
            };
            let ends = starts.iter().skip(1).map(|start| start.first_seq - 1);
            for (start, last_seq) in starts.iter().zip(ends.chain([last])) {
                if start.first_seq <= last_seq {
                    each(BlockRange {
                        first_seq: start.first_seq,
                        last_seq,
                        times: start.times.filter(|_| start.last_seq == Some(last_seq)),
                    });
                }
            }
            next_seq = last.max(next_seq) + 1;
        }
        Ok(())
    }

    /// The blocks of a segment.
    fn starts(&self, segment: &Segment, next_first: Option<u64>) -> Result<Vec<Start>, LogError> {
        let inner = &self.inner;
        let mut starts: Vec<_> = match segment.footer(inner)? {
            Some(footer) => footer
                .blocks
                .iter()
                .map(|block| Start {
                    first_seq: block.first_seq,
                    last_seq: Some(block.next_seq() - 1),
                    times: Some(block.times),
                })
                .collect(),
            None => segment.with_blocks(inner, next_first, |blocks| {
                blocks.firsts().map(Start::unknown).collect()
            })?,
        };
        match starts.first_mut() {
            // Records that are missing at the beginning belong to the first block.
            Some(first) if first.first_seq != segment.first_seq => {
                *first = Start::unknown(segment.first_seq);
            }
            Some(_) => {}
            None => starts.push(Start::unknown(segment.first_seq)),
        }
        Ok(starts)
    }
}

/// Where a block begins, and what the footer says of it.
struct Start {
    first_seq: u64,
    last_seq: Option<u64>,
    times: Option<(i64, i64)>,
}

impl Start {
    const fn unknown(first_seq: u64) -> Self {
        Self {
            first_seq,
            last_seq: None,
            times: None,
        }
    }
}
