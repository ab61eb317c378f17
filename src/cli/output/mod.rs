//! Answers for people and for spreadsheets, made from the lines for programs.
//!
//! [`printer()`] knows which [`Printer`] writes an answer for people, [`columns`]
//! what columns it has as CSV. What stands in lines comes from strangers:
//! [`plain`] keeps a terminal safe from it, [`csv`] a spreadsheet.

mod blame;
mod card;
mod cell;
mod changes;
mod columns;
mod csv;
mod diff;
mod evidence;
mod export;
mod grid;
mod history;
mod number;
mod printer;
mod rejected;
mod sanitize;
mod show;
mod style;
mod text;
mod value;
mod view;

pub use columns::columns;
pub use csv::Csv;
pub use number::{counted, grouped};
pub use printer::{Printed, printer};
pub use sanitize::plain;
pub use view::shown;
