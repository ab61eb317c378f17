//! What is pruned, and what answers must know of that.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::baselines::Baselines;
use crate::event::ProfileKey;
use crate::history::Baseline;
use crate::log::LogError;
use crate::log::record::{EventHead, is_pruned};
use crate::storage::Storage;

/// What is pruned, as the `format` file says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Events with a time before this one are pruned, in Unix seconds, …
    pub before: i64,
    /// … if their `seq` is not beyond this one.
    pub events: u64,
    /// The same for calls that could not be read, by their moment of receipt.
    pub rejected: u64,
    /// Where the baselines begin in their log, …
    pub baselines: u64,
    /// … where the owners after them do, …
    pub owners: u64,
    /// … and where those end.
    pub end: u64,
}

impl Pruned {
    /// Whether an event is pruned.
    pub const fn hides(&self, time: i64, seq: u64) -> bool {
        time < self.before && seq <= self.events
    }

    /// Whether a call that could not be read is pruned, by its moment of
    /// receipt in Unix seconds and its number.
    pub const fn hides_rejected(&self, received: i64, number: u64) -> bool {
        received < self.before && number <= self.rejected
    }
}

/// What answers must know of pruning. Whoever gives an answer holds one all the
/// while: what it does not hide is not removed before it is let go.
#[derive(Default)]
pub struct Retention {
    /// What is pruned, if anything is.
    pub pruned: Option<Pruned>,
    baselines: Option<Baselines>,
}

impl Retention {
    /// Opens the baselines of a data folder, where anything is pruned. `dir` is
    /// their log's folder.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &Path,
        log_id: u64,
        pruned: Option<Pruned>,
    ) -> Result<Self, LogError> {
        let baselines = match &pruned {
            Some(pruned) => Some(Baselines::open(storage, dir, log_id, pruned)?),
            None => None,
        };
        Ok(Self { pruned, baselines })
    }

    /// A number that grows with every prune of events; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.pruned.map_or(0, |pruned| pruned.end)
    }

    /// Before which time events are pruned, in Unix seconds.
    pub fn before(&self) -> Option<i64> {
        self.pruned.map(|pruned| pruned.before)
    }

    /// Whether an event is pruned.
    pub fn hides(&self, time: i64, seq: u64) -> bool {
        self.pruned.is_some_and(|pruned| pruned.hides(time, seq))
    }

    /// Whether a record of the log is none any more: pruned, whether it is
    /// removed already or not.
    pub fn hides_record(&self, seq: u64, record: &[u8]) -> bool {
        let near = |pruned: &Pruned| seq <= pruned.events;
        is_pruned(record)
            || self.pruned.filter(near).is_some_and(|pruned| {
                EventHead::decode(record).is_ok_and(|(head, _)| pruned.hides(head.time, seq))
            })
    }

    /// Whether a call that could not be read is pruned.
    pub fn hides_rejected(&self, received: i64, number: u64) -> bool {
        self.pruned
            .is_some_and(|pruned| pruned.hides_rejected(received, number))
    }

    /// The baselines, where anything is pruned.
    pub const fn baselines(&self) -> Option<&Baselines> {
        self.baselines.as_ref()
    }

    /// The baseline of a (sub)profile, if it has one.
    pub fn baseline_of(&self, key: ProfileKey) -> Result<Option<Baseline>, LogError> {
        match &self.baselines {
            Some(baselines) => baselines.find(key),
            None => Ok(None),
        }
    }
}
