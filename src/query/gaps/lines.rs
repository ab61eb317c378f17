//! The lines of `gaps`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::Subject;
use crate::query::lines::LabelCount;

/// What unexplained changes have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// One span of time in which calls were lost would explain them all.
    Lost,
    /// Hardly any call ever claims a change of this field: Copernica changes
    /// it without one.
    SilentField,
    /// Nothing: each may have a reason of its own.
    Scattered,
}

/// Unexplained changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapLine<'a> {
    /// What they have in common.
    pub kind: GapKind,
    /// Of `lost`: the narrowest span that explains them all. Where `within_one`
    /// is true, a single lost moment in it would do; else calls were lost at
    /// its beginning, at its end, and maybe between.
    pub since: Option<String>,
    /// The end of that span, with it.
    pub until: Option<String>,
    /// Whether every change may have happened at one moment of that span.
    pub within_one: Option<bool>,
    /// The earliest moment at which one of the changes may have happened.
    pub outer_since: String,
    /// The time of the last event that showed one of them.
    pub outer_until: String,
    /// How many profiles there are.
    pub profiles: u64,
    /// How many subprofiles there are.
    pub subprofiles: u64,
    /// How many events showed them.
    pub events: u64,
    /// How many changes there are.
    pub changes: u64,
    /// Of `lost`: about how many of the (sub)profiles would be there if all
    /// unexplained changes were spread evenly over the time.
    pub by_chance: Option<u64>,
    /// The fields and interests, the most changed first; 20 at most.
    pub fields: Vec<GapField<'a>>,
    /// Whether there are more than those.
    pub more_fields: bool,
    /// The first event that showed one of them, in the order of arrival.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// The labels of the events that showed them.
    pub labels: Vec<LabelCount<'a>>,
    /// Which calls usually set these fields.
    pub set_by: Vec<GapSetter<'a>>,
    /// Of `lost`: the longest stretch of that span of whose time there is no
    /// call at all.
    pub quiet: Option<Quiet>,
    /// The command that shows the changes, and maybe others of that time.
    pub command: Option<Cow<'a, str>>,
}

/// A field or an interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapField<'a> {
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// How many unexplained changes of it there are.
    pub changes: u64,
}

/// A label whose calls set the fields, in all of the time that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapSetter<'a> {
    /// The label.
    pub label: Option<Cow<'a, str>>,
    /// How many changes they claimed.
    pub changes: u64,
    /// Of `lost`: how many calls with this label there are of the span's time.
    pub calls: Option<u64>,
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// The time of the last call before it, or the span's beginning.
    pub since: String,
    /// The time of the next call, or the span's end.
    pub until: String,
}
