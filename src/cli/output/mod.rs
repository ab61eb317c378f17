//! Answers for people: tables made from the lines for programs.

mod brief;
mod dossier;
mod explain;
mod gaps;
mod incidents;
mod ink;
mod loops;
mod number;
mod printer;
mod reconcile;
mod report;
mod rows;
mod sanitize;
mod table;
mod tail;

pub use number::{counted, grouped};
pub use printer::{Printed, Printer, printer};
pub use reconcile::{ReconcileTable, reconcile_summary};
pub use sanitize::plain;
pub use tail::TailPrinter;
