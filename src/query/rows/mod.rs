//! Answers as rows: CSV and Excel workbooks, for the command line and for downloads.
//!
//! The names and the order of the columns are stable.

mod csv;
mod xlsx;

pub use csv::{Csv, CsvColumns};
pub use xlsx::Xlsx;

use super::{Query, Wanted};

/// The columns of the answer to a question; `None` where it has no rows.
pub const fn csv_columns(query: &Query) -> Option<CsvColumns> {
    let names = match query {
        Query::History(_) | Query::Tail(_) => {
            "seq type time time_source received profile subprofile database collection label verified observed \
             duplicate_of field interest old old_is new new_is cause since"
        }
        Query::Show(_) => {
            "profile subprofile database collection at state last_event.seq last_event.time fields interests created \
             modified cascade.seq cascade.time"
        }
        Query::Diff(_) => "field interest old old_is new new_is",
        Query::Blame(_) => "field interest value seq time type cause old old_is since",
        Query::Changes(_) => CHANGES,
        Query::Export(_) => {
            "seq received remote label type time time_source profile subprofile database collection created modified \
             parameters fields interests extra verified body body_base64 evidence observed baseline"
        }
        Query::Rejected(_) => {
            "number received remote label content_type status error where body body_base64"
        }
        Query::Evidence(_) => {
            "seq received remote verified_at key record public_key signed signature body body_base64"
        }
        Query::Find(_) => {
            "profile subprofile database collection field interest value since since_seq cause until until_seq"
        }
        Query::Explain(_) => "field interest asked old old_is new new_is outcome",
        Query::Report(_) => {
            "group.month group.day group.hour group.field group.interest group.type group.label group.cause \
             group.database group.collection changes events profiles subprofiles first last command"
        }
        Query::Gaps(_) => {
            "kind since until within_one outer_since outer_until profiles subprofiles events changes by_chance fields \
             more_fields first_seq last_seq labels set_by quiet.since quiet.until command"
        }
        Query::Loops(_) => {
            "kind profile subprofile field interest labels unexplained loops changes first last every going_on writers \
             first_seq last_seq command"
        }
        Query::Incidents(query) => match query.what {
            Wanted::Show(_) => CHANGES,
            Wanted::Undo(_) => "profile subprofile field interest old old_is bad now seq time left",
            Wanted::List => {
                "id field interest database collection from until profiles subprofiles events usual pairs more_pairs labels \
                 causes first_seq last_seq command undo"
            }
        },
        // Each is one document of many parts.
        Query::Dossier(_)
        | Query::Stats(_)
        | Query::Checkpoint(_)
        | Query::Anchors(_)
        | Query::Proof(_) => return None,
    };
    Some(CsvColumns {
        names,
        each_change: matches!(query, Query::History(_) | Query::Tail(_)),
    })
}

const CHANGES: &str = "time seq type profile subprofile database collection label field interest old old_is new new_is cause since";
