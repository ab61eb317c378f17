//! Comparing rows, in the running server or in the folder.

use std::io::Write;

use super::failed;
use super::rows::Rows;
use crate::cli::batch::{BatchClient, Reply};
use crate::cli::client::{Access, reach};
use crate::cli::context::CommandContext;
use crate::cli::progress::Bar;
use crate::query::{ReconcileOrder, ReconcileReport, Reconciler};
use crate::server::protocol::{End, Request};
use crate::store::{Arrival, Outcome, Purpose};

/// The size at which a segment is closed, where no server runs: `serve`'s own.
const SEGMENT_SIZE: u64 = 64 << 20;

/// The message where a server does not answer to the end.
const BROKEN_OFF: &str = "the running server broke off; repeat the command: events that were added are not \
     added again";

/// Compares all rows, and writes what differs to `out`.
pub fn compare(
    order: &ReconcileOrder,
    rows: &mut Rows,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<(ReconcileReport, End)> {
    rows.rewind()?;
    let purpose = match order.record {
        None => Purpose::Ask,
        Some(_) => Purpose::Append {
            server: false,
            segment_size: SEGMENT_SIZE,
        },
    };
    match reach(context, purpose)? {
        Access::Live(stream) => {
            let request = Request::Reconcile(Box::new(order.clone()));
            let server = BatchClient::start(stream, &request, BROKEN_OFF)?;
            live(server, rows, context, out)
        }
        Access::Offline(trail, mut appender) => {
            let mut bar = Bar::new("comparing", context.progress);
            trail.wait_for_index(|progress| bar.set(progress.applied, progress.last))?;
            let mut reconciler = Reconciler::new(&trail, order.clone())?;
            let mut append = |group: Vec<Arrival>| match &mut appender {
                Some(appender) => appender.append(group),
                None => vec![
                    Outcome::Unavailable("the folder cannot be written".to_owned());
                    group.len()
                ],
            };
            let mut all = ReconcileReport::default();
            loop {
                let (lines, count) = rows.next()?;
                if count == 0 {
                    break;
                }
                all.add(reconciler.rows(&lines, out, &mut append)?);
                failed(&all)?;
            }
            all.add(reconciler.finish(out, &mut append)?);
            failed(&all)?;
            Ok((all, reconciler.answered().into()))
        }
    }
}

fn live(
    mut server: BatchClient,
    rows: &mut Rows,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<(ReconcileReport, End)> {
    let mut bar = Bar::new("waiting for the index", context.progress);
    let mut all = ReconcileReport::default();
    let mut add = |report: ReconcileReport| {
        all.add(report);
        failed(&all)
    };
    loop {
        let (lines, count) = rows.next()?;
        if count == 0 {
            break;
        }
        server.send(&lines)?;
        add(server.report(&mut bar, out)?)?;
    }
    server.end()?;
    loop {
        match server.reply(&mut bar, out)? {
            Reply::Report(report) => add(report)?,
            Reply::Done(end) => return Ok((all, end)),
        }
    }
}
