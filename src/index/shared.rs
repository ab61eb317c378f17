//! What the index's thread and those who ask have in common.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use super::error::IndexError;
use super::lookup::Lookup;
use super::memory::MemoryIndex;
use super::store::SledIndex;
use crate::log::Log;
use crate::store::retention::{Pruned, Retention};

/// What is pruned now, as the trail knows it.
pub type PresentRetention = Arc<RwLock<Arc<Retention>>>;

/// What the index's thread and those who ask have in common. The backend's
/// lock is taken before the state's, never after.
pub(super) struct Shared {
    pub log: Log,
    pub path: PathBuf,
    pub cache: u64,
    pub log_id: u64,
    retention: PresentRetention,
    backend: RwLock<Backend>,
    state: Mutex<State>,
    pub changed: Condvar,
    /// How often an index was set aside since the start.
    pub rebuilds: AtomicU32,
}

pub(super) enum Backend {
    Closed,
    Sled(Box<Opened>),
    Memory(MemoryIndex),
}

/// The index in sled.
pub(super) struct Opened {
    pub events: SledIndex,
    /// Those of some fields' values, if any are looked up.
    pub lookup: RwLock<Option<Lookup>>,
}

#[derive(Default)]
pub(super) struct State {
    /// There is a backend, and `applied` is its position.
    pub opened: bool,
    pub applied: u64,
    /// The highest position ever: an index that takes another's place answers
    /// nothing before it has come as far.
    pub floor: u64,
    /// Someone waits for this position: do not pause.
    pub wanted: u64,
    pub stop: bool,
    /// The thread has ended.
    pub ended: bool,
    /// Why the index is to be built again from the log, though it is whole.
    pub renew: Option<Renewal>,
    /// What a question found wrong with the present backend.
    pub damage: Option<Damage>,
    /// The fields that are to be looked up; `None` for those that the folder
    /// says, which are not known yet.
    pub lookup: Option<Vec<String>>,
    /// Why the log cannot be read.
    pub failure: Option<String>,
}

/// Why an index is built again from the log, though it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// A prune was committed since it was begun, so it may hold pruned events.
    Pruned,
    /// The log can read events that it holds as unreadable.
    Healed,
}

impl std::fmt::Display for Renewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pruned => "without the pruned events",
            Self::Healed => "with events that could not be read before",
        })
    }
}

/// What is wrong with an index.
#[derive(Clone)]
pub(super) struct Damage {
    pub reason: String,
    pub disk_full: bool,
}

impl From<IndexError> for Damage {
    fn from(error: IndexError) -> Self {
        Self {
            reason: error.to_string(),
            disk_full: error.is_disk_full(),
        }
    }
}

impl State {
    /// Whether the index can be asked.
    pub fn is_ready(&self) -> bool {
        self.opened && self.damage.is_none() && self.renew.is_none() && self.applied >= self.floor
    }
}

impl Shared {
    pub fn new(
        log: Log,
        path: PathBuf,
        cache: u64,
        log_id: u64,
        retention: PresentRetention,
    ) -> Self {
        Self {
            log,
            path,
            cache,
            log_id,
            retention,
            backend: RwLock::new(Backend::Closed),
            state: Mutex::default(),
            changed: Condvar::new(),
            rebuilds: AtomicU32::new(0),
        }
    }

    /// What is pruned now; while it is held, nothing that it does not hide is
    /// removed.
    pub fn retention(&self) -> Arc<Retention> {
        let retention = self.retention.read();
        Arc::clone(&retention.unwrap_or_else(PoisonError::into_inner))
    }

    /// Which prune was committed last: where its baselines end; 0 for none.
    pub fn generation(&self) -> u64 {
        self.pruned().map_or(0, |pruned| pruned.end)
    }

    /// The bounds of what is pruned now.
    pub fn pruned(&self) -> Option<Pruned> {
        let retention = self.retention.read();
        retention.unwrap_or_else(PoisonError::into_inner).pruned
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn backend(&self) -> RwLockReadGuard<'_, Backend> {
        self.backend.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a backend that is applied up to a position in the place of the
    /// present one, whose damage is thereby done with.
    pub fn set_backend(&self, backend: Backend, applied: u64) {
        let mut place = self.backend.write().unwrap_or_else(PoisonError::into_inner);
        let opened = !matches!(backend, Backend::Closed);
        let old = std::mem::replace(&mut *place, backend);
        let mut state = self.state();
        state.applied = applied;
        state.floor = state.floor.max(applied);
        state.opened = opened;
        state.damage = None;
        if !opened {
            state.renew = None;
        }
        drop(state);
        drop(place);
        self.changed.notify_all();
        discard(old);
    }

    /// Enters events into an index in memory; `None` where the backend is another.
    pub fn with_memory(&self, enter: impl FnOnce(&mut MemoryIndex)) -> Option<()> {
        let mut place = self.backend.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *place {
            Backend::Memory(index) => {
                enter(index);
                Some(())
            }
            Backend::Sled(_) | Backend::Closed => None,
        }
    }
}

/// Closes what may be a damaged database: sled may panic once more then.
pub(super) fn discard<T>(index: T) {
    let _ = catch_unwind(AssertUnwindSafe(move || drop(index)));
}
