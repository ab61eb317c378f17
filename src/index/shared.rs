//! The state that the indexer's thread and its callers share.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, RwLock};

use super::error::{IndexError, discard};
use super::lookup::normalized;
use super::manifest::Manifest;
use super::store::EventStore;
use crate::log::record::{EventHead, Lost, is_no_event};
use crate::log::{Log, LogError};
use crate::store::retention::Retention;

/// The pruned events, according to the store.
pub type PresentRetention = Arc<RwLock<Arc<Retention>>>;

/// The state that the thread and its callers share. The index's lock is taken before the
/// state's, never after.
pub(super) struct Shared {
    pub log: Log,
    pub path: PathBuf,
    /// sled's cache in bytes.
    pub cache: u64,
    pub log_id: u64,
    pub retention: PresentRetention,
    pub index: RwLock<Option<EventStore>>,
    pub state: Mutex<State>,
    pub changed: Condvar,
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
    pub ended: bool,
    /// Why the present index cannot be used.
    pub replace: Option<Replace>,
    /// The log can read events that the index could not.
    pub readable: bool,
    /// All answers that began before the last prune have ended, so the pruned events
    /// may be removed from the index.
    pub remove_pruned: bool,
    /// How often an index was put in place.
    pub indexes: u64,
    /// The fields whose values are to be looked up; `None` for those that the index
    /// has.
    pub lookup_fields: Option<Vec<String>>,
    /// Why the log cannot be read.
    pub failure: Option<String>,
}

/// Why an index is replaced by one that is built from the log while questions wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    /// It is damaged, or of another log. It is set aside.
    Damaged(String),
    /// The disk is full. It is whole, and the next start continues with it.
    DiskFull(String),
    /// It is complete, but must be replaced, and the new one could not be built.
    Rebuild(Reason),
}

/// Why a complete index is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// A prune was committed since it was begun, so it may hold pruned events.
    Pruned,
    /// The log can now read events that could not be read when it was made.
    Readable,
    /// Values of other fields are to be looked up.
    Fields,
}

impl Reason {
    /// The reason as the end of a sentence about the new index.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pruned => "without the pruned events",
            Self::Readable => "with events that could not be read before",
            Self::Fields => "with the values of other fields",
        }
    }
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

impl Shared {
    /// The pruned events; while this is held, nothing else is removed.
    pub fn retention(&self) -> Arc<Retention> {
        let retention = self.retention.read();
        Arc::clone(&retention)
    }

    /// Changes the state and wakes the thread and its callers.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock());
        self.changed.notify_all();
        self.log.notifier().wake_all();
        changed
    }

    /// Puts another index, or none, in place of the present one.
    pub fn set_index(&self, index: Option<EventStore>) {
        let mut place = self.index.write();
        let applied = index.as_ref().map_or(0, |index| index.position().seq);
        let opened = index.is_some();
        let old = std::mem::replace(&mut *place, index);
        self.update(|state| {
            state.applied = applied;
            state.min_visible_seq = state.min_visible_seq.max(applied);
            state.opened = opened;
            state.indexes += u64::from(opened);
            state.replace = None;
            state.readable = false;
            state.remove_pruned = false;
        });
        drop(place);
        discard(old);
    }

    pub fn new_manifest(&self) -> Manifest {
        let fields = self.state.lock().lookup_fields.clone().unwrap_or_default();
        Manifest {
            fields: normalized(&fields),
            ..Manifest::new(self.log_id, self.retention().generation())
        }
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
                        None if !is_no_event(record) && EventHead::decode(record).is_err() => seq,
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
