//! `diff`: the net differences between two moments.

use super::answer::{Lines, QueryError};
use super::replay::Replayer;
use super::request::DiffQuery;
use crate::event::now_seconds;
use crate::history::{Known, State, differences, is_full_state};
use crate::store::Snapshot;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &DiffQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    // Both states are read from the same snapshot: an event that arrives in between is
    // not a difference.
    let events = snapshot.events_of(query.key)?;
    if events.is_empty() {
        return Ok(false);
    }
    lines.note_pruned(query.key, events.baseline_time(), Some(query.from));
    let to = query.to.unwrap_or_else(now_seconds);
    let mut replayer = Replayer::new(snapshot, query.cascade);
    replayer.note_pruned_deletes(query.key, to, lines)?;
    let damage = &mut lines.damage;
    let mut state_at = |at: i64| replayer.state_at(query.key, &events, at, damage, is_full_state);
    let before = state_at(query.from)?.known;
    let after = state_at(to)?.known;
    let empty = State::default();
    let before = match &before {
        Known::Nothing => None,
        Known::Present(state) => Some(state),
        Known::Deleted { .. } => Some(&empty),
    };
    for difference in differences(before, after.state().unwrap_or(&empty)) {
        lines.put(&difference)?;
    }
    Ok(true)
}
