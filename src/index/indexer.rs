//! The one thread that feeds the index from what is synced, and the questions.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::memory::MemoryIndex;
use super::store::{Entry, IndexError, Position, SledIndex};
use crate::event::{ProfileKey, now_micros, seconds_to_rfc3339};
use crate::log::record::EventHead;
use crate::log::{Log, LogError, Scanned};

/// How many events go into one sled batch. Large batches cost memory, small
/// ones time.
const BATCH_LEN: usize = 256;

/// How long the thread lets events gather before it looks, unless asked.
const PAUSE: Duration = Duration::from_millis(5);

/// How often the thread looks when nothing comes.
const IDLE: Duration = Duration::from_millis(50);

/// A catching-up of more events than this is told of.
const WORTH_TELLING: u64 = 20_000;

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

struct Shared {
    log: Log,
    path: PathBuf,
    cache: u64,
    log_id: u64,
    backend: RwLock<Backend>,
    state: Mutex<State>,
    changed: Condvar,
}

enum Backend {
    Closed,
    Sled(SledIndex),
    Memory(MemoryIndex),
}

#[derive(Default)]
struct State {
    opened: bool,
    applied: u64,
    /// Someone waits: do not pause.
    wanted: u64,
    stop: bool,
    /// What a question found wrong with the index.
    damage: Option<Damage>,
    /// Why the log cannot be read.
    failure: Option<String>,
}

#[derive(Clone)]
struct Damage {
    reason: String,
    disk_full: bool,
}

impl From<IndexError> for Damage {
    fn from(error: IndexError) -> Self {
        Self {
            reason: error.to_string(),
            disk_full: error.is_disk_full(),
        }
    }
}

impl Indexer {
    /// Starts the thread that opens or rebuilds the index in a folder and
    /// feeds it. `cache` is sled's, in bytes.
    pub fn start(log: Log, path: &Path, cache: u64, log_id: u64) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            log,
            path: path.to_owned(),
            cache,
            log_id,
            backend: RwLock::new(Backend::Closed),
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

