//! Answers for people and for spreadsheets, made from the lines for programs.
//!
//! [`printer()`] knows which [`Printer`](crate::format::Printer) writes an answer for people, [`mod@columns`]
//! what columns it has as CSV. What stands in lines comes from strangers:
//! [`plain`](crate::format::plain) keeps a terminal safe from it, [`csv`] a spreadsheet.

mod blame;
pub mod card;
mod cell;
mod changes;
mod columns;
mod command;
mod csv;
mod diff;
mod evidence;
mod explain;
mod export;
mod find;
mod gaps;
mod grid;
mod history;
mod incidents;
mod loops;
mod printer;
mod reconcile;
mod rejected;
mod report;
mod show;

pub use cell::{Cell, Column};
pub use columns::columns;
pub use csv::Csv;
pub use grid::Grid;
pub use printer::{printer, tail_printer};
pub use reconcile::{ReconcileTable, reconcile_summary};
