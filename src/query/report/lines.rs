//! The lines of `report`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::{Subject, known};

/// A group of changes, and their number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportLine<'a> {
    /// What the changes have in common.
    pub group: ReportGroup<'a>,
    /// The number of changes.
    pub changes: u64,
    /// The number of events with such changes.
    pub events: u64,
    /// The number of profiles with such changes.
    pub profiles: u64,
    /// The number of subprofiles with such changes.
    pub subprofiles: u64,
    /// The time of the first change.
    pub first: String,
    /// The time of the last change.
    pub last: String,
    /// The command that shows these changes; `null` if no command shows only these.
    pub command: Option<Cow<'a, str>>,
}

/// What the changes of a group have in common: the keys of `by`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportGroup<'a> {
    /// When the month began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Cow<'a, str>>,
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'a, str>>,
    /// When the hour began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<Cow<'a, str>>,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Option<Subject<'a>>,
    /// The events' type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Cow<'a, str>>,
    /// The label in the webhook's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub label: Option<Option<Cow<'a, str>>>,
    /// The cause of the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cow<'a, str>>,
    /// The database; `null` if the calls did not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub database: Option<Option<u64>>,
    /// The collection; `null` if the calls did not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub collection: Option<Option<u64>>,
}
