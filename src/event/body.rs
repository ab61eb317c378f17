//! The forms in which a body is kept.

use bincode::{Decode, Encode};

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
}

impl BodyKind {
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
