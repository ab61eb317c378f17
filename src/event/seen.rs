//! The content of an observed event.
//!
//! An observed event is not a call: `reconcile --record` adds it for the content of a
//! Copernica export. It is recognised by the kind of its body, which no call can have,
//! and not by its type's word, which any call may send.

use super::body::BodyKind;

/// The observed state of a (sub)profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was there, with the values in the event.
    Present,
    /// It was not there any more.
    Gone,
}

impl Seen {
    /// The type's word of observed events.
    pub const TYPE: &'static str = "observed";

    /// The word in export lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Gone => "gone",
        }
    }

    /// The meaning of a word in an export line.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Present, Self::Gone]
            .into_iter()
            .find(|seen| seen.name() == name)
    }

    /// The kind of the body that says so.
    pub const fn body_kind(self) -> BodyKind {
        match self {
            Self::Present => BodyKind::Observed,
            Self::Gone => BodyKind::Gone,
        }
    }
}
