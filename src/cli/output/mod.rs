//! Answers for people: tables made from the lines for programs.

mod find;
mod number;
mod printer;
mod rows;
mod sanitize;
mod table;

pub use number::{counted, grouped};
pub use printer::{Printed, printer};
pub use sanitize::plain;
