//! `diff`: the net differences between two moments.

use super::answer::{Lines, QueryError, now, replay};
use super::lines::DiffLine;
use super::request::DiffQuery;
use crate::history::{Known, State, differences};
use crate::trail::{Timeline, Trail};

pub(super) fn answer(
    trail: &Trail,
    query: &DiffQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let times = trail.times_of(query.key)?;
    if times.is_empty() {
        return Ok(false);
    }
    // Both moments are read from these: an event that comes meanwhile is no
    // difference.
    let mut state_at = |moment: i64| -> Result<Known<'static>, QueryError> {
        let timeline = Timeline::new(times.clone()).up_to(moment);
        Ok(replay(trail, timeline, &mut lines.damage, |_, _| ())?.known)
    };
    let before = state_at(query.from)?;
    let after = state_at(query.to.unwrap_or_else(now))?;
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
