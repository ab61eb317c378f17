//! The lines of `loops`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::ProfileKey;
use crate::history::{Subject, Value};

/// A line of `loops`: the groups come first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum LoopsLine {
    /// Loops of one field by the same labels.
    Group(LoopGroupLine<'static>),
    /// A loop.
    Loop(Box<LoopLine<'static>>),
}

/// The kind of loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoopKind {
    /// From one value to another and back, again and again.
    Turns,
    /// To other values, every few seconds.
    Rewrites,
}

/// The word in the `kind` of a [`LoopGroupLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// Loops of one field by the same labels.
    Group,
}

/// Loops of one field by the same labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopGroupLine<'a> {
    /// `group`.
    pub kind: GroupKind,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The labels of the calls that claim the changes; `null` stands for calls without a label.
    pub labels: Vec<Option<Cow<'a, str>>>,
    /// Whether there are unexplained changes.
    pub unexplained: bool,
    /// The number of loops.
    pub loops: u64,
    /// The number of loops that continue.
    pub going_on: u64,
    /// The number of changes.
    pub changes: u64,
    /// The time of the first change.
    pub first: String,
    /// The time of the last change.
    pub last: String,
}

/// A field of a (sub)profile that keeps changing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopLine<'a> {
    /// The kind of loop.
    pub kind: LoopKind,
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The number of changes.
    pub changes: u64,
    /// The time of the first change.
    pub first: String,
    /// The time of the last change.
    pub last: String,
    /// The average number of seconds between two changes.
    pub every: u64,
    /// Whether the loop continues: the next change is not overdue.
    pub going_on: bool,
    /// The values that it changes to, and the calls that set them.
    pub writers: Vec<LoopWriter<'a>>,
    /// The event of the first change.
    pub first_seq: u64,
    /// The event of the last change.
    pub last_seq: u64,
    /// The command that shows the changes.
    pub command: Option<Cow<'a, str>>,
}

/// Calls that change a field to the same values again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopWriter<'a> {
    /// The calls' label.
    pub label: Option<Cow<'a, str>>,
    /// Whether the calls claim the changes; if not, they only show changes whose author is
    /// not known.
    pub claimed: bool,
    /// The number of changes.
    pub changes: u64,
    /// The values, the most frequent first; only some if there are many.
    pub values: Vec<LoopValue<'a>>,
}

/// A value that is written repeatedly. One of more than 1,024 bytes ends with an ellipsis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopValue<'a> {
    /// The value.
    pub value: Value<'a>,
    /// The number of times.
    pub changes: u64,
}
