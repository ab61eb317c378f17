//! Answers for people and for spreadsheets, made from the lines for programs.
//!
//! [`printer()`] knows which [`Printer`] writes an answer for people, [`mod@columns`]
//! what columns it has as CSV. What stands in lines comes from strangers:
//! [`plain`] keeps a terminal safe from it, [`csv`] a spreadsheet.

mod blame;
mod brief;
mod card;
mod cell;
mod changes;
mod columns;
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
mod ink;
mod loops;
mod number;
mod printer;
mod reconcile;
mod rejected;
mod report;
mod sanitize;
mod show;
mod style;
mod tail;
mod text;
mod value;
mod view;

pub use columns::columns;
pub use csv::Csv;
pub use number::{counted, grouped};
pub use printer::{Printed, Printer, printer};
pub use reconcile::{ReconcileTable, reconcile_summary};
pub use sanitize::plain;
pub use tail::TailPrinter;
pub use text::{width_of, wrapped};
pub use view::shown;
