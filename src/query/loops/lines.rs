//! The lines of `loops`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::ProfileKey;
use crate::history::{Subject, Value};

/// How a field goes on changing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoopKind {
    /// From one value to another and back, again and again.
    Turns,
    /// Every few seconds.
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
    /// The labels of the calls that claim the changes; `null` is no label.
    pub labels: Vec<Option<Cow<'a, str>>>,
    /// Whether there are changes that no call claims.
    pub unexplained: bool,
    /// How many loops there are.
    pub loops: u64,
    /// How many of them go on still.
    pub going_on: u64,
    /// How many changes they have.
    pub changes: u64,
    /// The time of the first change.
    pub first: String,
    /// The time of the last change.
    pub last: String,
}

/// A field of a (sub)profile that goes on changing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopLine<'a> {
    /// How.
    pub kind: LoopKind,
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// How often it changed.
    pub changes: u64,
    /// The time of the first of these changes.
    pub first: String,
    /// The time of the last one.
    pub last: String,
    /// How many seconds there are between two of them, on average.
    pub every: u64,
    /// Whether the next one is not overdue yet.
    pub going_on: bool,
    /// What it changes to, by whom.
    pub writers: Vec<LoopWriter<'a>>,
    /// The event of the first change.
    pub first_seq: u64,
    /// The event of the last one.
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
    /// Whether the calls claim the changes; else they only show what had
    /// changed unseen, maybe by another.
    pub claimed: bool,
    /// How many changes there are.
    pub changes: u64,
    /// To what, the commonest first; of more than a few values only some.
    pub values: Vec<LoopValue<'a>>,
}

/// A value that is written again and again. One of more than 1,024 bytes ends
/// with an ellipsis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopValue<'a> {
    /// The value.
    pub value: Value<'a>,
    /// How often.
    pub changes: u64,
}
