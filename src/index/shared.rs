//! What the indexer's thread and its callers share.

use std::path::PathBuf;
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use super::error::{IndexError, discard};
use super::lookup::Lookup;
use super::store::EventStore;
use crate::log::record::{EventHead, Lost, is_pruned};
use crate::log::{Log, LogError};
use crate::store::retention::Retention;

/// What is pruned now, as the store knows it.
pub type PresentRetention = Arc<RwLock<Arc<Retention>>>;

/// What the thread and its callers share. The index's lock is taken before the
/// state's, never after.
pub(super) struct Shared {
    pub log: Log,
    pub path: PathBuf,
    /// sled's cache in bytes.
    pub cache: u64,
    pub log_id: u64,
    retention: PresentRetention,
    index: RwLock<Option<OpenIndex>>,
    state: Mutex<State>,
    pub changed: Condvar,
}

/// An index that can be read.
pub(super) struct OpenIndex {
    pub events: EventStore,
    lookup: RwLock<Option<Lookup>>,
}

/// The progress of the thread, and the requests to it.
#[derive(Default)]
pub(super) struct State {
    /// There is an index, and `applied` is its position.
    pub opened: bool,
    pub applied: u64,
    /// The highest position ever: an index that replaces another answers
    /// nothing before it has reached it.
    pub min_visible_seq: u64,
    /// A caller waits for this position.
    pub wanted: u64,
    pub stop: bool,
    /// The thread has ended.
    pub ended: bool,
    /// Why the present index is to be replaced.
    pub replace: Option<Replace>,
    /// The fields that are to have look-ups; `None` for those that the index
    /// has, if it is not open yet.
    pub lookup_fields: Option<Vec<String>>,
    /// Why the log cannot be read.
    pub failure: Option<String>,
}

/// Why an index is replaced by one that is built from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    /// It is damaged, or of another log. It is set aside.
    Damaged(String),
    /// The disk is full. It is whole, and the next start continues with it.
    DiskFull(String),
    /// A prune was committed since it was begun, so it may hold pruned events.
    Pruned,
    /// The log can now read events that could not be read when it was made.
    Readable,
}

impl From<IndexError> for Replace {
    fn from(error: IndexError) -> Self {
        let reason = error.to_string();
        if error.is_disk_full() {
            Self::DiskFull(reason)
        } else {
            Self::Damaged(reason)
        }
    }
}

impl State {
    /// Whether the index can answer.
    pub const fn is_ready(&self) -> bool {
        self.opened && self.replace.is_none() && self.applied >= self.min_visible_seq
    }
}

impl OpenIndex {
    pub const fn new(events: EventStore, lookup: Option<Lookup>) -> Self {
        Self {
            events,
            lookup: RwLock::new(lookup),
        }
    }

    pub fn lookup(&self) -> RwLockReadGuard<'_, Option<Lookup>> {
        self.lookup.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn lookup_mut(&self) -> RwLockWriteGuard<'_, Option<Lookup>> {
        self.lookup.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fields that have look-ups.
    pub fn lookup_fields(&self) -> Vec<String> {
        let lookup = self.lookup();
        lookup
            .as_ref()
            .map_or_else(Vec::new, |lookup| lookup.fields.clone())
    }

    /// Writes everything.
    pub fn flush(&self) -> Result<(), IndexError> {
        if let Some(lookup) = &*self.lookup() {
            lookup.flush()?;
        }
        self.events.flush()
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
            index: RwLock::new(None),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// What is pruned now; while it is held, nothing else is removed.
    pub fn retention(&self) -> Arc<Retention> {
        let retention = self.retention.read();
        Arc::clone(&retention.unwrap_or_else(PoisonError::into_inner))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn index(&self) -> RwLockReadGuard<'_, Option<OpenIndex>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the thread and its callers.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        self.log.notifier().wake_all();
        changed
    }

    /// Puts another index, or none, in place of the present one.
    pub fn set_index(&self, index: Option<OpenIndex>) {
        let mut place = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let applied = index
            .as_ref()
            .map_or(0, |index| index.events.position().seq);
        let opened = index.is_some();
        let old = std::mem::replace(&mut *place, index);
        self.update(|state| {
            state.applied = applied;
            state.min_visible_seq = state.min_visible_seq.max(applied);
            state.opened = opened;
            state.replace = None;
        });
        drop(place);
        discard(old);
    }

    /// Whether the log can read any of some events now, which could not be read
    /// when the index was made.
    pub fn can_read_any(&self, unreadable: &[(u64, u64)]) -> bool {
        let mut cursor = self.log.cursor();
        for (first, last) in unreadable {
            let mut seq = *first;
            while seq <= *last {
                let end = match cursor.get(seq) {
                    Ok(record) => match Lost::decode(record) {
                        Some(lost) => lost.last,
                        None if !is_pruned(record) && EventHead::decode(record).is_err() => seq,
                        None => return true,
                    },
                    Err(LogError::Damaged { damage, .. }) => damage.last_seq,
                    Err(_) => return false,
                };
                seq = end.max(seq).saturating_add(1);
            }
        }
        false
    }
}
