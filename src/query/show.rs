//! `show`: the state of a (sub)profile at a moment.
//!
//! Events are read backwards from the moment until state, database and, for a
//! subprofile, collection are known. Profiles have no collection: proving that no
//! event ever named one would need the whole history.

use super::answer::{Lines, QueryError};
use super::lines::{LastEvent, ShowLine};
use super::replay::Replayer;
use super::request::StateQuery;
use super::state_before::Needed;
use crate::event::{now_seconds, seconds_to_rfc3339};
use crate::store::Snapshot;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &StateQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let events = snapshot.events_of(query.key)?;
    if events.is_empty() {
        return Ok(false);
    }
    let at = query.at.unwrap_or_else(now_seconds);
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let mut needed = Needed::new(query.key);
    let mut replayer = Replayer::new(snapshot, query.cascade);
    replayer.note_pruned_deletes(query.key, at, lines)?;
    let damage = &mut lines.damage;
    let replay = replayer.state_at(query.key, &events, at, damage, |event| needed.take(event))?;
    let (word, state) = replay.known.into_state();
    lines.put(&ShowLine {
        who: query.key,
        database: replay.database,
        // Only subprofiles have a collection.
        collection: query.key.subprofile.and(replay.collection),
        at: seconds_to_rfc3339(at),
        state: word.to_owned(),
        last_event: replay.last.map(LastEvent::from),
        fields: state.fields,
        interests: state.interests.into_iter().collect(),
        created: state.created,
        modified: state.modified,
        cascade: replay.ended.map(LastEvent::from),
    })?;
    Ok(true)
}