    /// Waits until every event up to `seq` is in the index. `tell` is called
    /// some ten times a second meanwhile.
    pub fn wait_for(&self, seq: u64, mut tell: impl FnMut(Progress)) -> Result<(), String> {
        let mut state = self.shared.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.opened && state.damage.is_none() && state.applied >= seq {
                return Ok(());
            }
            state.wanted = state.wanted.max(seq);
            self.shared.changed.notify_all();
            let applied = state.applied;
            let (next, timeout) = self
                .shared
                .changed
                .wait_timeout(state, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
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
    pub fn timeline(&self, key: ProfileKey) -> Result<Vec<(i64, u64)>, String> {
        let mut pairs = self.ask(|sled| sled.pairs(key), |memory| memory.pairs(key))?;
        pairs.sort_unstable();
        Ok(pairs)
    }

    /// Whether a (sub)profile has an event in a span of time (`until`
    /// exclusive); may say yes where there is only one before and one after.
    pub fn touches(&self, key: ProfileKey, since: i64, until: i64) -> Result<bool, String> {
        self.ask(
            |sled| sled.touches(key, since, until),
            |memory| memory.touches(key, since, until),
        )
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

    /// Asks the index. Where it is found damaged, it is rebuilt, and asked again.
    fn ask<T>(
        &self,
        sled: impl Fn(&SledIndex) -> Result<T, IndexError>,
        memory: impl Fn(&MemoryIndex) -> T,
    ) -> Result<T, String> {
        loop {
            let answer = match &*self.shared.backend() {
                Backend::Sled(index) => sled(index).map_err(|error| Some(Damage::from(error))),
                Backend::Memory(index) => Ok(memory(index)),
                Backend::Closed => Err(None),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(damage) => {
                    if damage.is_some() {
                        self.shared.state().damage = damage;
                    }
                    self.wait_for(self.shared.log.last_seq(), |_| ())?;
                }
            }
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread contains the panics that matter; one more changes nothing.
            let _ = thread.join();
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

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backend(&self) -> std::sync::RwLockReadGuard<'_, Backend> {
        self.backend.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_backend(&self, backend: Backend, applied: u64) {
        let old = {
            let mut place = self.backend.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, backend)
        };
        let mut state = self.state();
        state.applied = applied;
        state.opened = true;
        state.damage = None;
        drop(state);
        self.changed.notify_all();
        // sled may panic once more when a damaged database is closed.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(old)));
    }

    fn run(&self) {
        self.open();
        loop {
            let mut state = self.state();
            loop {
                if state.stop {
                    return;
                }
                if state.damage.is_some() {
                    break;
                }
                let behind = self.log.last_seq() > state.applied;
                if behind && state.wanted > state.applied {
                    break;
                }
                let (next, timeout) = self
                    .changed
                    .wait_timeout(state, if behind { PAUSE } else { IDLE })
                    .unwrap_or_else(PoisonError::into_inner);
                state = next;
                if timeout.timed_out() && behind {
                    break;
                }
            }
            let damage = state.damage.clone();
            drop(state);
            match damage {
                // An index that is only full is whole: the next start goes on with it.
                Some(damage) if damage.disk_full => self.use_memory(&damage.reason),
                Some(damage) => self.rebuild(&damage.reason),
                None => self.catch_up(),
            }
        }
    }

    /// Opens the index, if it is one of this log; else sets it aside.
    fn open(&self) {
        let existed = self.path.exists();
        let opened = SledIndex::open(&self.path, self.cache, self.log_id).and_then(|index| {
            let position = index.position()?;
            if self.knows(position) {
                Ok((index, position.seq))
            } else {
                Err(IndexError::Foreign)
            }
        });
        match opened {
            Ok((index, applied)) => self.set_backend(Backend::Sled(index), applied),
            Err(error) if error.is_disk_full() => self.use_memory(&error.to_string()),
            Err(error) if existed => self.rebuild(&error.to_string()),
            Err(error) => self.use_memory(&error.to_string()),
        }
    }

    /// Whether the log holds the event that an index says it was applied to.
    fn knows(&self, position: Position) -> bool {
        if position.seq == 0 {
            return true;
        }
        let last = self.log.last_seq();
        if position.seq > last {
            // Only what was synced is ever indexed.
            tracing::error!(
                "the log ends at event {last}, but the index knows events up to {}: events that were \
                 acknowledged are missing from the log. Has it been put back from an older backup, or cut?",
                position.seq
            );
            return false;
        }
        match self.log.cursor().get(position.seq) {
            Ok(record) => crc32c::crc32c(record) == position.mark,
            // The log's damage is not the index's.
            Err(LogError::Damaged { .. }) => true,
            Err(_) => false,
        }
    }

    /// Sets the index aside and begins a new one.
    fn rebuild(&self, reason: &str) {
        // The old one must be closed before its folder is renamed.
        {
            let mut place = self.backend.write().unwrap_or_else(PoisonError::into_inner);
            let old = std::mem::replace(&mut *place, Backend::Closed);
            drop(place);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(old)));
        }
        let aside = (0..1000)
            .map(|number| self.aside_name(number))
            .find(|path| !path.exists());
        let moved = aside.map(|aside| std::fs::rename(&self.path, &aside).map(|()| aside));
        match moved {
            Some(Ok(aside)) => tracing::warn!(
                "the index cannot be used ({reason}); it is set aside as {} (safe to delete) and rebuilt from the log",
                aside.display()
            ),
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return self.use_memory(&format!("{reason}; it cannot be set aside: {error}"));
            }
            _ => tracing::warn!("the index cannot be used ({reason}); it is rebuilt from the log"),
        }
        match SledIndex::open(&self.path, self.cache, self.log_id) {
            Ok(index) => self.set_backend(Backend::Sled(index), 0),
            Err(error) => self.use_memory(&error.to_string()),
        }
    }

    fn aside_name(&self, number: u32) -> PathBuf {
        let time = seconds_to_rfc3339(now_micros().div_euclid(1_000_000)).replace([':', '-'], "");
        let suffix = if number == 0 {
            String::new()
        } else {
            format!("-{number}")
        };
        self.path.with_extension(format!("damaged-{time}{suffix}"))
    }

    fn use_memory(&self, reason: &str) {
        tracing::warn!(
            "the index cannot be written ({reason}); it is kept in memory until the next start, \
             at about 16 bytes an event: see that {} has room and can be written",
            self.path.display()
        );
        self.set_backend(Backend::Memory(MemoryIndex::default()), 0);
    }

    /// Applies what the log holds beyond the index.
    fn catch_up(&self) {
        let applied = self.state().applied;
        let mut scan = self.log.scan(applied + 1);
        let last = scan.last_seq();
        let telling = last.saturating_sub(applied) > WORTH_TELLING;
        if telling {
            tracing::info!("indexing {} events", last - applied);
        }
        let mut told = Instant::now();
        let mut batch = Vec::with_capacity(BATCH_LEN);
        let mut position = Position {
            seq: applied,
            mark: 0,
        };
        loop {
            if self.state().stop {
                return;
            }
            match scan.step() {
                Ok(Some(Scanned::Records(records))) => {
                    for (seq, record) in records {
                        position = Position {
                            seq,
                            mark: crc32c::crc32c(record),
                        };
                        match EventHead::decode(record) {
                            Ok((head, _)) => batch.push(Entry {
                                key: head.key(),
                                time: head.time,
                                seq,
                            }),
                            Err(error) => tracing::error!("event {seq} is not indexed: {error}"),
                        }
                    }
                }
                Ok(Some(Scanned::Damage(damage))) => {
                    tracing::error!("{damage}");
                    position.seq = position.seq.max(damage.last_seq);
                }
                Ok(None) => break,
                Err(error) => return self.fail(&error.to_string()),
            }
            if batch.len() >= BATCH_LEN {
                if !self.apply(&mut batch, position) {
                    return;
                }
                if telling && told.elapsed() > Duration::from_secs(5) {
                    told = Instant::now();
                    tracing::info!("indexed {} of {last} events", position.seq);
                }
            }
        }
        // Nothing but damage may have come.
        position.seq = position.seq.max(last);
        if self.apply(&mut batch, position) && telling {
            tracing::info!("the index is complete: {last} events");
        }
    }

    /// Enters a batch; `false` where the index failed and another took its place.
    fn apply(&self, batch: &mut Vec<Entry>, position: Position) -> bool {
        let in_sled = match &*self.backend() {
            Backend::Sled(index) => Some(index.apply(batch, position)),
            Backend::Memory(_) | Backend::Closed => None,
        };
        let applied = in_sled.unwrap_or_else(|| {
            let mut place = self.backend.write().unwrap_or_else(PoisonError::into_inner);
            match &mut *place {
                Backend::Memory(index) => {
                    index.apply(batch, position);
                    Ok(())
                }
                Backend::Sled(_) | Backend::Closed => Err(IndexError::Entry),
            }
        });
        batch.clear();
        match applied {
            Ok(()) => {
                self.state().applied = position.seq;
                self.changed.notify_all();
                true
            }
            Err(error) if error.is_disk_full() => {
                self.use_memory(&error.to_string());
                false
            }
            Err(error) => {
                self.rebuild(&error.to_string());
                false
            }
        }
    }

    fn fail(&self, reason: &str) {
        tracing::error!("the log cannot be read for the index: {reason}");
        self.state().failure = Some(reason.to_owned());
        self.changed.notify_all();
        std::thread::sleep(Duration::from_secs(1));
        self.state().failure = None;
    }
}
