//! Taking the bytes of what is pruned off the disk.

use crate::log::record::is_pruned;
use crate::log::{Log, LogError, NotSealed, Rewriting, Scanned};

/// What a removal came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many segments were written anew.
    pub segments: u64,
    /// By how many bytes they are smaller.
    pub bytes: u64,
    /// Segments that could not be, and why; they are as they were.
    pub damage: Vec<String>,
}

impl Removed {
    /// Adds what another removal came to.
    pub fn add(&mut self, other: Self) {
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.damage.extend(other.damage);
    }
}

/// Removes the records up to a `seq` whose time, which `time_of` tells, is
/// before another; in closed segments alone. Can be broken off and done again.
/// `tell` is told how many segments are done, and of how many.
pub fn remove(
    log: &Log,
    before: i64,
    last_seq: u64,
    time_of: &dyn Fn(&[u8]) -> Option<i64>,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<Removed, NotSealed> {
    let mut removed = Removed::default();
    let goes = |seq: u64, record: &[u8]| {
        seq <= last_seq && !is_pruned(record) && time_of(record).is_some_and(|time| time < before)
    };
    let segments = log.older_than(before, last_seq)?;
    let all = segments.len() as u64;
    for (done, (first_seq, end_seq)) in segments.into_iter().enumerate() {
        tell(done as u64, all);
        if stop() {
            return Err(NotSealed::Stopped);
        }
        // A footer may say more than is true where a record has no time.
        if !holds(log, first_seq, end_seq.min(last_seq), &goes)? {
            continue;
        }
        let rewriting = Rewriting {
            time_of,
            is_pruned: &goes,
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
    tell(all, all);
    Ok(removed)
}

/// Whether a record of a stretch is one of those that go.
fn holds(
    log: &Log,
    first_seq: u64,
    last_seq: u64,
    goes: &dyn Fn(u64, &[u8]) -> bool,
) -> Result<bool, LogError> {
    let mut scan = log.scan_range(first_seq, last_seq);
    while let Some(found) = scan.step()? {
        if let Scanned::Records(mut records) = found
            && records.any(|(seq, record)| goes(seq, record))
        {
            return Ok(true);
        }
    }
    Ok(false)
}
