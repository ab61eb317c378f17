//! Answers for people: tables made from the lines for programs.

mod sanitize;
mod table;

pub use sanitize::plain;
pub use table::Table;
