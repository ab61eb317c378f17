//! Maps the subprofiles of the newest events, which the index may lack, to their
//! profiles.

use std::collections::HashMap;

use crate::index::Indexer;

/// Beyond this number of subprofiles, those that the index has are dropped.
const MANY: usize = 8_192;

/// The most subprofiles. Beyond it all are dropped, and look-ups need an index that has
/// caught up.
const MAX: usize = 200_000;

/// The profiles of the subprofiles of events after a `seq`. Together with an index
/// that is complete up to that `seq`, it knows the profile of every subprofile without waiting.
#[derive(Debug)]
pub(super) struct RecentOwners {
    /// Events after this `seq` are covered.
    after: u64,
    /// By subprofile: the `seq` of its last event, and the profile.
    owners: HashMap<u64, (u64, u64)>,
}

impl RecentOwners {
    /// An empty map for the events after a `seq`.
    pub fn after(seq: u64) -> Self {
        Self {
            after: seq,
            owners: HashMap::new(),
        }
    }

    /// Whether the profile of a subprofile can be looked up now: it is known here,
    /// or the index has all earlier events.
    pub fn can_look_up(&self, subprofile: u64, index: &Indexer) -> bool {
        self.owners.contains_key(&subprofile) || index.has(self.after)
    }

    /// The profile of a subprofile, if it is known here.
    pub fn get(&self, subprofile: u64) -> Option<u64> {
        self.owners.get(&subprofile).map(|(_, profile)| *profile)
    }

    pub fn note(&mut self, subprofile: u64, profile: u64, seq: u64) {
        self.owners.insert(subprofile, (seq, profile));
    }

    /// Beyond the first limit drops entries that the index has; beyond the second
    /// drops all.
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
