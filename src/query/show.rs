//! `show`: the state of a (sub)profile at a moment.

use super::answer::{Lines, QueryError, now, replay};
use super::lines::{LastEvent, ShowLine};
use super::request::ShowQuery;
use crate::event::{Fields, seconds_to_rfc3339};
use crate::history::Known;
use crate::trail::Trail;

pub(super) fn answer(
    trail: &Trail,
    query: &ShowQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let timeline = trail.events_of(query.key)?;
    if timeline.is_empty() {
        return Ok(false);
    }
    let at = query.at.unwrap_or_else(now);
    let replay = replay(trail, timeline.up_to(at), &mut lines.damage, |_, _| ())?;
    let (state, fields, interests, created, modified) = match replay.known {
        Known::Nothing => ("unknown", Fields::new(), Vec::new(), None, None),
        Known::Deleted { created, modified } => {
            ("deleted", Fields::new(), Vec::new(), created, modified)
        }
        Known::Present(state) => (
            "present",
            state.fields,
            state.interests.into_iter().collect(),
            state.created,
            state.modified,
        ),
    };
    lines.put(&ShowLine {
        profile: query.key.profile,
        subprofile: query.key.subprofile,
        database: replay.database,
        collection: replay.collection,
        at: seconds_to_rfc3339(at),
        state: state.to_owned(),
        last_event: replay.last.map(|(seq, time)| LastEvent {
            seq,
            time: seconds_to_rfc3339(time),
        }),
        fields,
        interests,
        created,
        modified,
    })?;
    Ok(true)
}
