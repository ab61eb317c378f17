//! The lines of `incidents`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::ProfileKey;
use crate::history::{Subject, Value, known};
use crate::query::lines::LabelCount;

/// An incident: the same field changed in many (sub)profiles within minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentLine<'a> {
    /// The incident's name, for `incidents show` and `undo`.
    pub id: String,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The database; `null` if the calls did not name it.
    pub database: Option<u64>,
    /// The collection; `null` if the calls did not name it.
    pub collection: Option<u64>,
    /// The time of the first change.
    pub from: String,
    /// The time of the last change.
    pub until: String,
    /// The number of profiles.
    pub profiles: u64,
    /// The number of subprofiles.
    pub subprofiles: u64,
    /// The number of events that changed the field.
    pub events: u64,
    /// The number of (sub)profiles in which the field usually changes in a time of `--within`.
    pub usual: u64,
    /// The most frequent changes.
    pub pairs: Vec<IncidentPair<'a>>,
    /// Whether there are more than are listed.
    pub more_pairs: bool,
    /// The events' labels.
    pub labels: Vec<LabelCount<'a>>,
    /// The causes of the changes.
    pub causes: Vec<IncidentCause<'a>>,
    /// The first event, in the order of arrival.
    pub first_seq: u64,
    /// The last event, in the order of arrival.
    pub last_seq: u64,
    /// The command that shows the changes.
    pub command: Option<Cow<'a, str>>,
    /// The command that writes the file which undoes them.
    pub undo: Option<Cow<'a, str>>,
}

/// An old and a new value. Values of more than 1,024 bytes end with an ellipsis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentPair<'a> {
    /// The old value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub old: Option<Value<'a>>,
    /// The new value.
    pub new: Value<'a>,
    /// The number of events with this change.
    pub events: u64,
}

/// A cause of the changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentCause<'a> {
    /// The cause.
    pub cause: Cow<'a, str>,
    /// The number of events with this cause.
    pub events: u64,
}

/// A value of the incident: whether it can be restored, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The value before the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub old: Option<Value<'a>>,
    /// The value that the incident left.
    pub bad: Value<'a>,
    /// The current value; missing if the (sub)profile was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub now: Option<Value<'a>>,
    /// The last of the incident's events that changed it.
    pub seq: u64,
    /// That event's time.
    pub time: String,
    /// Why it is left unchanged; `null` if it is restored.
    pub left: Option<SkipReason>,
}

/// Why a value is left unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The value has changed since the incident.
    ChangedSince,
    /// The (sub)profile was deleted.
    Deleted,
    /// The value before is not known.
    OldUnknown,
    /// The field did not exist before, which an import cannot restore.
    WasAbsent,
    /// The incident left the value as it was before.
    SameAsBefore,
    /// The value before contains U+FFFD, which stands for lost characters.
    OldDamaged,
}

impl SkipReason {
    /// The text for people.
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
