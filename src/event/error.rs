//! Why a body could not be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a body cannot be read as an event, and where.
///
/// Serialises as the body of a 4xx answer: `{"error":"…","where":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[schemars(rename = "Error")]
#[error("{reason} (at {place})")]
pub struct DecodeError {
    /// What is wrong, in words for the person who set up the webhook.
    #[serde(rename = "error")]
    pub reason: String,
    /// Where: a variable's name, a pair's number, a line and column of JSON.
    #[serde(rename = "where")]
    pub place: String,
}

/// What is wrong with a call that has none of an event's variables, as the
/// sender's test button makes it.
const NO_EVENT: &str =
    "the call arrived, but carries no event: it has none of the variables of one";

/// The same if its signature was verified.
const NO_EVENT_SIGNED: &str = "the call arrived and its signature is good, but it carries no event: \
     it has none of the variables of one";

impl DecodeError {
    /// The error of a call that has none of an event's variables.
    pub(super) fn no_event() -> Self {
        Self::new(NO_EVENT, "body")
    }

    /// The same error, of a call whose signature was verified.
    pub fn with_good_signature(self) -> Self {
        if self.reason == NO_EVENT {
            Self::new(NO_EVENT_SIGNED, self.place)
        } else {
            self
        }
    }

    /// Whether a reason is that of a call which arrived but is not an event
    /// that was lost.
    pub fn is_no_event(reason: &str) -> bool {
        reason.starts_with("the call arrived")
    }

    /// An error with its reason and its place.
    pub fn new(reason: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            place: place.into(),
        }
    }
}
