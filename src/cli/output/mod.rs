//! Answers for people and for spreadsheets, made from the lines for programs.
//!
//! [`printer()`] knows which [`Printer`] writes an answer for people, [`mod@columns`]
//! what columns it has as CSV. What stands in lines comes from strangers:
//! [`plain`] keeps a terminal safe from it, [`csv`] a spreadsheet.

mod blame;
pub mod card;
mod cell;
mod changes;
mod columns;
mod command;
mod csv;
mod diff;
mod differ;
mod evidence;
mod explain;
mod export;
mod find;
mod gaps;
mod grid;
mod history;
mod incidents;
mod loops;
mod number;
mod printer;
mod reconcile;
mod rejected;
mod report;
mod sanitize;
mod show;
pub mod style;
mod text;
mod value;
mod view;
mod words;

pub use cell::{Cell, Column};
pub use columns::columns;
pub use csv::Csv;
pub use number::{counted, grouped};
pub use printer::{Printed, Printer, printer, tail_printer};
pub use reconcile::{ReconcileTable, reconcile_summary};
pub use sanitize::plain;
pub use style::Role;
pub use text::{Text, width_of, wrapped};
pub use value::who;
pub use view::{View, shown};
