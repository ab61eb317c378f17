//! The pruned records, and the data about them that answers need.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::baselines::{Baselines, Walk};
use super::seq_set::SeqSet;
use crate::event::ProfileKey;
use crate::history::Baseline;
use crate::log::record::{EventHead, is_no_event};
use crate::log::{Erasure, LogError};
use crate::storage::{Storage, name_of_new, rename_durably, write_new};

/// The pruned events, according to the `format` file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Events that happened and arrived before this time are pruned, in Unix
    /// seconds, …
    pub before: i64,
    /// … if their `seq` is not greater than this one.
    pub events: u64,
    /// The same for rejected calls, which have only a moment of receipt.
    pub rejected: u64,
    /// Where the baselines begin in their log, …
    pub baselines: u64,
    /// … where the owners after them begin, …
    pub owners: u64,
    /// … and where those end.
    pub end: u64,
}

impl Pruned {
    /// The part of the baselines' log that is in force: baselines and owners.
    pub fn kept(pruned: Option<&Self>) -> Range<u64> {
        pruned.map_or(0..0, |pruned| pruned.baselines..pruned.end)
    }

    /// Whether an event is pruned: by its own time (Unix seconds) and its own moment of receipt
    /// (Unix microseconds), regardless of its place in the log.
    pub const fn covers(&self, time: i64, received: i64, seq: u64) -> bool {
        let received = received.div_euclid(1_000_000);
        time < self.before && received < self.before && seq <= self.events
    }

    /// Whether a rejected call is pruned, by its moment of receipt in Unix seconds
    /// and its number.
    pub const fn covers_rejected(&self, received: i64, number: u64) -> bool {
        received < self.before && number <= self.rejected
    }
}

/// The data about pruned and erased events that answers need. An answer holds one from its
/// beginning to its end: events that it does not hide are not removed before it is dropped.
#[derive(Default)]
pub struct Retention {
    /// The pruned events, if any.
    pub pruned: Option<Pruned>,
    /// The erasures, in the order in which they began.
    pub erasures: Vec<Erasure>,
    /// The events of running erasures, which may still exist.
    pub erasing: SeqSet,
    /// The events that were pruned or erased since the index was built: it may still have
    /// them. Empty after a restart, when an index of before is built again.
    pub in_index: SeqSet,
    /// The baselines, if anything is pruned.
    pub baselines: Option<Baselines>,
}

impl Retention {
    /// Opens the baselines of a data folder, if anything is pruned. `dir` is the
    /// folder of their log; `in_index` are the pruned and erased events that the index may
    /// still have.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &Path,
        log_id: u64,
        (pruned, erasures): (Option<Pruned>, Vec<Erasure>),
        in_index: SeqSet,
    ) -> Result<Self, LogError> {
        let baselines = match &pruned {
            Some(pruned) => Some(Baselines::open(storage, dir, log_id, pruned)?),
            None => None,
        };
        let mut erasing = SeqSet::default();
        for erasure in erasures.iter().filter(|erasure| erasure.receipt.is_none()) {
            erasure.each_seq().for_each(|seq| erasing.insert(seq));
        }
        Ok(Self {
            pruned,
            erasing,
            erasures,
            in_index,
            baselines,
        })
    }

    /// A number that grows with every prune of events, every erasure, and every event that an
    /// erasure finds later; 0 before the first.
    pub fn generation(&self) -> u64 {
        let erased = self.erasures.iter().map(|erasure| 1 + erasure.events);
        self.pruned.map_or(0, |pruned| pruned.end) + erased.sum::<u64>()
    }

    /// The running erasures: their events are hidden, and may still exist.
    pub fn unfinished(&self) -> impl Iterator<Item = &Erasure> {
        let erasures = self.erasures.iter();
        erasures.filter(|erasure| erasure.receipt.is_none())
    }

    /// Whether an event of a profile that arrived at a moment, in Unix microseconds, is
    /// erased, from any source.
    pub fn erases(&self, profile: u64, received: i64) -> bool {
        let mut erasures = self.erasures.iter();
        erasures.any(|erasure| erasure.profile == profile && received <= erasure.until)
    }

    /// Before which time events are pruned, in Unix seconds.
    pub fn before(&self) -> Option<i64> {
        self.pruned.map(|pruned| pruned.before)
    }

    /// Whether a record of the log is in no answer: its event is pruned or erased, already
    /// removed or not, or it is not an event.
    pub fn hides_record(&self, seq: u64, record: &[u8]) -> bool {
        let near = |pruned: &&Pruned| seq <= pruned.events;
        is_no_event(record)
            || self.erasing.contains(seq)
            || self.pruned.as_ref().filter(near).is_some_and(|pruned| {
                EventHead::decode(record)
                    .is_ok_and(|head| pruned.covers(head.time, head.received, seq))
            })
    }

    /// Whether a rejected call is pruned or erased, by its moment of receipt in Unix
    /// seconds and its number.
    pub fn hides_rejected(&self, received: i64, number: u64) -> bool {
        let pruned = self.pruned;
        pruned.is_some_and(|pruned| pruned.covers_rejected(received, number))
            || self
                .unfinished()
                .any(|erasure| erasure.rejected.contains(&number))
    }

    /// All baselines, in the order of (sub)profiles.
    pub fn walk_baselines(&self) -> Walk {
        let baselines = self.baselines.as_ref();
        baselines.map_or_else(Walk::default, Baselines::walk)
    }

    /// The baseline of a (sub)profile, if it has one.
    pub fn baseline_of(&self, key: ProfileKey) -> Result<Option<Baseline>, LogError> {
        match &self.baselines {
            Some(baselines) => baselines.find(key),
            None => Ok(None),
        }
    }
}

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was pruned or erased.
    #[error("writing the format file: {0}")]
    NotDone(io::Error),
    /// It is unknown before a restart whether it is on stable storage.
    #[error("making the format file durable: {0}")]
    Unknown(io::Error),
}

/// Puts a text in the place of a data folder's `format` file. When this returns
/// it is on stable storage.
pub fn commit(storage: &dyn Storage, folder: &Path, text: &str) -> Result<(), CommitError> {
    let path = folder.join("format");
    let new = name_of_new(&path);
    write_new(storage, &new, text.as_bytes()).map_err(CommitError::NotDone)?;
    rename_durably(storage, &new, &path).map_err(CommitError::Unknown)
}
