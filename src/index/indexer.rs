//! The index as others see it: a thread that keeps it, and the questions.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ask::{Pairs, Timed};
use super::error::IndexError;
use super::memory::MemoryIndex;
use super::shared::{Backend, Damage, Shared};
use super::store::SledIndex;
use crate::event::ProfileKey;
use crate::log::Log;

/// How often those who wait are told how far the index is.
const TELL: Duration = Duration::from_millis(100);

/// How far a catching-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last `seq` that is in the index.
    pub applied: u64,
    /// The last `seq` of the log.
    pub last: u64,
}

/// The index, kept by a thread of its own.
pub struct Indexer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    /// Starts the thread that opens or rebuilds the index in a folder and
    /// feeds it. `cache` is sled's, in bytes.
    pub fn start(log: Log, path: &Path, cache: u64, log_id: u64) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(log, path.to_owned(), cache, log_id));
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("indexer".to_owned())
            .spawn(move || own.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Waits until every event up to `seq` is in the index, for at most
    /// `patience` where that is given: `false` when it has run out. `tell` is
    /// called some ten times a second meanwhile.
    pub fn wait_for(
        &self,
        seq: u64,
        patience: Option<Duration>,
        mut tell: impl FnMut(Progress),
    ) -> Result<bool, String> {
        let begun = Instant::now();
        let mut told = begun;
        let mut state = self.shared.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.ended {
                return Err("its thread has ended; start the program again".to_owned());
            }
            if state.is_ready() && state.applied >= seq {
                return Ok(true);
            }
            if patience.is_some_and(|patience| begun.elapsed() >= patience) {
                return Ok(false);
            }
            state.wanted = state.wanted.max(seq);
            self.shared.changed.notify_all();
            let waited = self.shared.changed.wait_timeout(state, TELL);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if told.elapsed() >= TELL {
                told = Instant::now();
                let applied = state.applied;
                drop(state);
                tell(Progress {
                    applied,
                    last: self.shared.log.last_seq(),
                });
                state = self.shared.state();
            }
        }
    }

    /// How far the index is.
    pub fn progress(&self) -> Progress {
        let applied = self.shared.state().applied;
        Progress {
            applied,
            last: self.shared.log.last_seq(),
        }
    }

    /// The (time, `seq`) pairs of a (sub)profile, ordered by both.
    pub fn timeline(&self, key: ProfileKey) -> Result<Pairs, String> {
        Ok(self.timelines(&[key])?.pop().unwrap_or_default())
    }

    /// The (time, `seq`) pairs of some (sub)profiles, which come in order, each
    /// ordered by both: of the first of them at least, of fewer than all where
    /// they have many events. Much cheaper than asking one by one.
    pub fn timelines(&self, keys: &[ProfileKey]) -> Result<Vec<Pairs>, String> {
        let mut found = self.ask(|sled| sled.pairs(keys), |memory| memory.pairs(keys))?;
        for pairs in &mut found {
            pairs.sort_unstable();
        }
        Ok(found)
    }

    /// The profile that a subprofile belongs to, by the last event of it.
    pub fn profile_of(&self, subprofile: u64) -> Result<Option<u64>, String> {
        self.ask(
            |sled| sled.profile_of(subprofile),
            |memory| memory.profile_of(subprofile),
        )
    }

    /// Up to `limit` (sub)profiles in order, from the one after `after`.
    pub fn keys_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, String> {
        self.ask(
            |sled| sled.keys_after(after, limit),
            |memory| memory.keys_after(after, limit),
        )
    }

    /// (Sub)profiles in order, from the one after `after`, each with its (time,
    /// `seq`) pairs, ordered by both: at most `limit`, fewer where they have
    /// many events; none only at the end. Much cheaper than asking for the
    /// timelines one by one.
    pub fn each_timeline(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<Timed>, String> {
        let mut found = self.ask(
            |sled| sled.walk(after, limit),
            |memory| memory.walk(after, limit),
        )?;
        for (_, pairs) in &mut found {
            pairs.sort_unstable();
        }
        Ok(found)
    }

    /// First and last `seq` of events of which it is not known whose they are,
    /// since they could not be read when the index was made.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, String> {
        self.ask(SledIndex::unreadable, MemoryIndex::unreadable)
    }

    /// Asks the index. Where it is found damaged, or another is taking its
    /// place, that is waited for.
    fn ask<T>(
        &self,
        sled: impl Fn(&SledIndex) -> Result<T, IndexError>,
        memory: impl Fn(&MemoryIndex) -> T,
    ) -> Result<T, String> {
        loop {
            // While this is held, no other backend takes the place.
            let backend = self.shared.backend();
            if self.shared.state().is_ready() {
                match &*backend {
                    Backend::Sled(index) => match sled(index) {
                        Ok(answer) => return Ok(answer),
                        Err(error) => self.shared.state().damage = Some(Damage::from(error)),
                    },
                    Backend::Memory(index) => return Ok(memory(index)),
                    Backend::Closed => {}
                }
            }
            drop(backend);
            let floor = self.shared.state().floor;
            self.wait_for(floor, None, |_| ())?;
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the index's thread had panicked");
        }
        if let Backend::Sled(index) = &*self.shared.backend()
            && let Err(error) = index.flush()
        {
            tracing::warn!(
                "the index could not be flushed, the next start may rebuild it: {error}"
            );
        }
    }
}
