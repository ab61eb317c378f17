//! A log as a row of stretches, which a scan by time can pass over.

use super::error::LogError;
use super::segment::{Log, Segment};

/// Records in a row that stand in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// `seq` of the first.
    pub first_seq: u64,
    /// `seq` of the last.
    pub last_seq: u64,
    /// The least and the greatest time of all of them in Unix seconds; `None`
    /// where that is not known, as in a plain segment or one with damage.
    pub times: Option<(i64, i64)>,
}

impl Stretch {
    /// Whether a record may have a time in a span (`until` exclusive).
    pub fn may_touch(&self, since: i64, until: i64) -> bool {
        self.times
            .is_none_or(|(least, greatest)| least < until && greatest >= since)
    }
}

impl Log {
    /// All that is synced now, in the order of `seq` and without gaps: what
    /// cannot be read belongs to the stretch before it. About 32 bytes for 64
    /// KiB of records.
    pub fn stretches(&self) -> Result<Vec<Stretch>, LogError> {
        let mut stretches = Vec::new();
        self.each_stretch(|stretch| stretches.push(stretch))?;
        Ok(stretches)
    }

    /// First and last `seq` of the rows of stretches in which records of a span
    /// of time may be (`until` exclusive): as many as that span has, however
    /// long the log is.
    pub fn stretches_touching(&self, since: i64, until: i64) -> Result<Vec<(u64, u64)>, LogError> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        self.each_stretch(|stretch| {
            if !stretch.may_touch(since, until) {
                return;
            }
            match found.last_mut() {
                Some((_, last)) if *last + 1 == stretch.first_seq => *last = stretch.last_seq,
                _ => found.push((stretch.first_seq, stretch.last_seq)),
            }
        })?;
        Ok(found)
    }

    /// Hands all stretches to `each`, in the order of `seq`.
    fn each_stretch(&self, mut each: impl FnMut(Stretch)) -> Result<(), LogError> {
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
                each(Stretch {
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
                    each(Stretch {
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
            // What is missing at the beginning belongs to the first block.
            Some(first) if first.first_seq != segment.first_seq => {
                *first = Start::unknown(segment.first_seq);
            }
            Some(_) => {}
            None => starts.push(Start::unknown(segment.first_seq)),
        }
        Ok(starts)
    }
}

/// Where a block begins, and what a footer tells of it.
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
