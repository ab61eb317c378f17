//! Building another index while the present one answers.
//!
//! A thread of the lowest priority indexes the log, so that calls do not wait for it; the indexer
//! then adds the last events and puts the new index in place.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use super::error::{IndexError, discard};
use super::filling::{Failed, Filling};
use super::lookup::normalized;
use super::shared::{Reason, Shared};
use super::store::EventStore;
use super::tree::{Database, wait_until_closed};
use crate::background::{Background, Pace, Stop};
use crate::storage::found;

/// The indexer adds the last events itself once at most so many are missing, or once filling does
/// not catch up with those that come.
const MAX_LAST: u64 = 20_000;

/// An index that is to replace the present one.
pub(super) struct Successor {
    index: EventStore,
    filling: Filling,
    reason: Reason,
}

/// A thread that fills an index. Dropping this ends it.
pub(super) struct Filler {
    reason: Reason,
    filled: Receiver<(Box<Successor>, Result<(), Failed>)>,
    _thread: Background,
}

/// Its progress.
pub(super) enum Build {
    Filling(Filler),
    /// The indexer adds the last events.
    Ending(Box<Successor>),
}

impl Successor {
    /// Indexes some events; `false` once it has all that the present index has.
    fn step(&mut self, shared: &Shared) -> Result<bool, Failed> {
        let stepped = self.filling.step(shared, &self.index);
        if let Ok(true) = stepped {
            self.index.compact_step()?;
            return stepped;
        }
        self.filling = Filling::after(shared, &self.index);
        stepped.map(|_| self.missing(shared) > 0)
    }

    /// How many events it lacks that the present index has.
    fn missing(&self, shared: &Shared) -> u64 {
        let seq = self.index.position().seq;
        shared.state.lock().applied.saturating_sub(seq)
    }

    /// Whether a prune was committed during the build, so that it may lack events that
    /// answers need.
    fn is_outdated(&self, shared: &Shared) -> bool {
        self.index.generation() != shared.retention().generation()
    }

