//! The columns of answers as CSV: their names, in their order, are a promise.
//!
//! A new question declares its columns here, and no more. A column is the key
//! of its lines of that name, or of what is in a list of the line: then there is
//! a row for each, and one where the list is empty. `last_event.seq` is the key
//! in an object. `old_is` and `new_is` tell what an empty cell cannot:
//! `value`, `absent` (it was not there) or `unknown`.

use crate::query::{Query, Wanted};

/// What an answer is as CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The list in a line of which each makes a row.
    pub each: Option<&'static str>,
    /// The columns.
    pub names: &'static [&'static str],
}

/// Those of events with their changes, …
const HISTORY: &[&str] = &[
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
];

/// … and of changes.
const CHANGES: &[&str] = &[
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
];

/// The columns of the answer to a question; `None` where it has no such form.
pub const fn columns(query: &Query) -> Option<Columns> {
    let (each, names): (_, &[&str]) = match query {
        Query::History(_) => (Some("changes"), HISTORY),
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
        Query::Changes(_) => (None, CHANGES),
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
        Query::Tail(_) => (Some("changes"), HISTORY),
        Query::Explain(_) => (
            None,
            &[
                "field", "interest", "asked", "old", "old_is", "new", "new_is", "outcome",
            ],
        ),
        Query::Report(_) => (
            None,
            &[
                "group.month",
                "group.day",
                "group.hour",
                "group.field",
                "group.interest",
                "group.type",
                "group.label",
                "group.cause",
                "group.database",
                "group.collection",
                "changes",
                "events",
                "profiles",
                "subprofiles",
                "first",
                "last",
                "command",
            ],
        ),
        Query::Gaps(_) => (
            None,
            &[
                "kind",
                "since",
                "until",
                "within_one",
                "outer_since",
                "outer_until",
                "profiles",
                "subprofiles",
                "events",
                "changes",
                "by_chance",
                "fields",
                "more_fields",
                "first_seq",
                "last_seq",
                "labels",
                "set_by",
                "quiet.since",
                "quiet.until",
                "command",
            ],
        ),
        Query::Incidents(query) => match query.what {
            Wanted::Show(_) => (None, CHANGES),
            Wanted::Undo(_) => (
                None,
                &[
                    "profile",
                    "subprofile",
                    "field",
                    "interest",
                    "old",
                    "old_is",
                    "bad",
                    "now",
                    "seq",
                    "time",
                    "left",
                ],
            ),
            Wanted::List => (
                None,
                &[
                    "id",
                    "field",
                    "interest",
                    "database",
                    "collection",
                    "from",
                    "until",
                    "profiles",
                    "subprofiles",
                    "events",
                    "usual",
                    "pairs",
                    "more_pairs",
                    "labels",
                    "causes",
                    "first_seq",
                    "last_seq",
                    "command",
                    "undo",
                ],
            ),
        },
        Query::Loops(_) => (
            None,
            &[
                "kind",
                "profile",
                "subprofile",
                "field",
                "interest",
                "labels",
                "unexplained",
                "loops",
                "changes",
                "first",
                "last",
                "every",
                "going_on",
                "writers",
                "first_seq",
                "last_seq",
                "command",
            ],
        ),
        // It is one document of many parts.
        Query::Dossier(_) => return None,
    };
    Some(Columns { each, names })
}
