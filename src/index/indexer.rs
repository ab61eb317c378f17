//! The index as others see it: a thread that keeps it, and the questions.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ask::{Pairs, Recent, Stretch, Timed};
use super::error::IndexError;
use super::lookup::{LookedValues, Lookup, LookupState};
use super::memory::MemoryIndex;
use super::probe::{Looked, Probe};
use super::shared::{Backend, Damage, Opened, PresentRetention, Renewal, Shared};
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
    pub fn start(
        log: Log,
        path: &Path,
        cache: u64,
        log_id: u64,
        retention: PresentRetention,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(log, path.to_owned(), cache, log_id, retention));
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
        let keys = &[key];
        let found = self.ask(|sled| sled.pairs(keys), |memory| memory.pairs(keys))?;
        let mut pairs = found.into_iter().next().unwrap_or_default();
        pairs.sort_unstable();
        Ok(pairs)
    }

    /// The pairs of a stretch of some (sub)profiles, which come in order, each
    /// ordered by both: of the first of them at least, of fewer than all where
    /// they have many events. Much cheaper than asking one by one, and cheaper
    /// still where the events of different times stand in different runs.
    pub fn recent(
        &self,
        keys: &[ProfileKey],
        stretch: &Stretch<impl Fn(i64, u64) -> bool>,
    ) -> Result<Vec<Recent>, String> {
        let mut found = self.ask(
            |sled| sled.recent(keys, stretch),
            |memory| memory.recent(keys, stretch),
        )?;
        for recent in &mut found {
            recent.pairs.sort_unstable();
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
    ///
    /// Where the log can read any of them now, the index is built again first.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, String> {
        loop {
            let unreadable = self.ask(SledIndex::unreadable, MemoryIndex::unreadable)?;
            if !self.shared.can_read_any(&unreadable) {
                return Ok(unreadable);
            }
            self.shared.state().renew = Some(Renewal::Healed);
            self.shared.changed.notify_all();
        }
    }

    /// Sees to it that nothing of a pruned event is left in the index's files:
    /// builds the index again from the log if a prune was committed since it
    /// was begun. To be called when the log's own files are rewritten; returns
    /// when the new index has come as far as the old one was.
    pub fn remove_pruned(&self) -> Result<(), String> {
        loop {
            let generation = self.shared.generation();
            let known = self.ask(|sled| Ok(sled.generation), |_| generation)?;
            if known == generation {
                return Ok(());
            }
            self.shared.state().renew = Some(Renewal::Pruned);
            self.shared.changed.notify_all();
        }
    }

    /// Sets of which fields the values are looked up from now on; of the others
    /// what there is is dropped, and what is not there yet is made.
    pub fn set_lookup(&self, fields: Vec<String>) {
        self.shared.state().lookup = Some(fields);
        self.shared.changed.notify_all();
    }

    /// A page of the (sub)profiles that may have had a value, after another
    /// page; `None` where the field is not looked up.
    pub fn look_up(
        &self,
        probe: &Probe,
        after: Option<&Looked>,
        limit: usize,
    ) -> Result<Option<Looked>, String> {
        let pruned = self.shared.pruned();
        self.ask_lookup(|lookup| lookup.look_up(probe, pruned, after, limit))
            .map(Option::flatten)
    }

    /// The lookups, and how far they are; `None` where there are none.
    pub fn lookup_state(&self) -> Result<Option<LookupState>, String> {
        self.ask_lookup(|lookup| Ok(lookup.state()))
    }

    /// The same with their bytes, for which all of them are read.
    pub fn whole_lookup_state(&self) -> Result<Option<LookupState>, String> {
        self.ask_lookup(Lookup::whole_state)
    }

    /// The field's place and the (sub)profile of the first of some values of
    /// fields that is not in the lookups, if they are of these fields.
    pub fn lookup_lacks(
        &self,
        fields: &[String],
        values: &LookedValues,
    ) -> Result<Option<(usize, ProfileKey)>, String> {
        let lacks = self.ask_lookup(|lookup| match lookup.fields == fields {
            true => lookup.lacks(values),
            false => Ok(None),
        });
        lacks.map(Option::flatten)
    }

    /// Asks the lookups, where there are any.
    fn ask_lookup<T>(
        &self,
        ask: impl Fn(&Lookup) -> Result<T, IndexError>,
    ) -> Result<Option<T>, String> {
        self.ask_either(
            |opened| opened.lookup().as_ref().map(&ask).transpose(),
            |_| None,
        )
    }

    /// Asks the index of events.
    fn ask<T>(
        &self,
        sled: impl Fn(&SledIndex) -> Result<T, IndexError>,
        memory: impl Fn(&MemoryIndex) -> T,
    ) -> Result<T, String> {
        self.ask_either(|opened| sled(&opened.events), memory)
    }

    /// Asks the index. Where it is found damaged, or another is taking its
    /// place, that is waited for.
    fn ask_either<T>(
        &self,
        sled: impl Fn(&Opened) -> Result<T, IndexError>,
        memory: impl Fn(&MemoryIndex) -> T,
    ) -> Result<T, String> {
        loop {
            // While this is held, no other backend takes the place.
            let backend = self.shared.backend();
            if self.shared.state().is_ready() {
                match &*backend {
                    Backend::Sled(opened) => match sled(opened) {
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
        if let Backend::Sled(opened) = &*self.shared.backend()
            && let Err(error) = opened.flush()
        {
            tracing::warn!(
                "the index could not be flushed, the next start may rebuild it: {error}"
            );
        }
    }
}
