//! Answers for people, made from the lines for programs.
//!
//! [`tables`] describes the columns of every answer that is a table; [`printer()`]
//! chooses how each answer is written. Lines hold untrusted text:
//! [`plain`](crate::format::plain) makes it safe for a terminal. Rows for spreadsheets
//! are made by [`crate::query::rows`].

mod cell;
mod chart;
mod command;
pub mod details;
mod diff;
mod evidence;
mod explain;
mod gaps;
mod history;
mod incidents;
mod loops;
mod printer;
mod reconcile;
mod report;
mod show;
mod stats;
mod table;
mod tables;

pub use cell::Cell;
pub use command::broken;
pub use history::History;
pub use printer::printer;
pub use reconcile::{reconcile_summary, reconcile_table};
pub use table::{Column, TablePrinter};
