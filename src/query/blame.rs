//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError, now};
use super::ends::Ends;
use super::lines::BlameLine;
use super::request::BlameQuery;
use crate::history::{Blame, Place};
use crate::store::{Batch, Snapshot};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &BlameQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let at = query.at.unwrap_or_else(now);
    let events = snapshot.events_of(query.key)?;
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let mut timeline = events.timeline(at);
    let mut blame = Blame::default();
    let mut replay = events.replay();
    let mut reader = snapshot.reader();
    let mut ends = match Ends::asked(snapshot, query.key, query.cascade, at, lines)? {
        Some(mut ends) => {
            let (all, none) = ((i64::MIN, at), Batch::default());
            ends.between(all, &events, &none, &mut reader, &mut lines.damage)?
        }
        None => Vec::new(),
    }
    .into_iter()
    .map(|end| end.place)
    .peekable();
    while let Some(occurrence) = timeline.next(&mut reader, &mut lines.damage)? {
        if occurrence.duplicate_of.is_none() {
            // What comes after an end is told anew, and so blamed on that.
            while let Some(end) = ends.next_if(|end| *end < Place::of(&occurrence.event)) {
                replay.end(end);
            }
            let changes = replay.step(&occurrence.event);
            blame.step(&occurrence.event, changes);
        }
    }
    if events.reaches_baseline(at) {
        replay.take_up();
    }
    for end in ends {
        replay.end(end);
    }
    if let Some(state) = replay.known.state() {
        for row in blame.rows(state, replay.baseline) {
            lines.put(&BlameLine::from(row))?;
        }
    }
    Ok(lines.written > 0)
}
