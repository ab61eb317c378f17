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
mod convert;
mod diff;
mod evidence;
mod export;
mod filter;
mod find;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod history;
mod import;
pub mod lines;
mod moment;
mod parallel;
mod past;
mod progress;
mod rejected;
mod request;
mod show;
mod twins;

pub use answer::{Answered, QueryError, answer, answer_telling};
pub use filter::Span;
pub use find::{By, FindQuery, Sought, Word, Words};
pub use import::{ImportReport, Importer, RefusedLine};
pub use moment::{Rounding, parse_time};
pub use progress::{Progress, Stage};
pub use request::{
    BlameQuery, ChangesQuery, DiffQuery, EvidenceQuery, ExportQuery, HistoryQuery, Query,
    RejectedQuery, ShowQuery,
};
