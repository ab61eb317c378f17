//! `show`: the state of a (sub)profile at a moment.
//!
//! Events are read backwards from the moment until one has told the state, one
//! the database and, of a subprofile, one the collection. A profile has none:
//! to find that no event ever named one, the whole history would have to be
//! read.

use super::answer::{Lines, QueryError, now};
use super::lines::{LastEvent, ShowLine};
use super::past::{Before, replay_after};
use super::request::ShowQuery;
use crate::event::{Event, EventType, Fields, ProfileKey, Seen, seconds_to_rfc3339};
use crate::history::{Known, tells_all};
use crate::trail::{Batch, Trail};

pub(super) fn answer(
    trail: &Trail,
    query: &ShowQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let events = trail.events_of(query.key)?;
    if events.is_empty() {
        return Ok(false);
    }
    let at = query.at.unwrap_or_else(now);
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let none = Batch::default();
    let mut missing = Missing::new(query.key);
    let mut reader = trail.reader();
    let before = Before::up_to(&events, at);
    let replay = replay_after(before, &none, &mut reader, &mut lines.damage, |event| {
        missing.take(event);
        missing.is_nothing()
    })?;
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

/// What is still to be found, going backwards.
pub(super) struct Missing {
    state: bool,
    database: bool,
    collection: bool,
}

impl Missing {
    /// All of it. A collection is looked for where the key is a subprofile's.
    pub const fn new(key: ProfileKey) -> Self {
        Self {
            state: true,
            database: true,
            collection: key.subprofile.is_some(),
        }
    }

    pub fn take(&mut self, event: &Event<'_>) {
        let content = &event.content;
        let tells_state = match event.event_type {
            // What it leaves out of these is as it was before.
            EventType::Delete | EventType::Observed(Seen::Gone) => {
                content.created.is_some() && content.modified.is_some()
            }
            _ => tells_all(event),
        };
        self.state &= !tells_state;
        self.database &= event.database.is_none();
        self.collection &= event.collection.is_none();
    }

    pub const fn is_nothing(&self) -> bool {
        !(self.state || self.database || self.collection)
    }
}
