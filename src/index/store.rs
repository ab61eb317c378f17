//! The runs of an index, and the items that are not in a run yet.
//!
//! Items are collected in memory ([`Pending`]) and written as runs. Runs are never
//! changed; when enough adjacent runs are of one size they are merged into one, in small
//! steps. A query reads the runs from the oldest to the newest, and then the pending
//! items.
//!
//! A run's tree is written before the manifest lists it and dropped after the manifest no
//! longer does; unlisted trees left by a crash are dropped at the next opening. So the
//! position and the items always agree, and pending items are read from the log again.

use std::iter;
use std::path::Path;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::error::{IndexError, catch_panic};
use super::key::IndexKey;
use super::lookup::LookupValues;
use super::manifest::{Manifest, Position};
use super::merge::{Merged, Source, to_merge};
use super::pending::{Entry, Pending};
use super::run::{Run, RunReader, RunWriter, drop_others, drop_run};
use super::tree::{Database, wait_until_closed};

/// How many items are collected for a run: this many events are held in memory, and read
/// from the log again after a crash.
pub(super) const RUN_LEN: usize = 65_536;

/// A merge of at most this many items is made before the index is closed: else
/// runs of commands that add a few events would pile up.
const QUICK_MERGE: u64 = 65_536;

/// How many items a step of a merge handles: about a millisecond.
const STEP: usize = 4096;

/// More runs than this are merged even if no event arrives.
const MAX_IDLE_RUNS: usize = 48;

/// The name of the manifest in sled's default tree.
const MANIFEST: &[u8] = b"m";

/// An index: the positions of the events of (sub)profiles, and the (sub)profiles that had
/// a value. One thread adds items; any may read.
pub struct EventStore {
    pub(super) db: Database,
    /// How many items are collected for a run.
    run_len: usize,
    view: RwLock<View>,
    merging: Mutex<Option<Merging>>,
}

/// The runs that answers read. While it is locked, none of them is dropped.
pub(super) struct View {
    /// As it is on the disk, but for the number of the next run.
    pub manifest: Manifest,
    /// The runs that it lists.
    pub runs: Vec<Run>,
    /// A run was added since the start or the last merge.
    grown: bool,
    pub pending: Pending,
}

impl View {
    /// The runs that are to be merged next, if any.
    fn to_merge(&self) -> Option<&[Run]> {
        let items: Vec<u64> = self.runs.iter().map(|run| run.meta.items).collect();
        self.runs.get(to_merge(&items)?)
    }

    /// Everything from a key on, in order.
    pub fn read_from(&self, key: IndexKey) -> Result<Merged<'_>, IndexError> {
        let mut sources = runs_from(&self.runs, key)?;
        sources.push(Box::new(self.pending.read_from(key).map(Ok)));
        Merged::new(sources)
    }

    pub fn readers(&self) -> Vec<RunReader> {
        self.runs.iter().map(Run::reader).collect()
    }
}

