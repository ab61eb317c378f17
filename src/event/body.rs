//! The forms in which a body is kept.

use bincode::{Decode, Encode};

use super::seen::Seen;

/// How the bytes of a kept body are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded`, as PHP's `http_build_query` makes it.
    Form,
    /// `application/json` with the same variables.
    Json,
    /// The content of an export line whose original bytes are not known: the
    /// JSON form of [`super::Content`].
    Content,
    /// The same of an observed event: what was seen of a (sub)profile that was
    /// there. No call's body is of this kind, or of the next.
    Observed,
    /// The same of an observed event that saw that a (sub)profile was not there.
    Gone,
}

impl BodyKind {
    /// Whether the bytes are those that a call had.
    pub const fn is_as_sent(self) -> bool {
        matches!(self, Self::Form | Self::Json)
    }

    /// What an observed event saw; `None` where the event is none.
    pub const fn seen(self) -> Option<Seen> {
        match self {
            Self::Observed => Some(Seen::Present),
            Self::Gone => Some(Seen::Gone),
            Self::Form | Self::Json | Self::Content => None,
        }
    }

    /// The kind that a `Content-Type` header names; `None` for types that no
    /// webhook sends. A missing header is read as a form: a sender that
    /// leaves it out sends what the documentation shows.
    pub fn from_content_type(header: Option<&str>) -> Option<Self> {
        let Some(header) = header else {
            return Some(Self::Form);
        };
        let essence = header.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Some(Self::Form)
        } else if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}
