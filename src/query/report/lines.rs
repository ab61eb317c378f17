//! The lines of `report`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::{Subject, known};

/// How many changes there are of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportLine<'a> {
    /// What they have in common.
    pub group: ReportGroup<'a>,
    /// How many there are.
    pub changes: u64,
    /// Of how many events.
    pub events: u64,
    /// Of how many profiles.
    pub profiles: u64,
    /// Of how many subprofiles.
    pub subprofiles: u64,
    /// The time of the first of them.
    pub first: String,
    /// The time of the last of them.
    pub last: String,
    /// The command that shows them; `null` where no command shows these alone.
    pub command: Option<Cow<'a, str>>,
}

/// What changes of a group have in common: the keys that were asked for.
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
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub label: Option<Option<Cow<'a, str>>>,
    /// Why they changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cow<'a, str>>,
    /// The database, where the calls named it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub database: Option<Option<u64>>,
    /// The collection, where the calls named it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub collection: Option<Option<u64>>,
}
