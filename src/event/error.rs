//! Why a body could not be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A body that cannot be read as an event, and the place that says so.
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

impl DecodeError {
    /// An error with its reason and its place.
    pub fn new(reason: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            place: place.into(),
        }
    }
}
