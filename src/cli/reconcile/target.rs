//! Comparing rows, in the running server or in the folder.

use std::io::Write;

use super::failed;
use super::rows::Rows;
use crate::cli::client::reach;
use crate::cli::context::CommandContext;
use crate::cli::progress::Bar;
use crate::query::{Answered, ReconcileOrder, ReconcileReport};
use crate::server::control::{Control, Request};
use crate::store::Purpose;

/// The size at which a segment is closed, where no server runs: `serve`'s own.
const SEGMENT_SIZE: u64 = 64 << 20;

/// The message where a server does not answer to the end.
const BROKEN_OFF: &str = "the running server ended the connection; repeat the command: events that were added are not \
     added again";

/// Compares all rows, and writes what differs to `out`.
pub fn compare(
    order: &ReconcileOrder,
    rows: &mut Rows,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<(ReconcileReport, Answered)> {
    let purpose = match order.record {
        None => Purpose::Ask,
        Some(_) => Purpose::Append {
            server: false,
            segment_size: SEGMENT_SIZE,
        },
    };
    let request = Request::Reconcile(Box::new(order.clone()));
    let mut bar = Bar::new("comparing", context.progress);
    let mut all = ReconcileReport::default();
    let mut on_control = |control| {
        let Control::Report(report) = control else {
            bar.show(&control);
            return Ok(());
        };
        all = serde_json::from_value(report)?;
        failed(&all)
    };
    let connection = reach(context, purpose)?;
    let lines = Box::new(rows.rewound()?);
    let end = connection.upload(&request, lines, BROKEN_OFF, &mut on_control, out)?;
    Ok((all, end))
}
