//! The columns of answers as CSV: their names, in their order, are a promise.
//!
//! A new question declares its columns here, and no more. A column is the key
//! of its lines of that name, or of what is in a list of the line: then there is
//! a row for each, and one where the list is empty. `last_event.seq` is the key
//! in an object. `old_is` and `new_is` tell what an empty cell cannot:
//! `value`, `absent` (it was not there) or `unknown`.

use crate::query::Query;

/// What an answer is as CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The list in a line of which each makes a row.
    pub each: Option<&'static str>,
    /// The columns.
    pub names: &'static [&'static str],
}

/// The columns of the answer to a question; `None` where it has no such form.
pub const fn columns(query: &Query) -> Option<Columns> {
    let (each, names): (_, &[&str]) = match query {
        Query::History(_) => (
            Some("changes"),
            &[
                "seq",
                "type",
                "time",
                "time_source",
                "received",
                "profile",
                "subprofile",
                "database",
                "collection",
                "label",
                "verified",
                "duplicate_of",
                "field",
                "interest",
                "old",
                "old_is",
                "new",
                "new_is",
                "cause",
                "since",
            ],
        ),
        Query::Show(_) => (
            None,
            &[
                "profile",
                "subprofile",
                "database",
                "collection",
                "at",
                "state",
                "last_event.seq",
                "last_event.time",
                "fields",
                "interests",
                "created",
                "modified",
            ],
        ),
        Query::Diff(_) => (
            None,
            &["field", "interest", "old", "old_is", "new", "new_is"],
        ),
        Query::Blame(_) => (
            None,
            &[
                "field", "interest", "value", "seq", "time", "type", "cause", "old", "old_is",
                "since",
            ],
        ),
        Query::Changes(_) => (
            None,
            &[
                "time",
                "seq",
                "type",
                "profile",
                "subprofile",
                "database",
                "collection",
                "label",
                "field",
                "interest",
                "old",
                "old_is",
                "new",
                "new_is",
                "cause",
                "since",
            ],
        ),
        Query::Export(_) => (
            None,
            &[
                "seq",
                "received",
                "remote",
                "label",
                "type",
                "time",
                "time_source",
                "profile",
                "subprofile",
                "database",
                "collection",
                "created",
                "modified",
                "parameters",
                "fields",
                "interests",
                "extra",
                "verified",
                "body",
                "body_base64",
                "evidence",
                "baseline",
            ],
        ),
        Query::Rejected(_) => (
            None,
            &[
                "number",
                "received",
                "remote",
                "label",
                "content_type",
                "status",
                "error",
                "where",
                "body",
                "body_base64",
            ],
        ),
        Query::Evidence(_) => (
            None,
            &[
                "seq",
                "received",
                "remote",
                "verified_at",
                "key",
                "record",
                "public_key",
                "signed",
                "signature",
                "body",
                "body_base64",
            ],
        ),
    };
    Some(Columns { each, names })
}
