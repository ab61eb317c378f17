//! `show`, `diff` and `blame`: what a (sub)profile was at a moment, how two moments differ,
//! and which events made it so.

use super::answer::{Lines, QueryError};
use super::lines::{BlameLine, LastEvent, ShowLine};
use super::replay::{ReplayVisitor, Replayer, Step};
use super::request::{DiffQuery, StateQuery};
use super::state_before::Needed;
use crate::event::{now_seconds, seconds_to_rfc3339};
use crate::history::{Interval, IntervalBuilder, Known, Replay, State, differences, is_full_state};
use crate::store::{Damages, Snapshot};

/// The state at a moment. Events are read backwards from there until state, database and,
/// for a subprofile, collection are known. Profiles have no collection: proving that no
/// event ever named one would need the whole history.
pub(super) fn show(
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

/// The net differences between two moments.
pub(super) fn diff(
    snapshot: &Snapshot<'_>,
    query: &DiffQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    // Both states are read from the same snapshot: an event that arrives meanwhile
    // is not a difference.
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

/// The last change of every field and interest that is present.
pub(super) fn blame(
    snapshot: &Snapshot<'_>,
    query: &StateQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let at = query.at.unwrap_or_else(now_seconds);
    let events = snapshot.events_of(query.key)?;
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let mut replayer = Replayer::new(snapshot, query.cascade);
    replayer.note_pruned_deletes(query.key, at, lines)?;
    let mut damage = Damages::default();
    let track = replayer.track(query.key, events, (i64::MIN, at), &mut damage)?;
    let mut visitor = BlameVisitor {
        intervals: IntervalBuilder::new(track.events.baseline.clone()),
        lines,
    };
    replayer.changes_of(&track, &mut damage, &mut visitor)?;
    lines.damage.extend(damage);
    Ok(lines.written > 0)
}

/// Follows every value, and writes which event set each one that is held at the end.
struct BlameVisitor<'l, 'o> {
    intervals: IntervalBuilder<'l>,
    lines: &'l mut Lines<'o>,
}

impl ReplayVisitor for BlameVisitor<'_, '_> {
    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        self.intervals.visit(&step);
        Ok(true)
    }

    fn finish(&mut self, replay: &Replay<'_>) -> Result<bool, QueryError> {
        self.intervals.follow_baseline(replay);
        let mut held = std::mem::take(&mut self.intervals.open);
        let subjects = replay.known.state().map(State::subjects);
        for subject in subjects.into_iter().flatten() {
            let Some(Interval {
                value, old, since, ..
            }) = held.remove(&subject)
            else {
                continue;
            };
            self.lines.put(&BlameLine {
                subject,
                value,
                seq: since.seq,
                time: seconds_to_rfc3339(since.time),
                event_type: since.event_type,
                cause: since.cause,
                old,
                since: since.not_before.map(seconds_to_rfc3339),
            })?;
        }
        Ok(true)
    }
}
