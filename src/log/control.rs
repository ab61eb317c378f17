//! Control records: operations on the log, recorded in the log itself.
//!
//! A control record is its kind and JSON ([`super::record::control`]). It has a number and a
//! leaf in the tree of proofs like an event, but no answer shows it as an event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{control, control_json};
use crate::event::rfc3339;

/// The content of a control record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// A person was erased; nothing of that is left to be done.
    Erased(Erasure),
}

/// The erasure of a profile with its subprofiles: of their events that arrived up to a
/// moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// The profile.
    pub profile: u64,
    /// Events that arrived up to this moment are erased, in Unix microseconds.
    #[serde(with = "rfc3339::micros")]
    #[schemars(with = "String")]
    pub until: i64,
    /// Why, as the operator gave it.
    pub reason: String,
    /// How many events were erased.
    pub events: u64,
    /// The subprofiles that it had in these events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subprofiles: Vec<u64>,
    /// First and last `seq` of ranges of these events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seqs: Vec<(u64, u64)>,
    /// The numbers of the rejected calls that were erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<u64>,
    /// The `seq` of the control record. It is missing in that record, and while the erasure
    /// is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u64>,
}

impl Control {
    /// The record's bytes.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        Ok(control(&serde_json::to_vec(self)?))
    }

    /// Reads a record; `None` if it is no control record, or one that this version does not
    /// know.
    pub fn decode(record: &[u8]) -> Option<Self> {
        serde_json::from_slice(control_json(record)?).ok()
    }
}

impl Erasure {
    /// Its profile and moment, by which its control record is found.
    pub const fn id(&self) -> (u64, i64) {
        (self.profile, self.until)
    }

    /// The `seq` of every erased event, if they are kept.
    pub fn each_seq(&self) -> impl Iterator<Item = u64> {
        self.seqs.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Whether an event is one of them.
    pub fn contains(&self, seq: u64) -> bool {
        let mut seqs = self.seqs.iter();
        seqs.any(|(first, last)| (*first..=*last).contains(&seq))
    }

    /// The `seq` of the last of them; 0 without any.
    pub fn last_seq(&self) -> u64 {
        self.seqs.last().map_or(0, |(_, last)| *last)
    }

    /// The same without events after a `seq`.
    #[must_use]
    pub fn up_to(mut self, last_seq: u64) -> Self {
        for (_, last) in &mut self.seqs {
            *last = (*last).min(last_seq);
        }
        self.seqs.retain(|(first, last)| first <= last);
        self
    }

    /// Adds the `seq` of an erased event, which is greater than those before.
    pub fn push(&mut self, seq: u64) {
        self.events += 1;
        match self.seqs.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => self.seqs.push((seq, seq)),
        }
    }
}
