//! Answers for people: tables made from the lines for programs.

mod number;
mod printer;
mod reconcile;
mod rows;
mod sanitize;
mod table;

pub use number::{counted, grouped};
pub use printer::{Printed, printer};
pub use reconcile::{ReconcileTable, reconcile_summary};
pub use sanitize::plain;
