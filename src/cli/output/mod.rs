//! Answers for people: tables made from the lines for programs.

mod brief;
mod gaps;
mod incidents;
mod loops;
mod number;
mod printer;
mod report;
mod rows;
mod sanitize;
mod table;

pub use number::{counted, grouped};
pub use printer::{Printed, printer};
pub use sanitize::plain;
