//! Removing pruned records from the files of a log.

use crate::log::record::is_pruned;
use crate::log::{Log, LogError, NotSealed, Rewriting};

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many segments were rewritten.
    pub segments: u64,
    /// By how many bytes they are smaller.
    pub bytes: u64,
    /// The segments that could not be rewritten, with the reason; they are unchanged.
    pub damage: Vec<String>,
}

impl Removed {
    /// Adds the result of another removal.
    pub fn add(&mut self, other: Self) {
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.damage.extend(other.damage);
    }
}

/// Which records of a log are removed.
pub struct Removal<'a> {
    /// Only records before this time, in Unix seconds, …
    pub before: i64,
    /// … up to this `seq`, …
    pub last_seq: u64,
    /// … for which this is true.
    pub covers: &'a dyn Fn(u64, &[u8]) -> bool,
    /// The time of a record as the footers of sealed segments have it.
    pub time_of: &'a dyn Fn(&[u8]) -> Option<i64>,
}

impl Removal<'_> {
    /// Rewrites the closed segments that hold any of the records. Can be stopped and
    /// repeated. Calls `progress` with the number of segments done and in all.
    pub fn run(
        &self,
        log: &Log,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Removed, NotSealed> {
        let mut removed = Removed::default();
        let covers = |seq: u64, record: &[u8]| !is_pruned(record) && (self.covers)(seq, record);
        let segments = log.older_than(self.before, self.last_seq)?;
        let all = segments.len() as u64;
        for (done, (first_seq, end_seq)) in segments.into_iter().enumerate() {
            progress(done as u64, all);
            if stop() {
                return Err(NotSealed::Stopped);
            }
            if !holds(log, first_seq, end_seq.min(self.last_seq), &covers)? {
                continue;
            }
            let rewriting = Rewriting {
                time_of: self.time_of,
                is_pruned: &covers,
                stop,
            };
            match log.prune(first_seq, &rewriting) {
                Ok(Some(sealed)) => {
                    removed.segments += 1;
                    removed.bytes += sealed.plain_bytes.saturating_sub(sealed.sealed_bytes);
                }
                Ok(None) => {}
                Err(error @ (NotSealed::Damaged { .. } | NotSealed::Differs(_))) => {
                    removed.damage.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        progress(all, all);
        Ok(removed)
    }
}

/// Whether a log holds a record between two numbers for which `covers` is true.
pub fn holds(
    log: &Log,
    first_seq: u64,
    last_seq: u64,
    covers: &dyn Fn(u64, &[u8]) -> bool,
) -> Result<bool, LogError> {
    let mut scan = log.scan_range(first_seq, last_seq);
    while let Some(mut records) = scan.next_records(|_| ())? {
        if records.any(|(seq, record)| covers(seq, record)) {
            return Ok(true);
        }
    }
    Ok(false)
}
