//! The questions and their answers.
//!
//! A [`Query`] is what a command asks; it travels as JSON to a running server
//! or is answered from the folder, by the same [`answer()`]. An answer is lines
//! of JSON, the stable form for programs; [`lines`] has their types. What the
//! page for people shows is made from these lines, never beside them.

mod answer;
mod baselines;
mod blame;
mod changes;
mod command;
mod convert;
mod diff;
mod evidence;
mod export;
mod filter;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gaps;
mod history;
mod import;
mod incidents;
pub mod lines;
mod loops;
mod moment;
mod names;
mod parallel;
mod past;
mod progress;
mod rejected;
mod report;
mod request;
mod sample;
mod show;
mod twins;

pub use answer::{Answered, QueryError, answer, answer_telling};
pub use filter::Span;
pub use gaps::{GapKind, GapLine, GapsQuery};
pub use import::{ImportReport, Importer, RefusedLine};
pub use incidents::{IncidentId, IncidentLine, IncidentsQuery, Left, UndoLine, Wanted};
pub use loops::{LoopGroupLine, LoopKind, LoopLine, LoopWriter, LoopsQuery};
pub use moment::{Rounding, parse_duration, parse_time};
pub use progress::{Progress, Stage};
pub use report::{By, ReportGroup, ReportLine, ReportQuery};
pub use request::{
    BlameQuery, ChangesQuery, DiffQuery, EvidenceQuery, ExportQuery, HistoryQuery, Query,
    RejectedQuery, ShowQuery,
};
