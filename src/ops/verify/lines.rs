//! The lines of `verify`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::Damage;
use crate::proofs::Examined;

/// A line; `kind` says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum VerifyLine {
    /// Damage in a segment.
    Damage(DamageLine),
    /// The index differs from the log.
    Index(IndexLine),
    /// Events that a repair marked as lost; this is not damage.
    Lost(LostLine),
    /// How events compare with what was signed of them; damage unless they are the same.
    Proof(Examined),
    /// A file that the program does not use; this is not damage.
    Note(NoteLine),
    /// The last line: the totals.
    Summary(VerifySummary),
}

/// Damage in a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DamageLine {
    /// `events` or `rejected`.
    pub log: String,
    /// The segment's file.
    pub segment: String,
    /// Its offset in the file, in bytes.
    pub offset: u64,
    /// Its length in the file, in bytes.
    pub bytes: u64,
    /// `seq` of the first event that cannot be read; null if there is none.
    pub first_seq: Option<u64>,
    /// `seq` of the last such event; null if there is none or it is not known.
    pub last_seq: Option<u64>,
    /// The fault.
    pub reason: String,
}

impl DamageLine {
    /// The line of a damage in a log.
    pub fn new(log: &str, damage: &Damage) -> Self {
        let lacks = damage.first_seq <= damage.last_seq;
        let known = damage.last_seq != Damage::UNKNOWN;
        Self {
            log: log.to_owned(),
            segment: damage.segment.display().to_string(),
            offset: damage.offset,
            bytes: damage.end - damage.offset,
            first_seq: lacks.then_some(damage.first_seq),
            last_seq: (lacks && known).then_some(damage.last_seq),
            reason: damage.reason.clone(),
        }
    }

    /// The damage of this line.
    pub fn damage(&self) -> Damage {
        let (first_seq, last_seq) = match (self.first_seq, self.last_seq) {
            (Some(first), Some(last)) => (first, last),
            (Some(first), None) => (first, Damage::UNKNOWN),
            (None, _) => (1, 0),
        };
        Damage {
            segment: self.segment.clone().into(),
            offset: self.offset,
            end: self.offset + self.bytes,
            first_seq,
            last_seq,
            reason: self.reason.clone(),
        }
    }
}

/// The index differs from the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexLine {
    /// The difference.
    pub what: String,
}

/// Events that a repair marked as lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostLine {
    /// `events` or `rejected`.
    pub log: String,
    /// `seq` of the first.
    pub first_seq: u64,
    /// `seq` of the last.
    pub last_seq: u64,
    /// The moment of the repair.
    pub repaired: String,
}

/// A file that the program does not use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoteLine {
    /// The file.
    pub file: String,
    /// What it is.
    pub what: String,
}

/// The totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifySummary {
    /// Events that can be read.
    pub events: u64,
    /// Rejected calls that can be read.
    pub rejected: u64,
    /// Events and calls that a repair marked as lost.
    pub lost: u64,
    /// Events and calls that were removed on purpose.
    pub pruned: u64,
    /// Segments of both logs.
    pub segments: u64,
    /// Their total length in bytes.
    pub bytes: u64,
    /// The number of damages.
    pub damages: u64,
}
