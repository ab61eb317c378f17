//! A change: its subject, old value, new value and cause.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The subject of a change. Serialises as `"field":"mail"` or `"interest":"news"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject<'a> {
    /// A field, by its name.
    Field(Cow<'a, str>),
    /// An interest, by its name.
    Interest(Cow<'a, str>),
}

impl Subject<'_> {
    /// The field's or the interest's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Field(name) | Self::Interest(name) => name,
        }
    }

    /// The name as the value of `field` or of `interest`, as lines have it.
    pub fn names(&self) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
        self.borrowed().into_names()
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> Subject<'_> {
        match self {
            Self::Field(name) => Subject::Field(Cow::Borrowed(name)),
            Self::Interest(name) => Subject::Interest(Cow::Borrowed(name)),
        }
    }

    /// The same without what it borrows.
    pub fn to_owned(&self) -> Subject<'static> {
        match self {
            Self::Field(name) => Subject::Field(Cow::Owned(name.to_string())),
            Self::Interest(name) => Subject::Interest(Cow::Owned(name.to_string())),
        }
    }
}

impl<'a> Subject<'a> {
    /// The name as the value of `field` or of `interest`, as lines have it.
    pub fn into_names(self) -> (Option<Cow<'a, str>>, Option<Cow<'a, str>>) {
        match self {
            Self::Field(name) => (Some(name), None),
            Self::Interest(name) => (None, Some(name)),
        }
    }
}

/// The value of a field or an interest.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(untagged)]
pub enum Value<'a> {
    /// The field was absent.
    Absent,
    /// The interest's membership.
    Member(bool),
    /// The field's value.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The same without what it borrows.
    pub fn to_owned(&self) -> Value<'static> {
        match self {
            Self::Absent => Value::Absent,
            Self::Member(member) => Value::Member(*member),
            Self::Text(text) => Value::Text(Cow::Owned(text.to_string())),
        }
    }

    /// The length of its text in bytes.
    pub fn text_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Absent | Self::Member(_) => 0,
        }
    }
}

/// Why a value is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The event is a `create`.
    Create,
    /// An `update` whose parameters name the field or interest.
    Set,
    /// The event shows another value than the last known one without claiming
    /// the change: it happened at some unseen moment.
    Unexplained {
        /// The time of the event before, in Unix seconds.
        since: i64,
    },
    /// An export shows another value than the last known one: it changed at some
    /// unseen moment.
    Observed {
        /// The time of the event before, in Unix seconds.
        since: i64,
    },
    /// The value was first seen here; the earlier value is unknown.
    FirstSeen,
    /// The profile was deleted, which ends its subprofiles.
    Cascade,
    /// The value was that when the events before were pruned; which of them
    /// set it is no longer known.
    Baseline,
}

impl Cause {
    /// The word in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Set => "set",
            Self::Unexplained { .. } => "unexplained",
            Self::Observed { .. } => "observed",
            Self::FirstSeen => "first_seen",
            Self::Cascade => "cascade",
            Self::Baseline => "baseline",
        }
    }

    /// Since when an unexplained or observed change may have happened, in Unix seconds.
    pub const fn since(self) -> Option<i64> {
        match self {
            Self::Unexplained { since } | Self::Observed { since } => Some(since),
            _ => None,
        }
    }
}

/// One difference between the state before an event and the state after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// What changed.
    pub subject: Subject<'a>,
    /// The old value; `None` if unknown.
    pub old: Option<Value<'a>>,
    /// The new value.
    pub new: Value<'a>,
    /// Why.
    pub cause: Cause,
}

impl Change<'_> {
    /// The same without what it borrows.
    pub fn to_owned(&self) -> Change<'static> {
        Change {
            subject: self.subject.to_owned(),
            old: self.old.as_ref().map(Value::to_owned),
            new: self.new.to_owned(),
            cause: self.cause,
        }
    }
}
