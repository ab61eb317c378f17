//! The difference between a row, or its absence, and the known state, in the columns
//! that are fields.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use super::lines::{FileRow, ReconcileLine, ReconcileOrder, ReconcileReport, Recording};
use crate::event::{
    Content, Event, EventType, Fields, ProfileKey, Seen, decode_content, now_micros,
};
use crate::history::{Known, Replay};
use crate::log::record::EventRecord;
use crate::query::QueryError;
use crate::store::{Snapshot, Step};

/// The content of an observed event.
pub(super) type ToEnter = Option<(Seen, Fields<'static>)>;

/// The columns that are not a field of any (sub)profile in the trail; none if the trail has
/// no fields at all.
///
/// Reads events until every column is found to be a field.
pub(super) fn not_fields(
    snapshot: &Snapshot<'_>,
    columns: &[String],
) -> Result<BTreeSet<String>, QueryError> {
    let mut left: BTreeSet<String> = columns.iter().cloned().collect();
    let mut any = false;
    let mut walk = snapshot.retention().walk_baselines();
    while !left.is_empty()
        && let Some(kept) = walk.step()?
    {
        let state = kept.baseline.known.state();
        for name in state.iter().flat_map(|state| state.fields.keys()) {
            any = true;
            left.remove(name.as_ref());
        }
    }
    let mut walk = snapshot.walk(i64::MIN, i64::MAX)?;
    while !left.is_empty() {
        let step = walk.step(|_, record| {
            let content = EventRecord::decode(record).ok();
            let content = content.and_then(|it| decode_content(it.head.body_kind, it.body).ok());
            let Some(content) = content else { return };
            // An update without fields carries its parameters over as such.
            let named = match content.fields.is_empty() {
                true => content.parameters.keys(),
                false => content.fields.keys(),
            };
            for name in named {
                any = true;
                left.remove(AsRef::<str>::as_ref(name));
            }
        })?;
        if matches!(step, Step::End) {
            break;
        }
    }
    if !any {
        left.clear();
    }
    Ok(left)
}

/// Whether a cell says the same as the trail: line ends differ between forms and files,
/// and no date is written in three ways.
fn is_same(trail: &str, cell: &str) -> bool {
    fn plain(text: &str) -> Cow<'_, str> {
        match text {
            "0000-00-00" | "0000-00-00 00:00:00" => Cow::Borrowed(""),
            text if text.contains('\r') => text.replace("\r\n", "\n").replace('\r', "\n").into(),
            text => Cow::Borrowed(text),
        }
    }
    trail == cell || plain(trail) == plain(cell)
}

/// Finds the differences between a row and the known state, except in the columns `left_out`.
pub(super) fn judge_row(
    order: &ReconcileOrder,
    left_out: &BTreeSet<String>,
    row: &FileRow,
    replay: &Replay<'_>,
    out: &mut dyn Write,
    report: &mut ReconcileReport,
) -> Result<ToEnter, QueryError> {
    report.rows += 1;
    let cells = order.columns.iter().zip(&row.2).zip(&mut report.columns);
    let cells = cells.filter(|((name, _), _)| !left_out.contains(*name));
    let mut fields = Fields::new();
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
            for ((name, cell), count) in cells {
                let trail = state.fields.get(name).map(AsRef::as_ref);
                let same = is_same(trail.unwrap_or_default(), cell);
                if !same {
                    differs = true;
                    count.differing += 1;
                    count.absent += u64::from(trail.is_none());
                    let line = ReconcileLine {
                        who: row.key(),
                        field: Some(name.into()),
                        trail: Some(trail.map(Cow::Borrowed)),
                        file: Some(cell.into()),
                        finding: None,
                    };
                    put(out, &line)?;
                }
                // Equal values stay as in the trail.
                if let Some(value) = if same { trail } else { Some(cell.as_str()) } {
                    fields.insert(name.clone().into(), value.to_owned().into());
                }
            }
            if differs {
                report.differing += 1;
                return Ok(Some((Seen::Present, fields)));
            }
            report.same += 1;
            return Ok(None);
        }
    };
    put(out, &ReconcileLine::finding(row.key(), finding))?;
    for ((name, cell), _) in cells {
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
    put(out, &ReconcileLine::finding(key, "gone"))?;
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
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    Ok(())
}
