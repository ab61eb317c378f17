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
    Some(match query {
        Query::History(_) | Query::Tail(_) => HISTORY,
        Query::Show(_) => SHOW,
        Query::Diff(_) => DIFF,
        Query::Blame(_) => BLAME,
        Query::Changes(_) => CHANGES,
        Query::Export(_) => EXPORT,
        Query::Rejected(_) => REJECTED,
        Query::Evidence(_) => EVIDENCE,
        Query::Find(_) => FIND,
        Query::Explain(_) => EXPLAIN,
        Query::Report(_) => REPORT,
        Query::Gaps(_) => GAPS,
        Query::Loops(_) => LOOPS,
        Query::Incidents(query) => match query.what {
            Wanted::Show(_) => CHANGES,
            Wanted::Undo(_) => UNDO,
            Wanted::List => INCIDENTS,
        },
        // Each is one document of many parts.
        Query::Dossier(_)
        | Query::Stats(_)
        | Query::Checkpoint(_)
        | Query::Anchors(_)
        | Query::Proof(_) => {
            return None;
        }
    })
}

const CHANGES: CsvColumns = CsvColumns::new(
    "time seq type profile subprofile database collection label field interest old old_is new new_is cause since",
);

const BLAME: CsvColumns =
    CsvColumns::new("field interest value seq time type cause old old_is since");

const FIND: CsvColumns = CsvColumns::new(
    "profile subprofile database collection field interest value since since_seq cause until until_seq",
);

const EXPORT: CsvColumns = CsvColumns::new(
    "seq received remote label type time time_source profile subprofile database collection created modified \
         parameters fields interests extra verified body body_base64 evidence observed baseline",
);

const REJECTED: CsvColumns = CsvColumns::new(
    "number received remote label content_type status error where body body_base64",
);

const UNDO: CsvColumns =
    CsvColumns::new("profile subprofile field interest old old_is bad now seq time left");

const HISTORY: CsvColumns = CsvColumns::new(
    "seq type time time_source received profile subprofile database collection label verified observed \
     duplicate_of field interest old old_is new new_is cause since",
)
.of_each("changes");

const SHOW: CsvColumns = CsvColumns::new(
    "profile subprofile database collection at state last_event.seq last_event.time fields interests created \
     modified cascade.seq cascade.time",
);

const DIFF: CsvColumns = CsvColumns::new("field interest old old_is new new_is");

const EXPLAIN: CsvColumns = CsvColumns::new("field interest asked old old_is new new_is outcome");

const EVIDENCE: CsvColumns = CsvColumns::new(
    "seq received remote verified_at key record public_key signed signature body body_base64",
);

const REPORT: CsvColumns = CsvColumns::new(
    "group.month group.day group.hour group.field group.interest group.type group.label group.cause \
     group.database group.collection changes events profiles subprofiles first last command",
);

const GAPS: CsvColumns = CsvColumns::new(
    "kind since until within_one outer_since outer_until profiles subprofiles events changes by_chance fields \
     more_fields first_seq last_seq labels set_by quiet.since quiet.until command",
);

const INCIDENTS: CsvColumns = CsvColumns::new(
    "id field interest database collection from until profiles subprofiles events usual pairs more_pairs labels \
     causes first_seq last_seq command undo",
);

const LOOPS: CsvColumns = CsvColumns::new(
    "kind profile subprofile field interest labels unexplained loops changes first last every going_on writers \
     first_seq last_seq command",
);
