//! The difference between a row, or its absence, and the known state.

use std::io::Write;

use super::lines::{FileRow, ReconcileLine, ReconcileOrder, ReconcileReport, Recording};
use crate::event::{Content, Event, EventType, Fields, ProfileKey, Seen, now_micros};
use crate::history::{Known, Replay};
use crate::query::QueryError;

/// The content of an observed event.
pub(super) type ToEnter = Option<(Seen, Fields<'static>)>;

/// Finds the differences between a row and the known state.
pub(super) fn judge_row(
    order: &ReconcileOrder,
    row: &FileRow,
    replay: &Replay<'_>,
    out: &mut dyn Write,
    report: &mut ReconcileReport,
) -> Result<ToEnter, QueryError> {
    report.rows += 1;
    let cells = order.columns.iter().zip(&row.2);
    let finding = match &replay.known {
        Known::Nothing => {
            report.unknown += 1;
            "unknown"
        }
        Known::Deleted { .. } => {
            report.deleted += 1;
            "deleted"
        }
        Known::Present(state) => {
            let mut differs = false;
            let mut fields = Fields::new();
            for ((name, cell), count) in cells.zip(&mut report.columns) {
                let trail = state.fields.get(name).map(AsRef::as_ref);
                if trail.is_none() && cell.is_empty() {
                    continue;
                }
                if trail != Some(cell) {
                    differs = true;
                    count.differing += 1;
                    count.absent += u64::from(trail.is_none());
                    put(out, &ReconcileLine::field(row.key(), name, trail, cell))?;
                }
                fields.insert(name.clone().into(), cell.clone().into());
            }
            if differs {
                report.differing += 1;
                return Ok(Some((Seen::Present, fields)));
            }
            report.same += 1;
            return Ok(None);
        }
    };
    put(out, &ReconcileLine::finding(row.key(), Some(finding)))?;
    let mut fields = Fields::new();
    for (name, cell) in cells {
        fields.insert(name.clone().into(), cell.clone().into());
    }
    Ok(Some((Seen::Present, fields)))
}

/// Whether a (sub)profile without a row is present in the trail, within the scope
/// of the file.
pub(super) fn judge_gone(
    order: &ReconcileOrder,
    key: ProfileKey,
    replay: &Replay<'_>,
    out: &mut dyn Write,
    report: &mut ReconcileReport,
) -> Result<ToEnter, QueryError> {
    let is_there = |asked: Option<u64>, known: Option<u64>| asked.is_none() || asked == known;
    if replay.known.state().is_none()
        || !is_there(order.database, replay.database)
        || !is_there(order.collection, replay.collection)
    {
        return Ok(None);
    }
    report.gone += 1;
    put(out, &ReconcileLine::finding(key, Some("gone")))?;
    Ok(Some((Seen::Gone, Fields::new())))
}

/// The event that records the finding.
pub(super) fn observed(
    order: &ReconcileOrder,
    recording: &Recording,
    key: ProfileKey,
    seen: Seen,
    fields: Fields<'static>,
) -> Event<'static> {
    Event {
        seq: 0,
        received: now_micros(),
        remote: None,
        label: recording.label.clone().map(Into::into),
        event_type: EventType::Observed(seen),
        time: order.at,
        time_source: order.time_source,
        key,
        database: order.database,
        collection: order.collection,
        verified: None,
        content: Content {
            fields,
            ..Content::default()
        },
    }
}

fn put(out: &mut dyn Write, line: &ReconcileLine<'_>) -> Result<(), QueryError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
