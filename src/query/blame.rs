//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError, now};
use super::lines::BlameLine;
use super::request::BlameQuery;
use crate::history::Blame;
use crate::trail::Trail;

pub(super) fn answer(
    trail: &Trail,
    query: &BlameQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let at = query.at.unwrap_or_else(now);
    let events = trail.events_of(query.key)?;
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let mut timeline = events.timeline(at);
    let mut blame = Blame::default();
    let mut replay = events.replay();
    let mut reader = trail.reader();
    while let Some(occurrence) = timeline.next(&mut reader, &mut lines.damage)? {
        if occurrence.duplicate_of.is_none() {
            let changes = replay.step(&occurrence.event);
            blame.step(&occurrence.event, changes);
        }
    }
    if events.reaches_baseline(at) {
        replay.take_up();
    }
    if let Some(state) = replay.known.state() {
        for row in blame.rows(state, replay.baseline) {
            lines.put(&BlameLine::from(row))?;
        }
    }
    Ok(lines.written > 0)
}
