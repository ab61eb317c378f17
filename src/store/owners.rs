//! Whose the subprofiles of the newest events are, which the index may not have yet.

use std::collections::HashMap;

use crate::index::Indexer;

/// From so many subprofiles on, those that the index has are dropped.
const MANY: usize = 8_192;

/// The most subprofiles; beyond them all are dropped, and the index must catch up
/// before it is asked.
const MAX: usize = 200_000;

/// The profiles of the subprofiles of events after a `seq`. Together with an index
/// that has come as far, it knows the profile of every subprofile without waiting.
#[derive(Debug)]
pub(super) struct RecentOwners {
    /// Later events are known here.
    after: u64,
    /// By subprofile: the `seq` of its last event, and the profile.
    owners: HashMap<u64, (u64, u64)>,
}

impl RecentOwners {
    /// Those of the events after a `seq`, of which there are none yet.
    pub fn after(seq: u64) -> Self {
        Self {
            after: seq,
            owners: HashMap::new(),
        }
    }

    /// Whether the profile of a subprofile can be looked up now: it is known here,
    /// or the index has all earlier events.
    pub fn can_tell(&self, subprofile: u64, index: &Indexer) -> bool {
        self.owners.contains_key(&subprofile) || index.has(self.after)
    }

    /// The profile of a subprofile, if it is known here.
    pub fn get(&self, subprofile: u64) -> Option<u64> {
        self.owners.get(&subprofile).map(|(_, profile)| *profile)
    }

    /// Notes the event with a `seq`.
    pub fn note(&mut self, subprofile: u64, profile: u64, seq: u64) {
        self.owners.insert(subprofile, (seq, profile));
    }

    /// Drops what the index has if there is much, and everything up to the last
    /// event if there is too much.
    pub fn shrink(&mut self, index: &Indexer, last_seq: u64) {
        if self.owners.len() < MANY {
            return;
        }
        let applied = index.progress().applied;
        if index.has(applied) && applied >= self.after {
            self.after = applied;
            self.owners.retain(|_, (seq, _)| *seq > applied);
        }
        if self.owners.len() > MAX {
            self.after = last_seq;
            self.owners.clear();
        }
    }
}
