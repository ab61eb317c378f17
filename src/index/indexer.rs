//! The interface of the index: the thread that maintains it, and the queries.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use super::error::{IndexError, IndexUnavailable, catch_panic};
use super::shared::{PresentRetention, Replace, Shared, State};
use super::store::EventStore;
use crate::log::Log;

/// How often progress is reported to those who wait.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last `seq` that is in the index.
    pub applied: u64,
    /// The last `seq` of the log.
    pub last: u64,
}

/// The index, maintained by a background thread. A damaged
/// index is replaced and causes no error.
pub struct Indexer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    /// Starts the thread that opens or builds the index in a folder and keeps it
    /// up to date. `cache` is sled's, in bytes.
    pub fn start(
        log: Log,
        path: &Path,
        cache: u64,
        log_id: u64,
        retention: PresentRetention,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            log,
            path: path.to_owned(),
            cache,
            log_id,
            retention,
            index: RwLock::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("indexer".to_owned())
            .spawn(move || own.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Waits until every event up to `seq` is in the index, for at most `timeout`:
    /// `false` when that has passed. `report` is called about ten times a second during
    /// the wait.
    pub fn wait_for(
        &self,
        seq: u64,
        timeout: Option<Duration>,
        mut report: impl FnMut(Progress),
    ) -> Result<bool, IndexUnavailable> {
        let begun = Instant::now();
        let mut reported = begun;
        loop {
            let mut state = self.shared.state.lock();
            if state.is_ready() && state.applied >= seq {
                return Ok(true);
            }
            if timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
                return Ok(false);
            }
            state.wanted = state.wanted.max(seq);
            self.wait_for_change(state)?;
            if reported.elapsed() >= PROGRESS_INTERVAL {
                reported = Instant::now();
                report(self.progress());
            }
        }
    }

    /// Wakes the thread, and waits a moment for it; an error says why it does nothing.
    fn wait_for_change(&self, mut state: MutexGuard<'_, State>) -> Result<(), IndexUnavailable> {
        if let Some(failure) = &state.failure {
            return Err(IndexUnavailable(failure.clone()));
        }
        if state.ended {
            let reason = "its thread has ended; start the program again";
            return Err(IndexUnavailable(reason.to_owned()));
        }
        self.shared.changed.notify_all();
        self.shared.log.notifier().wake_all();
        self.shared.changed.wait_for(&mut state, PROGRESS_INTERVAL);
        Ok(())
    }

    pub fn progress(&self) -> Progress {
        let applied = self.shared.state.lock().applied;
        Progress {
            applied,
            last: self.shared.log.last_seq(),
        }
    }

    /// Whether the index can answer now and has every event up to a `seq`.
    pub fn has(&self, seq: u64) -> bool {
        let state = self.shared.state.lock();
        state.is_ready() && state.applied >= seq
    }

    /// First and last `seq` of events whose (sub)profile is unknown, since they could not
    /// be read when the index was built. If the log can read any of them now, the index
    /// is built again first.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, IndexUnavailable> {
        loop {
            let unreadable = self.ask(|index| Ok(index.unreadable()))?;
            if !self.shared.can_read_any(&unreadable) {
                return Ok(unreadable);
            }
            let indexes = self.shared.update(|state| {
                state.readable = true;
                state.indexes
            });
            loop {
                let state = self.shared.state.lock();
                if state.indexes != indexes {
                    break;
                }
                if !state.readable {
                    // It could not be built.
                    return Ok(unreadable);
                }
                self.wait_for_change(state)?;
            }
        }
    }

    /// Removes every trace of pruned events from the index's files: if a prune was
    /// committed since the index was begun, another one is built from the log, which
    /// replaces it once it has come as far. No answer that began before the commit may
    /// still be given. Returns `false` if it was stopped before.
    pub fn remove_pruned(&self, stop: &dyn Fn() -> bool) -> Result<bool, IndexUnavailable> {
        loop {
            let generation = self.shared.retention().generation();
            if self.ask(|index| Ok(index.generation()))? == generation {
                return Ok(true);
            }
            if stop() {
                return Ok(false);
            }
            self.shared.update(|state| state.remove_pruned = true);
            self.wait_for_change(self.shared.state.lock())?;
        }
    }

    /// Removes the indexes that were set aside as damaged: they may hold erased values.
    pub fn remove_set_aside(&self) -> Result<(), IndexUnavailable> {
        let removed = self.shared.remove_those(|is_aside| is_aside);
        removed.map_err(|error| {
            IndexUnavailable(format!("an index set aside cannot be removed: {error}"))
        })
    }

    /// Sets the fields that have look-ups from now on. If the index has others, another
    /// one is built in the background.
    pub fn set_lookup(&self, fields: Vec<String>) {
        self.shared
            .update(|state| state.lookup_fields = Some(fields));
    }

    /// Reads from the index. If it is found damaged, or is being replaced, waits
    /// for the one that replaces it.
    pub(crate) fn ask<T>(
        &self,
        ask: impl Fn(&EventStore) -> Result<T, IndexError>,
    ) -> Result<T, IndexUnavailable> {
        loop {
            if let Some(answer) = self.try_ask(&ask) {
                return Ok(answer);
            }
            let seq = self.shared.state.lock().min_visible_seq;
            self.wait_for(seq, None, |_| ())?;
        }
    }

    /// Reads from the index if it can answer now.
    pub(crate) fn try_ask<T>(
        &self,
        ask: impl Fn(&EventStore) -> Result<T, IndexError>,
    ) -> Option<T> {
        // While this is held, the index is not replaced.
        let index = self.shared.index.read();
        let ready = self.shared.state.lock().is_ready();
        let index = index.as_ref().filter(|_| ready)?;
        match catch_panic(|| ask(index)) {
            Ok(answer) => Some(answer),
            Err(error) => {
                let reason = Replace::from(error);
                self.shared.update(|state| state.replace = Some(reason));
                None
            }
        }
    }

    /// Makes the index answer nothing, as one that is being built again, or answer
    /// again.
    #[cfg(test)]
    pub fn hold(&self, held: bool) {
        self.shared.update(|state| {
            state.min_visible_seq = if held { u64::MAX } else { state.applied };
        });
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.shared.update(|state| state.stop = true);
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() {
                // It may have been about to sleep.
                self.shared.log.notifier().wake_all();
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.join().is_err() {
                tracing::error!("the index's thread had panicked");
            }
        }
        if let Some(index) = &*self.shared.index.read()
            && let Err(error) = index.flush()
        {
            tracing::warn!(
                "the index could not be flushed, the next start may rebuild it: {error}"
            );
        }
    }
}
