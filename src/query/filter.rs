//! Filters that more than one question knows.

use serde::{Deserialize, Serialize};

use crate::history::{Change, Subject, Value};

/// A span of time in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first second that belongs to it; `None` is the beginning.
    pub since: Option<i64>,
    /// The first second that no longer does; `None` is the end.
    pub until: Option<i64>,
}

impl Span {
    /// Whether a time belongs to it.
    pub fn holds(&self, time: i64) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Its bounds, `until` exclusive.
    pub fn bounds(&self) -> (i64, i64) {
        (
            self.since.unwrap_or(i64::MIN),
            self.until.unwrap_or(i64::MAX),
        )
    }
}

/// Whether a change is of one of the fields or interests asked for. Where
/// neither is named, all are.
pub(super) fn concerns(change: &Change<'_>, fields: &[String], interests: &[String]) -> bool {
    if fields.is_empty() && interests.is_empty() {
        return true;
    }
    match &change.subject {
        Subject::Field(name) => fields.iter().any(|wanted| wanted == name),
        Subject::Interest(name) => interests.iter().any(|wanted| wanted == name),
    }
}

/// Whether a value is the one asked for; an unknown or absent one never is.
pub(super) fn value_is(value: Option<&Value<'_>>, wanted: &str) -> bool {
    match value {
        Some(Value::Text(text)) => text == wanted,
        Some(Value::Member(member)) => wanted == if *member { "true" } else { "false" },
        Some(Value::Absent) | None => false,
    }
}
