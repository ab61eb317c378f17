//! Finding baselines.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kept::{KeptBaseline, decode_owners, footer_time};
use super::pruned::Pruned;
use crate::event::ProfileKey;
use crate::history::Baseline;
use crate::log::record::RecordError;
use crate::log::{BlockRange, Cursor, Log, LogError, OpenMode, Scan, Scanned, sealed_segment_of};
use crate::storage::Storage;

/// A generation of baselines, open for reading. Holds about 40 bytes per 64 KiB.
pub struct Baselines {
    log: Log,
    baselines: Blocks,
    owners: Blocks,
}

/// The blocks of a range of records that are ordered by a number.
struct Blocks {
    numbers: Range<u64>,
    blocks: Vec<BlockRange>,
}

impl Blocks {
    fn new(all: &[BlockRange], numbers: Range<u64>) -> Self {
        let inside = all
            .iter()
            .filter(|block| numbers.contains(&block.first_seq));
        let blocks: Vec<_> = inside.copied().collect();
        Self { numbers, blocks }
    }

    /// The ranges of the log that can hold the records of a number; the whole range
    /// if a footer is damaged.
    fn of(&self, number: u64) -> Range<u64> {
        let time = footer_time(number);
        let is_unknown = |times: (i64, i64)| times == (i64::MIN, i64::MAX);
        if self
            .blocks
            .iter()
            .any(|block| block.times.is_none_or(is_unknown))
        {
            return self.numbers.clone();
        }
        let times = |block: &BlockRange| block.times.unwrap_or_default();
        let from = self.blocks.partition_point(|block| times(block).1 < time);
        let to = self.blocks.partition_point(|block| times(block).0 <= time);
        let begin = self.blocks.get(from).map(|first| first.first_seq);
        let last = to.checked_sub(1).and_then(|last| self.blocks.get(last));
        match (begin, last) {
            (Some(begin), Some(last)) => begin..(last.last_seq + 1).min(self.numbers.end),
            _ => 0..0,
        }
    }
}

