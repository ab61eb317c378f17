//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError, now, replay};
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
    let timeline = trail.events_of(query.key)?.up_to(at);
    let mut blame = Blame::default();
    let replay = replay(trail, timeline, &mut lines.damage, |event, changes| {
        blame.step(event, changes);
    })?;
    if let Some(state) = replay.known.state() {
        for row in blame.rows(state) {
            lines.put(&BlameLine::from(row))?;
        }
    }
    Ok(lines.written > 0)
}