    /// Indexes the log until few events are missing, or their number no longer halves.
    fn fill(&mut self, shared: &Shared, stop: &Stop) -> Result<(), Failed> {
        let mut missing_before = u64::MAX;
        while !stop.is_set() && !self.is_outdated(shared) {
            let last = self.filling.scan.last_seq;
            let pace = Pace::new(shared.log.last_seq());
            match self.step(shared) {
                Ok(_) => {}
                Err(Failed::Log(error)) => {
                    shared.pause_after(&error);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if self.index.position().seq >= last {
                let missing = self.missing(shared);
                if missing <= MAX_LAST || missing > missing_before / 2 {
                    break;
                }
                missing_before = missing;
            }
            if let Some(rest) = pace.rest(shared.log.last_seq()) {
                stop.wait(rest);
            }
        }
        Ok(())
    }
}

impl Shared {
    fn successor_path(&self) -> PathBuf {
        self.path.with_extension("new")
    }

    /// Removes the files of an interrupted or abandoned build.
    pub(super) fn remove_successor(&self) -> io::Result<()> {
        let path = self.successor_path();
        wait_until_closed(&path)?;
        found(fs::remove_dir_all(&path)).map(drop)
    }

    /// Why a complete index is to be replaced.
    fn wants_successor(&self) -> Option<Reason> {
        let guard = self.index.read();
        let index = guard.as_ref()?;
        self.keep_lookup_fields(index);
        let state = self.state.lock();
        if index.generation() != self.retention().generation() {
            // Answers that began before the commit need the pruned events.
            return state.remove_pruned.then_some(Reason::Pruned);
        }
        if state.readable {
            return Some(Reason::Readable);
        }
        let wanted = normalized(state.lookup_fields.as_deref().unwrap_or_default());
        let has_lookups = !matches!(index.db, Database::Memory);
        (wanted != index.fields() && has_lookups).then_some(Reason::Fields)
    }

    /// Builds the index that is to replace the present one, if another is wanted: a
    /// step, between which the present one answers and gets new events. Returns whether
    /// there is more to do at once.
    pub fn build_successor(self: &Arc<Self>, build: &mut Option<Build>) -> Result<bool, Failed> {
        let (own, stepped) = match build.take() {
            None => {
                let Some(reason) = self.wants_successor() else {
                    return Ok(false);
                };
                return match self.begin_successor(reason) {
                    Ok(begun) => {
                        *build = Some(begun);
                        Ok(false)
                    }
                    Err(error) => self.give_up(reason, &error),
                };
            }
            Some(Build::Filling(filler)) => match filler.filled.try_recv() {
                // The present index may have got more events since.
                Ok((own, filled)) => (own, filled.map(|()| true)),
                Err(TryRecvError::Empty) => {
                    *build = Some(Build::Filling(filler));
                    return Ok(false);
                }
                Err(TryRecvError::Disconnected) => {
                    let error = IndexError::Panic("its thread ended".to_owned());
                    return self.give_up(filler.reason, &error);
                }
            },
            Some(Build::Ending(mut own)) => {
                let stepped = own.step(self);
                (own, stepped)
            }
        };
        let reason = own.reason;
        if own.is_outdated(self) {
            discard(own);
            return Ok(true);
        }
        match stepped {
            Ok(false) => match self.place_successor(own) {
                Ok(()) => Ok(true),
                Err(error) => {
                    tracing::warn!("the new index could not be put in place: {error}");
                    Err(Failed::Outdated(reason))
                }
            },
            Err(Failed::Index(error)) => {
                discard(own);
                self.give_up(reason, &error)
            }
            stepped => {
                *build = Some(Build::Ending(own));
                stepped
            }
        }
    }

    fn begin_successor(self: &Arc<Self>, reason: Reason) -> Result<Build, IndexError> {
        self.remove_successor()?;
        let index = EventStore::open(&self.successor_path(), self.cache, &self.new_manifest())?;
        self.add_baselines(&index)?;
        tracing::info!("another index is built from the log, {}", reason.text());
        let mut own = Box::new(Successor {
            filling: Filling::after(self, &index),
            index,
            reason,
        });
        let (done, filled) = bounded(1);
        let shared = Arc::clone(self);
        let thread = Background::start_idle("index-filler", move |stop| {
            let filled = own.fill(&shared, stop);
            // Nobody receives it if it is no longer wanted.
            discard(done.send((own, filled)));
        })?;
        Ok(Build::Filling(Filler {
            reason,
            filled,
            _thread: thread,
        }))
    }

    /// Puts a complete index in the place of the present one. Questions wait a moment.
    fn place_successor(&self, own: Box<Successor>) -> Result<(), IndexError> {
        let (path, last) = (self.successor_path(), own.index.position().seq);
        own.index.flush()?;
        discard(own.index);
        wait_until_closed(&path)?;
        self.set_index(None);
        wait_until_closed(&self.path)?;
        self.remove_folders(own.reason)?;
        fs::rename(&path, &self.path)?;
        let index = EventStore::open(&self.path, self.cache, &self.new_manifest())?;
        // Without events, nothing has written yet that it has the baselines.
        self.add_baselines(&index)?;
        self.set_index(Some(index));
        tracing::info!("the new index is complete: {last} events");
        Ok(())
    }

    /// Keeps the present index, unless it may hold pruned events: then it is rebuilt in
    /// its own place.
    fn give_up(&self, reason: Reason, error: &IndexError) -> Result<bool, Failed> {
        tracing::warn!(
            "the new index {} could not be built: {error}",
            reason.text()
        );
        // Frees its space on a full disk.
        let _ = self.remove_successor();
        let present = self.index.read().as_ref().map(EventStore::fields);
        match reason {
            Reason::Pruned => return Err(Failed::Outdated(reason)),
            Reason::Readable => self.update(|state| state.readable = false),
            Reason::Fields => self.update(|state| state.lookup_fields = present),
        }
        Ok(false)
    }
}
