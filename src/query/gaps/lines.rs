//! The lines of `gaps`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::Subject;
use crate::query::lines::LabelCount;

/// The kind of a group of unexplained changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Calls lost within one time range would explain them all.
    Lost,
    /// Calls hardly ever claim changes of this field: Copernica changes it without a call.
    SilentField,
    /// The rest: each change may have its own reason.
    Scattered,
}

/// Unexplained changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapLine<'a> {
    /// The kind of the group.
    pub kind: GapKind,
    /// Only for `lost`: the beginning of the narrowest time range that explains all changes. If
    /// `within_one` is true, calls lost at a single moment in it would explain them;
    /// otherwise calls were lost at its beginning, at its end, and perhaps between.
    pub since: Option<String>,
    /// The end of that time range, inclusive.
    pub until: Option<String>,
    /// Whether all changes may have happened at one moment of that time range.
    pub within_one: Option<bool>,
    /// The earliest moment at which one of the changes may have happened.
    pub outer_since: String,
    /// The time of the last event that showed one of them.
    pub outer_until: String,
    /// The number of profiles.
    pub profiles: u64,
    /// The number of subprofiles.
    pub subprofiles: u64,
    /// The number of events that showed the changes.
    pub events: u64,
    /// The number of changes.
    pub changes: u64,
    /// Only for `lost`: the number of (sub)profiles to be expected by chance, if all unexplained
    /// changes were spread evenly over time.
    pub by_chance: Option<u64>,
    /// The fields and interests, the most frequently changed first; at most 20.
    pub fields: Vec<GapField<'a>>,
    /// Whether there are more fields and interests.
    pub more_fields: bool,
    /// The first event that showed one of them, in the order of arrival.
    pub first_seq: u64,
    /// The last event that showed one of them, in the order of arrival.
    pub last_seq: u64,
    /// The labels of the events that showed them.
    pub labels: Vec<LabelCount<'a>>,
    /// The calls that usually set these fields.
    pub set_by: Vec<GapSetter<'a>>,
    /// Only for `lost`: the longest part of that time range without any call.
    pub quiet: Option<Quiet>,
    /// The command that shows the changes, and perhaps others of that time.
    pub command: Option<Cow<'a, str>>,
}

/// A field or an interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapField<'a> {
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The number of its unexplained changes.
    pub changes: u64,
}

/// A label whose calls set the fields, in the whole requested time range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapSetter<'a> {
    /// The label.
    pub label: Option<Cow<'a, str>>,
    /// The number of changes that its calls claimed.
    pub changes: u64,
    /// Only for `lost`: the number of calls with this label in that time range.
    pub calls: Option<u64>,
}

/// A time range without calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// The time of the last call before it, or the beginning of the enclosing range.
    pub since: String,
    /// The time of the next call, or the end of the enclosing range.
    pub until: String,
}
