//! `show`: the state of a (sub)profile at a moment.
//!
//! Events are read backwards from the moment until one has told the state, one
//! the database and, of a subprofile, one the collection. A profile has none:
//! to find that no event ever named one, the whole history would have to be
//! read.

use super::answer::{Lines, QueryError, now};
use super::ends::Ends;
use super::lines::{LastEvent, ShowLine};
use super::past::{Before, Ended, Missing, replay_after};
use super::request::ShowQuery;
use crate::event::{Fields, seconds_to_rfc3339};
use crate::history::Known;
use crate::store::{Batch, Snapshot};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ShowQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let events = snapshot.events_of(query.key)?;
    if events.is_empty() {
        return Ok(false);
    }
    let at = query.at.unwrap_or_else(now);
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let none = Batch::default();
    let mut missing = Missing::new(query.key);
    let mut reader = snapshot.reader();
    let before = Before::up_to(&events, at);
    let mut ends = Ends::asked(snapshot, query.key, query.cascade, at, lines)?;
    let ended = ends.as_mut().map(|ends| Ended {
        ends,
        events: &events,
        until: at,
    });
    let damage = &mut lines.damage;
    let replay = replay_after(before, ended, &none, &mut reader, damage, |event| {
        missing.take(event)
    })?;
    let last_event = |(seq, time)| LastEvent {
        seq,
        time: seconds_to_rfc3339(time),
    };
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
        // A collection is a subprofile's.
        collection: query.key.subprofile.and(replay.collection),
        at: seconds_to_rfc3339(at),
        state: state.to_owned(),
        last_event: replay.last.map(last_event),
        fields,
        interests,
        created,
        modified,
        cascade: replay.ended.map(last_event),
    })?;
    Ok(true)
}
