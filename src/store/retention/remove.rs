//! Removing pruned records from the files of a log.
//!
//! A removed record of an event keeps its number and, as a tombstone, its leaf hash,
//! which proofs of other events need. If a whole tile of the tree is pruned and its root
//! is on stable storage, the leaves are not needed, and the records become empty.

use crate::log::record::{is_pruned, tombstone};
use crate::log::{Log, LogError, NotSealed, Rewriting, TILE, stand_in};

/// The result of a removal.
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

/// The records of a log to remove.
pub struct Removal<'a> {
    /// First and last `seq` of the closed segments that may hold any of them.
    pub segments: Vec<(u64, u64)>,
    /// Whether a record is one of them.
    pub covers: &'a dyn Fn(u64, &[u8]) -> bool,
    /// The time of a record as the footers of sealed segments have it.
    pub time_of: &'a dyn Fn(&[u8]) -> Option<i64>,
    /// The remains of the records; `None` if they are in no tree.
    pub leaves: Option<Leaves<'a>>,
}

/// The leaf hash of a record, if it has one.
type LeafOf<'a> = dyn Fn(u64, &[u8]) -> Option<[u8; 32]> + 'a;

/// The data that a removal keeps for proofs.
pub struct Leaves<'a> {
    /// How many tiles have a signed root on stable storage.
    pub tiles: u64,
    /// The tiles whose leaves are always kept, since an anchor ends there.
    pub anchored: Vec<u64>,
    /// The leaf hash of the record of a `seq`.
    pub leaf_of: &'a LeafOf<'a>,
}

impl Removal<'_> {
    /// Rewrites the closed segments that hold any of the records. Can be stopped and
    /// repeated. Calls `progress` with the number of segments done and in all.
    pub fn run(
        self,
        log: &Log,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Removed, NotSealed> {
        let mut removed = Removed::default();
        let covers = |seq: u64, record: &[u8]| !is_pruned(record) && (self.covers)(seq, record);
        let all = self.segments.len() as u64;
        for (done, &(first_seq, end_seq)) in self.segments.iter().enumerate() {
            progress(done as u64, all);
            if stop() {
                return Err(NotSealed::Stopped);
            }
            if !holds(log, first_seq, end_seq, &covers)? {
                continue;
            }
            let whole = self.whole_tiles(log, first_seq, end_seq)?;
            let rewriting = Rewriting {
                time_of: self.time_of,
                replace: &|seq, record| self.replacement(&whole, seq, record),
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

    /// The replacement of a record; `None` if it stays.
    fn replacement(&self, whole: &[u64], seq: u64, record: &[u8]) -> Option<Vec<u8>> {
        let goes = is_pruned(record) || (self.covers)(seq, record);
        let leaves = self.leaves.as_ref().filter(|_| goes);
        match leaves {
            Some(leaves) if whole.binary_search(&((seq - 1) / TILE)).is_err() => {
                let stand_in = || (!is_pruned(record)).then(|| stand_in(record));
                let leaf = (leaves.leaf_of)(seq, record).or_else(stand_in);
                leaf.map(tombstone)
            }
            _ => goes.then(Vec::new),
        }
    }

    /// The tiles, in order, of which all records between two numbers and beyond them
    /// are pruned, and whose roots are kept.
    fn whole_tiles(&self, log: &Log, first_seq: u64, end_seq: u64) -> Result<Vec<u64>, LogError> {
        let Some(leaves) = &self.leaves else {
            return Ok(Vec::new());
        };
        let first = (first_seq - 1) / TILE;
        let end = end_seq.div_ceil(TILE).min(leaves.tiles);
        let mut pruned = vec![0; end.saturating_sub(first) as usize];
        let mut scan = log.scan_range(first * TILE + 1, end * TILE);
        while first < end
            && let Some(records) = scan.next_records(|_| ())?
        {
            for (seq, record) in records {
                if (is_pruned(record) || (self.covers)(seq, record))
                    && let Some(count) = pruned.get_mut(((seq - 1) / TILE - first) as usize)
                {
                    *count += 1;
                }
            }
        }
        let whole = (first..end).zip(pruned).filter(|(_, count)| *count == TILE);
        let whole = whole.map(|(tile, _)| tile);
        let others = whole.filter(|tile| !leaves.anchored.contains(tile));
        Ok(others.collect())
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
