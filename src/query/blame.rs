//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError};
use super::lines::BlameLine;
use super::replay::{ReplayVisitor, Replayer, Step};
use super::request::StateQuery;
use crate::event::{now_seconds, seconds_to_rfc3339};
use crate::history::{Interval, IntervalBuilder, Replay, State};
use crate::store::{Damages, Snapshot};

pub(super) fn answer(
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
