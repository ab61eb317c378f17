//! The index in sled.
//!
//! Events are gathered in memory ([`Pending`]) and written as *runs*: sorted,
//! cut into blocks of about a KiB, each run a sled tree of its own. Runs are
//! never changed; when enough of one size stand beside each other they are
//! merged into one, in small steps. A question reads the runs from the oldest to
//! the newest, and then what is pending.
//!
//! sled's default tree holds these values:
//!
//! | key | value |
//! | --- | --- |
//! | `m` | the [`Manifest`]: the position, and which runs there are |
//! | `d`, first `seq` (8 bytes) | last `seq` (8 bytes, both big-endian) of events that cannot be read |
//! | `w` | the same of lookups, if there are any: their own runs, and their own position |
//! | `f` | of which fields they are, and which baselines are in them ([`super::lookup`]) |
//!
//! A run counts from when the manifest names it, and until it does no longer:
//! its tree is written before and dropped after, and what a crash leaves of
//! others is dropped at the next opening. So the position and the items always
//! fit each other, and whatever was pending is read from the log again.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::error::{IndexError, contain};
use super::manifest::{META, Manifest};
use super::merge::{Merged, Source, to_merge};
use super::pending::Pending;
use super::run::{Run, RunWriter, drop_others};
use super::slot::Slot;
use super::slotted::Slotted;
use crate::event::ProfileKey;

/// How many items are gathered for a run: as many events are read from the log
/// again after a crash, and held in memory.
pub(super) const RUN_LEN: usize = 65_536;

/// A merge of runs with fewer items than this in all is not left for later when
/// the index is closed: else runs of commands that add a few events would pile up.
const QUICK_MERGE: u64 = 65_536;

/// How many items a step of a merge handles: about a millisecond.
const STEP: usize = 4096;

/// More runs than this are merged even if no event comes.
const MANY_RUNS: usize = 48;

/// How long a database that this process has just closed is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// One event, to be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The (sub)profile.
    pub key: ProfileKey,
    /// The event's time in Unix seconds.
    pub time: i64,
    /// Its `seq`.
    pub seq: u64,
}

/// Up to where the log is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last `seq` that is in the index; 0 for none.
    pub seq: u64,
    /// CRC-32C of that event's record, by which another log is told apart.
    pub mark: u32,
}

/// The events' part of the index in sled.
pub(super) type SledIndex = Store<Slot>;

/// A kind of runs in sled. One thread enters items; any may ask.
pub(super) struct Store<S: Slotted> {
    pub(super) db: sled::Db,
    log_id: u64,
    /// See [`Manifest::generation`].
    pub(super) generation: u64,
    /// How many items are gathered for a run.
    run_len: usize,
    view: RwLock<View<S>>,
    merging: Mutex<Option<Merging<S>>>,
}

/// What the answers are made of. While it is read, no run of it is dropped.
pub(super) struct View<S> {
    /// From the oldest to the newest.
    pub runs: Vec<Run<S>>,
    next_run: u64,
    /// A run was added since the start or the last merge.
    grown: bool,
    /// Up to where the log is in runs.
    pub kept: Position,
    pub pending: Pending<S>,
}

impl<S> View<S> {
    /// The runs that are to be merged next, if any.
    fn to_merge(&self) -> Option<&[Run<S>]> {
        let items: Vec<u64> = self.runs.iter().map(|run| run.shape.items).collect();
        self.runs.get(to_merge(&items)?)
    }
}

/// A merge that is going on.
struct Merging<S: Slotted> {
    /// The runs' numbers.
    inputs: Vec<u64>,
    merged: Merged<'static, S>,
    output: RunWriter<S>,
}

impl SledIndex {
    /// Opens or makes the index in a folder. `cache` is sled's, in bytes;
    /// `generation` is that of a new one.
    pub fn open(path: &Path, cache: u64, log_id: u64, generation: u64) -> Result<Self, IndexError> {
        let begun = Instant::now();
        loop {
            match contain(|| Self::open_once(path, cache, log_id, generation)) {
                // sled's own threads let a database go a moment after it was
                // dropped. The data folder's lock keeps other processes out.
                Err(error) if error.is_locked() && begun.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                opened => return opened,
            }
        }
    }

    /// The same, with runs of another length.
    #[cfg(test)]
    pub fn with_run_len(self, run_len: usize) -> Self {
        Self { run_len, ..self }
    }

    fn open_once(
        path: &Path,
        cache: u64,
        log_id: u64,
        generation: u64,
    ) -> Result<Self, IndexError> {
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(cache)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(Some(2_000))
            .open()?;
        if db.is_empty() {
            let manifest = Manifest {
                generation,
                ..Manifest::default()
            };
            db.insert(META, manifest.encode(log_id))?;
        }
        Self::of(db, log_id)
    }

    /// Enters events, in the order of their `seq`, and those that cannot be
    /// read (first and last `seq`), and moves the position.
    pub fn apply(
        &self,
        entries: &[Entry],
        unreadable: &[(u64, u64)],
        position: Position,
    ) -> Result<(), IndexError> {
        self.view_mut().pending.enter(entries, unreadable, position);
        if self.view().pending.len() >= self.run_len {
            contain(|| self.write_pending())?;
        }
        Ok(())
    }
}

