//! The lines of `find`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::ProfileKey;
use crate::history::{Subject, Value};

/// An interval in which a (sub)profile held a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database that the last call with one named, up to the end of the interval.
    pub database: Option<u64>,
    /// The collection, likewise.
    pub collection: Option<u64>,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The value; `true` for an interest.
    pub value: Value<'a>,
    /// The time of the event that began it.
    pub since: String,
    /// That event's `seq`.
    pub since_seq: u64,
    /// The cause of the change that began it: with `unexplained`,
    /// `first_seen` and `baseline` it may have begun earlier.
    pub cause: Cow<'a, str>,
    /// The time of the event that ended it; null while it lasts. If it is `since`, and of the
    /// same event, only that moment is known.
    pub until: Option<String>,
    /// That event's `seq`.
    pub until_seq: Option<u64>,
}
