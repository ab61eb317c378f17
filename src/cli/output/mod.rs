//! Answers for people: tables made from the lines for programs.

mod number;
mod rows;
mod sanitize;
mod table;

pub use number::{counted, grouped};
pub use sanitize::plain;
pub use table::Table;
