//! Answers for people: tables made from the lines for programs.

mod dossier;
mod explain;
mod ink;
mod number;
mod printer;
mod reconcile;
mod rows;
mod sanitize;
mod table;
mod tail;

pub use number::{counted, grouped};
pub use printer::{Printed, Printer, printer};
pub use reconcile::{ReconcileTable, reconcile_summary};
pub use sanitize::plain;
pub use tail::TailPrinter;
