//! `reconcile` for people: the counts, and a table of the differences.

use std::io::Write;

use super::table::TablePrinter;
use super::tables;
use crate::format::{Printer, View, counted, grouped};
use crate::query::{ReconcileOrder, ReconcileReport};

/// A column that differs in at least this many rows, and is a field of no profile, is
/// probably not a field at all.
const NO_FIELD: u64 = 3;

/// The result of a comparison, a line for each count.
pub fn reconcile_summary(
    order: &ReconcileOrder,
    report: &ReconcileReport,
    view: &View,
) -> Vec<String> {
    let what = if order.subprofiles {
        "subprofile"
    } else {
        "profile"
    };
    let at = view.moment(order.at);
    let mut lines = vec![format!(
        "{} compared with the trail as of {at}: {} the same, {} with other values ({})",
        counted(report.rows, "row"),
        grouped(report.same),
        grouped(report.differing),
        counted(report.fields(), "field")
    )];
    let mut add = |count: u64, of: &str| {
        if count > 0 {
            lines.push(format!("{} {of}", counted(count, what)));
        }
    };
    add(report.unknown, "in the file and unknown to the trail");
    add(report.deleted, "in the file and deleted in the trail");
    add(report.gone, "in the trail and missing from the file");
    for name in &report.left_out {
        lines.push(format!(
            "  {name:?} is left out: no profile in the trail has this field; to add it, name it with --columns"
        ));
    }
    let counts = order.columns.iter().zip(&report.columns);
    for (name, count) in counts.filter(|(_, count)| count.differing > 0) {
        let mut line = format!("  {name:?} differs in {}", counted(count.differing, "row"));
        if count.absent == count.differing && count.absent >= NO_FIELD {
            line += "; no profile in the trail has this field: leave the column out with --ignore if it is not one";
        }
        lines.push(line);
    }
    lines
}

/// Writes the differences.
pub fn reconcile_table<'a>(view: View, out: &'a mut dyn Write) -> Box<dyn Printer + 'a> {
    Box::new(TablePrinter::new(tables::RECONCILE, view, out))
}