fn runs_from<'a>(runs: &[Run], key: IndexKey) -> Result<Vec<Source<'a>>, IndexError> {
    let sources = runs.iter().map(|run| {
        let mut reader = run.reader();
        reader.seek(key)?;
        let groups = iter::from_fn(move || reader.next().transpose());
        Ok(Box::new(groups) as Source<'a>)
    });
    sources.collect()
}

/// Whether a key is in one of some runs.
pub(super) fn is_in_any(readers: &mut [RunReader], key: IndexKey) -> Result<bool, IndexError> {
    let mut found = false;
    for reader in readers {
        reader.find(key, |_| found = true)?;
        if found {
            break;
        }
    }
    Ok(found)
}

/// A merge that is under way.
struct Merging {
    /// The runs' numbers.
    inputs: Vec<u64>,
    merged: Merged<'static>,
    output: RunWriter,
}

impl EventStore {
    /// Opens the index in a folder, or makes one with the manifest `new`. `cache` is
    /// sled's, in bytes.
    pub(super) fn open(path: &Path, cache: u64, new: &Manifest) -> Result<Self, IndexError> {
        catch_panic(|| {
            // The data folder's lock keeps other processes out.
            wait_until_closed(path)?;
            Self::with_database(Database::open(path, cache)?, new)
        })
    }

    /// The same, with runs of another length.
    #[cfg(test)]
    pub(super) fn with_run_len(self, run_len: usize) -> Self {
        Self { run_len, ..self }
    }

    /// The index in a database; `new` is the manifest of an empty one.
    pub(super) fn with_database(db: Database, new: &Manifest) -> Result<Self, IndexError> {
        let manifest = match db.get(MANIFEST)? {
            Some(bytes) => Manifest::decode(&bytes, new.log_id)?,
            None if db.is_empty() => {
                db.insert(MANIFEST, new.encode()?)?;
                new.clone()
            }
            None => return Err(IndexError::Foreign),
        };
        drop_others(&db, &manifest.runs)?;
        let runs = manifest.runs.iter();
        let runs = runs
            .map(|meta| Run::open(&db, meta.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let view = View {
            pending: Pending::after(manifest.position),
            manifest,
            runs,
            grown: false,
        };
        Ok(Self {
            db,
            run_len: RUN_LEN,
            view: RwLock::new(view),
            merging: Mutex::new(None),
        })
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read()
    }

    /// The last `seq` of the log that is indexed, pending items included.
    pub(super) fn position(&self) -> Position {
        self.view().pending.position
    }

    /// See [`Manifest::generation`].
    pub fn generation(&self) -> u64 {
        self.view().manifest.generation
    }

    /// The fields whose values are looked up.
    pub fn fields(&self) -> Vec<String> {
        self.view().manifest.fields.clone()
    }

    /// Adds events, in the order of their `seq`, and those that cannot be read
    /// (first and last `seq`), and moves the position.
    pub(super) fn add(
        &self,
        entries: &[Entry],
        unreadable: &[(u64, u64)],
        position: Position,
    ) -> Result<(), IndexError> {
        self.view.write().pending.add(entries, unreadable, position);
        self.write_if_full()
    }

    /// Adds looked-up values: of events before these are added, or of baselines.
    pub(super) fn add_values(&self, values: &LookupValues) -> Result<(), IndexError> {
        self.view.write().pending.add_values(values);
        self.write_if_full()
    }

    fn write_if_full(&self) -> Result<(), IndexError> {
        if self.view().pending.len() >= self.run_len {
            catch_panic(|| self.write_pending())?;
        }
        Ok(())
    }

    /// Records that the values of the baselines are added.
    pub(super) fn end_baselines(&self) {
        self.view.write().manifest.has_baselines = true;
    }

    /// Writes the pending items as a run.
    fn write_pending(&self) -> Result<(), IndexError> {
        let view = self.view();
        let pending = &view.pending;
        let mut manifest = view.manifest.clone();
        let mut added = None;
        if pending.len() > 0 {
            let mut writer = RunWriter::new(&self.db, manifest.next_run)?;
            let mut readers = view.readers();
            for (key, items) in pending.read_from(IndexKey::FIRST) {
                // A value that comes again takes no room.
                if key.has_items() || !is_in_any(&mut readers, key)? {
                    writer.push(key, &items)?;
                }
            }
            let run = writer.finish()?;
            manifest.runs.push(run.meta.clone());
            manifest.next_run += 1;
            added = Some(run);
        }
        manifest.position = pending.position;
        manifest.unreadable.extend_from_slice(&pending.unreadable);
        self.db.insert(MANIFEST, manifest.encode()?)?;
        drop(view);
        let mut view = self.view.write();
        view.grown |= added.is_some();
        view.runs.extend(added);
        view.pending = Pending::after(manifest.position);
        view.manifest = manifest;
        Ok(())
    }

    /// Continues with merging, for about a millisecond; `false` if there is
    /// nothing to merge.
    pub(super) fn compact_step(&self) -> Result<bool, IndexError> {
        catch_panic(|| {
            let mut place = self.merging.lock();
            if place.is_none() {
                *place = self.begin_merge()?;
            }
            let Some(merging) = place.as_mut() else {
                return Ok(false);
            };
            let mut handled = 0;
            while handled < STEP {
                let Some((key, items)) = merging.merged.next()? else {
                    if let Some(merging) = place.take() {
                        self.end_merge(merging)?;
                    }
                    return Ok(true);
                };
                handled += items.len();
                merging.output.push(key, &items)?;
            }
            Ok(true)
        })
    }

    fn begin_merge(&self) -> Result<Option<Merging>, IndexError> {
        let mut view = self.view.write();
        if !view.grown && view.runs.len() <= MAX_IDLE_RUNS {
            return Ok(None);
        }
        let Some(inputs) = view.to_merge() else {
            view.grown = false;
            return Ok(None);
        };
        let merging = Merging {
            inputs: inputs.iter().map(|run| run.meta.number).collect(),
            merged: Merged::new(runs_from(inputs, IndexKey::FIRST)?)?,
            output: RunWriter::new(&self.db, view.manifest.next_run)?,
        };
        view.manifest.next_run += 1;
        Ok(Some(merging))
    }

    /// Replaces the merged runs by the new one.
    fn end_merge(&self, merging: Merging) -> Result<(), IndexError> {
        let Merging {
            inputs,
            merged,
            output,
        } = merging;
        drop(merged);
        let output = output.finish()?;
        let mut view = self.view.write();
        let mut runs = view.runs.clone();
        let is_input = |run: &Run| inputs.contains(&run.meta.number);
        let from = runs.iter().position(is_input).ok_or(IndexError::Entry)?;
        runs.splice(from..from + inputs.len(), [output]);
        // Pending items are not in a run yet, so the position does not move.
        let mut manifest = view.manifest.clone();
        manifest.runs = runs.iter().map(|run| run.meta.clone()).collect();
        self.db.insert(MANIFEST, manifest.encode()?)?;
        (view.runs, view.manifest) = (runs, manifest);
        drop(view);
        let mut old = inputs.into_iter();
        old.try_for_each(|number| drop_run(&self.db, number))
    }

    /// Writes everything, so that the next opening need not read anything from
    /// the log again. Ends a merge: small ones are completed, larger ones begin
    /// again some time.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        catch_panic(|| {
            if self.view().manifest.position != self.position() {
                self.write_pending()?;
            }
            if let Some(merging) = self.merging.lock().take() {
                let number = merging.output.meta.number;
                drop(merging);
                drop_run(&self.db, number)?;
            }
            Ok(())
        })?;
        while self.has_quick_merge() && self.compact_step()? {}
        catch_panic(|| self.db.flush())
    }

    /// Whether a merge of few items is to be made.
    fn has_quick_merge(&self) -> bool {
        let view = self.view();
        let items = |runs: &[Run]| runs.iter().map(|run| run.meta.items).sum::<u64>();
        view.to_merge()
            .is_some_and(|runs| items(runs) <= QUICK_MERGE)
    }
}
