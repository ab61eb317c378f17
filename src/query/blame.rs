//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError, now, replay_all};
use super::lines::BlameLine;
use super::request::BlameQuery;
use crate::history::{Blame, Replay};
use crate::trail::Trail;

pub(super) fn answer(
    trail: &Trail,
    query: &BlameQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut timeline = trail
        .events_of(query.key)?
        .up_to(query.at.unwrap_or_else(now));
    let mut replay = Replay::default();
    let mut blame = Blame::default();
    replay_all(
        &mut timeline,
        &mut trail.reader(),
        &mut replay,
        &mut lines.damage,
        |event, changes| {
            blame.step(event, changes);
        },
    )?;
    if let Some(state) = replay.known.state() {
        for row in blame.rows(state) {
            lines.put(&BlameLine::from(row))?;
        }
    }
    Ok(lines.written > 0)
}
