//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError, now};
use super::lines::BlameLine;
use super::request::BlameQuery;
use crate::history::{Blame, Replay};
use crate::trail::{Timeline, Trail};

pub(super) fn answer(
    trail: &Trail,
    query: &BlameQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let at = query.at.unwrap_or_else(now);
    let mut times = trail.times_of(query.key)?;
    times.truncate(times.partition_point(|(time, _)| *time <= at));
    let mut timeline = Timeline::new(&times);
    let mut blame = Blame::default();
    let mut replay = Replay::default();
    let mut reader = trail.reader();
    while let Some(occurrence) = timeline.next(&mut reader, &mut lines.damage)? {
        if occurrence.duplicate_of.is_none() {
            let changes = replay.step(&occurrence.event);
            blame.step(&occurrence.event, changes);
        }
    }
    if let Some(state) = replay.known.state() {
        for row in blame.rows(state) {
            lines.put(&BlameLine::from(row))?;
        }
    }
    Ok(lines.written > 0)
}
