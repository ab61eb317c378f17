//! Queries and their answers.
//!
//! A [`Query`] is the question of a command. It is sent as JSON to a running server or
//! answered from the data folder, by the same [`answer()`]. An answer is lines of JSON,
//! the stable format for programs; [`lines`] has their types. Human-readable output is
//! always made from these lines.

mod answer;
mod baselines;
mod cascade;
mod changes;
mod command;
mod counter;
pub mod dossier;
mod erasures;
mod explain;
mod export;
mod filter;
mod find;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gaps;
mod hints;
mod history;
mod import;
mod incidents;
pub mod lines;
mod loops;
mod moment;
mod page;
pub(crate) mod parallel;
mod progress;
mod proofs;
mod reconcile;
mod rejected;
mod replay;
mod report;
mod request;
mod retry;
pub mod rows;
mod state_before;
mod states;
mod stats;
mod tail;
#[cfg(test)]
mod tests_store;
mod twins;

pub use answer::{Answered, Query, QueryError, answer, with_causes};
pub use command::changes_command;
pub use dossier::DossierQuery;
pub use explain::{ExplainLine, Outcome};
pub use filter::{CauseKind, Filter, Span, parse_label};
pub use find::FindQuery;
pub use gaps::{GapKind, GapLine, GapsQuery};
pub use hints::{known_fields, nearest};
pub use import::{ImportReport, Importer, RefusedLine};
pub use incidents::{
    IncidentId, IncidentLine, IncidentsQuery, SkipReason, UndoFile, UndoLine, Wanted,
};
pub use loops::{LoopGroupLine, LoopKind, LoopLine, LoopWriter, LoopsLine, LoopsQuery};
pub use moment::{
    Clock, Rounding, is_time, parse_duration, parse_span, parse_time, unix_time, with_clock,
};
pub use page::{Mark, Page};
pub use progress::{Progress, Stage};
pub use proofs::{AnchorLine, AnchorsQuery, CheckpointLine, CheckpointQuery, SinceLine};
pub use reconcile::{
    ColumnCount, FileRow, ReconcileLine, ReconcileOrder, ReconcileReport, Reconciler, Recording,
};
pub use report::{By, ReportGroup, ReportLine, ReportQuery};
pub use request::{
    ChangesQuery, DiffQuery, EventQuery, ExplainQuery, ExportQuery, HistoryQuery, RejectedQuery,
    StateQuery, TailQuery, params_of,
};
pub use retry::{RetryLine, RetryOutcome, retry};
pub use stats::{Count, StatsLine, StatsQuery};
pub use tail::{Position, Tail};
