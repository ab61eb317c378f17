//! Answers for people and for spreadsheets, made from the lines for programs.
//!
//! [`tables`] describes the columns of every answer that is a table, for a terminal
//! and for CSV at once; [`printer()`] knows how each answer is written. Lines hold
//! text from strangers: [`plain`](crate::format::plain) keeps a terminal safe from
//! it, [`csv`] a spreadsheet.

mod bar;
mod cell;
mod command;
mod csv;
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
mod table;
mod tables;
mod xlsx;

pub use bar::bar;
pub use cell::Cell;
pub use command::broken;
pub use csv::{Csv, CsvColumns};
pub use printer::{csv_columns, printer, tail_printer};
pub use reconcile::{reconcile_summary, reconcile_table};
pub use table::{CellContext, Column, TablePrinter};
pub use xlsx::Xlsx;
