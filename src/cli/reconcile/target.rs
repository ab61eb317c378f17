//! Where rows are compared: in the running server, or in the folder.

use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::{Context, bail};

use super::failed;
use super::rows::Rows;
use crate::cli::client::{Access, reach};
use crate::cli::context::CommandContext;
use crate::cli::progress::Bar;
use crate::query::{ReconcileOrder, ReconcileReport, Reconciler};
use crate::server::protocol::{End, Kind, Request, parse, receive, send, send_json};
use crate::store::{Arrival, Outcome, Purpose};

/// The size at which a segment is closed, where no server runs: `serve`'s own.
const SEGMENT_SIZE: u64 = 64 << 20;

/// What is said where a server does not answer to the end.
const BROKE_OFF: &str = "the running server broke off; repeat the command: what is entered already \
     is not entered again";

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
        Access::Live(mut stream) => {
            let request = Request::Reconcile(Box::new(order.clone()));
            send_json(&mut stream, Kind::Request, &request)?;
            live(&mut stream, rows, context, out)
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
    stream: &mut UnixStream,
    rows: &mut Rows,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<(ReconcileReport, End)> {
    let mut bar = Bar::new("waiting for the index", context.progress);
    let mut all = ReconcileReport::default();
    loop {
        let (lines, count) = rows.next()?;
        let ended = count == 0;
        if ended {
            send_json(stream, Kind::Done, &End::default()).context(BROKE_OFF)?;
        } else {
            send(stream, Kind::Lines, &lines).context(BROKE_OFF)?;
        }
        loop {
            match receive(stream).context(BROKE_OFF)? {
                Some((Kind::Progress, bytes)) => {
                    let progress: crate::query::Progress = parse(&bytes)?;
                    bar.set(progress.done, progress.all);
                }
                Some((Kind::Lines, bytes)) => out.write_all(&bytes)?,
                Some((Kind::Report, bytes)) => {
                    all.add(parse(&bytes)?);
                    failed(&all)?;
                    if !ended {
                        break;
                    }
                }
                Some((Kind::Done, bytes)) if ended => return Ok((all, parse(&bytes)?)),
                Some((Kind::Failed, bytes)) => bail!("{}", String::from_utf8_lossy(&bytes)),
                _ => bail!(BROKE_OFF),
            }
        }
    }
}
