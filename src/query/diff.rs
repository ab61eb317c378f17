//! `diff`: the net differences between two moments.

use super::answer::{Lines, QueryError, now};
use super::ends::Ends;
use super::lines::DiffLine;
use super::past::{Before, Ended, replay_after};
use super::request::DiffQuery;
use crate::history::{Known, State, differences, tells_all};
use crate::store::{Batch, Snapshot};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &DiffQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let events = snapshot.events_of(query.key)?;
    if events.is_empty() {
        return Ok(false);
    }
    lines.note_pruned(query.key, events.baseline_time(), Some(query.from));
    // Both moments are read from these: an event that comes meanwhile is no
    // difference.
    let mut reader = snapshot.reader();
    let none = Batch::default();
    let to = query.to.unwrap_or_else(now);
    let mut ends = Ends::asked(snapshot, query.key, query.cascade, to, lines)?;
    let damage = &mut lines.damage;
    let mut state_at = |until: i64| -> Result<Known<'static>, QueryError> {
        let before = Before::up_to(&events, until);
        let ended = ends.as_mut().map(|ends| Ended {
            ends,
            events: &events,
            until,
        });
        let replay = replay_after(before, ended, &none, &mut reader, damage, tells_all)?;
        Ok(replay.into_owned().known)
    };
    let before = state_at(query.from)?;
    let after = state_at(to)?;
    let none = State::default();
    let before = match &before {
        Known::Nothing => None,
        Known::Present(state) => Some(state),
        Known::Deleted { .. } => Some(&none),
    };
    for difference in differences(before, after.state().unwrap_or(&none)) {
        lines.put(&DiffLine::from(difference))?;
    }
    Ok(true)
}