impl<S: Slotted> Store<S> {
    /// The runs of a kind in a database, which has a manifest of them.
    pub fn of(db: sled::Db, log_id: u64) -> Result<Self, IndexError> {
        let meta = db.get(S::MANIFEST)?.ok_or(IndexError::Foreign)?;
        let manifest = Manifest::decode(&meta, log_id)?;
        let runs = manifest.runs.into_iter();
        let runs = runs
            .map(|shape| Run::open(&db, shape))
            .collect::<Result<Vec<_>, _>>()?;
        drop_others(&db, &runs)?;
        let view = View {
            runs,
            next_run: manifest.next_run,
            grown: false,
            kept: manifest.position,
            pending: Pending::after(manifest.position),
        };
        Ok(Self {
            db,
            log_id,
            generation: manifest.generation,
            run_len: RUN_LEN,
            view: RwLock::new(view),
            merging: Mutex::new(None),
        })
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View<S>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View<S>> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn merging(&self) -> MutexGuard<'_, Option<Merging<S>>> {
        self.merging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to where the log is applied, with what is pending.
    pub fn position(&self) -> Position {
        self.view().pending.position
    }

    /// Makes a run of what is pending.
    pub(super) fn write_pending(&self) -> Result<(), IndexError> {
        let view = self.view();
        let pending = &view.pending;
        let mut runs = view.runs.clone();
        let mut next_run = view.next_run;
        if pending.len() > 0 {
            let mut writer = RunWriter::new(&self.db, next_run)?;
            let mut items = pending.read_from(S::FIRST);
            while let Some((slot, items)) = items.next() {
                writer.push(slot, &items)?;
            }
            runs.push(writer.finish()?);
            next_run += 1;
        }
        let mut batch = sled::Batch::default();
        for (first, last) in &pending.unreadable {
            let name = [b"d".as_slice(), &first.to_be_bytes()].concat();
            batch.insert(name, &last.to_be_bytes());
        }
        let manifest = Manifest::new(self.generation, pending.position, next_run, &runs);
        batch.insert(S::MANIFEST, manifest.encode(self.log_id));
        self.db.apply_batch(batch)?;
        drop(view);
        let mut view = self.view_mut();
        view.grown |= view.runs.len() < runs.len();
        view.kept = view.pending.position;
        view.pending = Pending::after(view.kept);
        (view.runs, view.next_run) = (runs, next_run);
        Ok(())
    }

    /// Goes on with merging, for about a millisecond; `false` where there is
    /// nothing to merge.
    pub fn tidy(&self) -> Result<bool, IndexError> {
        contain(|| {
            let mut place = self.merging();
            if place.is_none() {
                *place = self.begin_merge()?;
            }
            let Some(merging) = place.as_mut() else {
                return Ok(false);
            };
            let mut handled = 0;
            while handled < STEP {
                let Some((slot, items)) = merging.merged.next()? else {
                    if let Some(merging) = place.take() {
                        self.end_merge(merging)?;
                    }
                    return Ok(true);
                };
                handled += items.len();
                merging.output.push(slot, &items)?;
            }
            Ok(true)
        })
    }

    fn begin_merge(&self) -> Result<Option<Merging<S>>, IndexError> {
        let mut view = self.view_mut();
        if !view.grown && view.runs.len() <= MANY_RUNS {
            return Ok(None);
        }
        let Some(inputs) = view.to_merge() else {
            view.grown = false;
            return Ok(None);
        };
        let merging = Merging {
            inputs: inputs.iter().map(|run| run.shape.number).collect(),
            merged: Merged::new(
                inputs
                    .iter()
                    .map(|run| Source::Run(Box::new(run.read_from(S::FIRST))))
                    .collect(),
            ),
            output: RunWriter::new(&self.db, view.next_run)?,
        };
        view.next_run += 1;
        Ok(Some(merging))
    }

    /// Puts the new run in the place of those of which it was made.
    fn end_merge(&self, merging: Merging<S>) -> Result<(), IndexError> {
        let Merging {
            inputs,
            merged,
            output,
        } = merging;
        drop(merged);
        let output = output.finish()?;
        let mut view = self.view_mut();
        let mut runs = view.runs.clone();
        let is_input = |run: &Run<S>| inputs.contains(&run.shape.number);
        let from = runs.iter().position(is_input).ok_or(IndexError::Entry)?;
        let old: Vec<Run<S>> = runs.splice(from..from + inputs.len(), [output]).collect();
        // What is pending is not in a run yet: the position stays where it was.
        let manifest = Manifest::new(self.generation, view.kept, view.next_run, &runs);
        self.db.insert(S::MANIFEST, manifest.encode(self.log_id))?;
        view.runs = runs;
        drop(view);
        old.into_iter().try_for_each(|run| run.drop_from(&self.db))
    }

    /// Hands everything to the system, so that the next opening has nothing to
    /// read from the log again. Ends a merge: small ones go to their end, larger
    /// ones begin anew some time.
    pub fn flush(&self) -> Result<(), IndexError> {
        contain(|| {
            let (kept, position) = (self.view().kept, self.position());
            if kept != position {
                self.write_pending()?;
            }
            if let Some(merging) = self.merging().take() {
                merging.output.discard(&self.db)?;
            }
            Ok(())
        })?;
        while self.has_quick_merge() && self.tidy()? {}
        contain(|| {
            self.db.flush()?;
            Ok(())
        })
    }

    /// Whether a merge is to be made of few items.
    fn has_quick_merge(&self) -> bool {
        let view = self.view();
        let items = |runs: &[Run<S>]| runs.iter().map(|run| run.shape.items).sum::<u64>();
        view.to_merge()
            .is_some_and(|runs| items(runs) <= QUICK_MERGE)
    }
}
