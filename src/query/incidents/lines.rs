//! The lines of `incidents`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::ProfileKey;
use crate::history::{Subject, Value, known};
use crate::query::lines::LabelCount;

/// Many (sub)profiles got the same field changed within minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentLine<'a> {
    /// Its name.
    pub id: String,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The database that the calls named.
    pub database: Option<u64>,
    /// The collection that the calls named.
    pub collection: Option<u64>,
    /// The time of the first change.
    pub from: String,
    /// The time of the last one.
    pub until: String,
    /// How many profiles there are.
    pub profiles: u64,
    /// How many subprofiles there are.
    pub subprofiles: u64,
    /// How many events changed the field.
    pub events: u64,
    /// How many (sub)profiles usually get the field changed in so long as
    /// `--within` says.
    pub usual: u64,
    /// The commonest changes.
    pub pairs: Vec<IncidentPair<'a>>,
    /// Whether there are others than those.
    pub more_pairs: bool,
    /// The events' labels.
    pub labels: Vec<LabelCount<'a>>,
    /// Why they changed.
    pub causes: Vec<IncidentCause<'a>>,
    /// The first event, in the order of arrival.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// The command that shows its changes.
    pub command: Option<Cow<'a, str>>,
    /// The command that writes a file to undo it.
    pub undo: Option<Cow<'a, str>>,
}

/// From what to what. Values of more than 1,024 bytes end with an ellipsis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentPair<'a> {
    /// What it was.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub old: Option<Value<'a>>,
    /// What it became.
    pub new: Value<'a>,
    /// How many events changed it so.
    pub events: u64,
}

/// A cause of the changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentCause<'a> {
    /// The cause.
    pub cause: Cow<'a, str>,
    /// How many of the events have it.
    pub events: u64,
}

/// Whether and how a (sub)profile's value can be what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// What it was before the incident.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub old: Option<Value<'a>>,
    /// What the incident left.
    pub bad: Value<'a>,
    /// What it is; missing where the (sub)profile was deleted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub now: Option<Value<'a>>,
    /// The last of the incident's events that changed it.
    pub seq: u64,
    /// That event's time.
    pub time: String,
    /// Why it is left alone; `null` where it is to be restored.
    pub left: Option<SkipReason>,
}

/// Why a value is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It is no longer what the incident left.
    ChangedSince,
    /// The (sub)profile was deleted.
    Deleted,
    /// What it was before is not known.
    OldUnknown,
    /// It was not there before, which an import cannot restore.
    WasAbsent,
    /// What the incident left is what it was before.
    SameAsBefore,
    /// What it was before has U+FFFD, which stands for letters that were lost.
    OldDamaged,
}

impl SkipReason {
    /// What to say of it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ChangedSince => "changed since",
            Self::Deleted => "deleted since",
            Self::OldUnknown => "the value before is not known",
            Self::WasAbsent => "did not exist before",
            Self::SameAsBefore => "has its value from before again",
            Self::OldDamaged => "the value before has lost letters (U+FFFD)",
        }
    }
}