impl Baselines {
    /// Opens the committed generation.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &Path,
        log_id: u64,
        pruned: &Pruned,
    ) -> Result<Self, LogError> {
        let log = Log::open(storage, dir, log_id, OpenMode::Read)?.log;
        let blocks = log.block_ranges()?;
        Ok(Self {
            baselines: Blocks::new(&blocks, pruned.baselines..pruned.owners),
            owners: Blocks::new(&blocks, pruned.owners..pruned.end),
            log,
        })
    }

    /// Their files. They never change, and are not removed while the
    /// [`super::Retention`] that refers to them is held.
    pub fn files(&self, storage: &dyn Storage, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let numbers = self.baselines.numbers.start..self.owners.numbers.end;
        let mut names = storage.list(dir)?;
        names.retain(|name| sealed_segment_of(name).is_some_and(|first| numbers.contains(&first)));
        names.sort_unstable();
        Ok(names.into_iter().map(|name| dir.join(name)).collect())
    }

    /// The number of baselines.
    pub fn count(&self) -> u64 {
        self.baselines.numbers.end - self.baselines.numbers.start
    }

    /// The baseline of a (sub)profile, if it has one.
    pub fn find(&self, key: ProfileKey) -> Result<Option<Baseline>, LogError> {
        let mut cursor = self.log.cursor();
        let within = self.baselines.of(key.profile);
        let at = self.position(&mut cursor, within.clone(), key)?;
        if !within.contains(&at) {
            return Ok(None);
        }
        let found = read(&mut cursor, at, KeptBaseline::decode)?;
        Ok(Some(found.baseline).filter(|_| found.key == key))
    }

    /// The number of the first baseline in a range that is at or after a
    /// (sub)profile.
    fn position(
        &self,
        cursor: &mut Cursor,
        within: Range<u64>,
        key: ProfileKey,
    ) -> Result<u64, LogError> {
        let (mut low, mut high) = (within.start, within.end);
        while low < high {
            let middle = low.midpoint(high);
            if read(cursor, middle, KeptBaseline::key_of)? < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Up to `limit` (sub)profiles that have one, in order, from the one after
    /// `after`.
    pub fn keys_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, LogError> {
        let mut cursor = self.log.cursor();
        let all = self.baselines.numbers.clone();
        let begin = match after {
            None => all.start,
            Some(after) => {
                // Those of the same profile, or the first of a later one.
                let within = self.baselines.of(after.profile);
                let within = if within.is_empty() {
                    all.clone()
                } else {
                    within
                };
                let at = self.position(&mut cursor, within, after)?;
                let here =
                    all.contains(&at) && read(&mut cursor, at, KeptBaseline::key_of)? == after;
                at + u64::from(here)
            }
        };
        (begin..all.end)
            .take(limit)
            .map(|seq| read(&mut cursor, seq, KeptBaseline::key_of))
            .collect()
    }

    /// The profile that a subprofile belonged to by its pruned events.
    pub fn owner_of(&self, subprofile: u64) -> Result<Option<u64>, LogError> {
        let mut cursor = self.log.cursor();
        let mut within = self.owners.of(subprofile);
        // The last record that begins at or before it.
        while within.end > within.start + 1 {
            let middle = within.start.midpoint(within.end);
            let owners = read(&mut cursor, middle, decode_owners)?;
            let begins = owners
                .first()
                .is_some_and(|(first, _)| *first <= subprofile);
            within = if begins {
                middle..within.end
            } else {
                within.start..middle
            };
        }
        if within.is_empty() {
            return Ok(None);
        }
        let owners = read(&mut cursor, within.start, decode_owners)?;
        let found = owners.binary_search_by_key(&subprofile, |(own, _)| *own);
        Ok(found
            .ok()
            .and_then(|at| owners.get(at))
            .map(|(_, profile)| *profile))
    }

    /// All of them, in the order of (sub)profiles.
    pub fn walk(&self) -> Walk {
        let Range { start, end } = self.baselines.numbers;
        Walk {
            scan: (start < end).then(|| self.log.scan_range(start, end - 1)),
            held: VecDeque::new(),
        }
    }
}

/// Decodes a record; a failure is damage.
fn read<T>(
    cursor: &mut Cursor,
    seq: u64,
    decode: impl Fn(&[u8]) -> Result<T, RecordError>,
) -> Result<T, LogError> {
    decode(cursor.get(seq)?).map_err(|error| no_baseline(seq, &error))
}

fn no_baseline(seq: u64, error: &RecordError) -> LogError {
    let what = std::io::Error::other(format!("baseline {seq}: {error}"));
    LogError::io("reading", "baselines")(what)
}

/// All baselines of a generation, in the order of (sub)profiles; empty by default.
#[derive(Default)]
pub struct Walk {
    scan: Option<Scan>,
    held: VecDeque<KeptBaseline>,
}

impl Walk {
    /// The next baseline; `None` at the end. An unreadable one is an error, since its
    /// content exists nowhere else.
    pub fn step(&mut self) -> Result<Option<KeptBaseline>, LogError> {
        self.next_if(|_| true)
    }

    /// The next baseline, if its (sub)profile is wanted; otherwise it stays.
    pub fn next_if(
        &mut self,
        wanted: impl FnOnce(ProfileKey) -> bool,
    ) -> Result<Option<KeptBaseline>, LogError> {
        while self.held.is_empty()
            && let Some(scan) = &mut self.scan
        {
            match scan.step()? {
                None => self.scan = None,
                Some(Scanned::Damage(damage)) => {
                    let seq = damage.first_seq;
                    return Err(LogError::Damaged {
                        seq,
                        damage: Box::new(damage),
                    });
                }
                Some(Scanned::Records(records)) => {
                    for (seq, record) in records {
                        let kept = KeptBaseline::decode(record);
                        self.held
                            .push_back(kept.map_err(|error| no_baseline(seq, &error))?);
                    }
                }
            }
        }
        let is_wanted = self.held.front().is_some_and(|kept| wanted(kept.key));
        Ok(if is_wanted {
            self.held.pop_front()
        } else {
            None
        })
    }
}
