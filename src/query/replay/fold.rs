//! The steps of a replay: events and the profile's deletes in their order, and who
//! receives them.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::track::Track;
use crate::event::Event;
use crate::history::{CascadeDelete, Change, Interval, IntervalBuilder, Place, Replay};
use crate::query::answer::QueryError;
use crate::query::cascade::DeleteReader;
use crate::store::{Batch, Damages, EventReader, order_second};

/// One step of a replay: an event, or the profile's delete, which ends the subprofile.
pub(in crate::query) struct Step<'s, 'a> {
    /// The event, or the delete as an event of the subprofile; `None` if the delete was pruned
    /// or is unreadable.
    pub event: Option<&'s Event<'a>>,
    /// Whether it is the profile's delete.
    pub is_cascade: bool,
    /// The `seq` of the event that it repeats; then it changes nothing.
    pub duplicate_of: Option<u64>,
    pub changes: Vec<Change<'a>>,
    /// The state after it.
    pub replay: &'s Replay<'a>,
    /// The time of the event before it.
    pub since: Option<i64>,
}

/// Receives the replay of a (sub)profile.
pub(in crate::query) trait ReplayVisitor {
    /// Whether the changes of an event are needed, which may repeat the event `_of`, or be
    /// the profile's delete. If not, it is applied to the state but not visited. `_before` is the
    /// state before an event, but the one after a delete of the profile.
    fn wants(&mut self, _event: &Event<'_>, _of: Option<u64>, _before: &Replay<'_>) -> bool {
        true
    }

    /// Whether duplicates are visited.
    fn wants_duplicates(&self) -> bool {
        false
    }

    /// Takes the next step; `false` ends the replay.
    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError>;

    /// Takes the state at the end of the span.
    fn finish(&mut self, _state: &Replay<'_>) -> Result<bool, QueryError> {
        Ok(true)
    }
}

impl IntervalBuilder<'_> {
    /// Applies a step of a replay, and returns the intervals that it ended.
    pub(in crate::query) fn visit(&mut self, step: &Step<'_, '_>) -> Vec<Interval> {
        match step.duplicate_of {
            Some(_) => Vec::new(),
            None => self.step(step.event, &step.changes, step.replay, step.since),
        }
    }
}

/// The fold over one (sub)profile's events and the deletes among them.
pub(super) struct Fold<'r, V> {
    pub track: &'r Track,
    /// The deletes that may end it and were not applied yet.
    pub cascades: Peekable<IntoIter<CascadeDelete>>,
    pub delete: &'r mut DeleteReader,
    pub reader: &'r mut EventReader,
    pub damage: &'r mut Damages,
    pub visitor: &'r mut V,
}

impl<V: ReplayVisitor> Fold<'_, V> {
    /// Applies some events, whole seconds, and the deletes before them.
    pub fn events<'a>(
        &mut self,
        replay: &mut Replay<'a>,
        pairs: &[(i64, u64)],
        held: &'a Batch,
    ) -> Result<bool, QueryError> {
        for second in pairs.chunk_by(|a, b| a.0 == b.0) {
            let baseline = self.track.events.baseline.as_ref();
            let ordered = order_second(second, baseline, held, self.reader, self.damage)?;
            for (seq, duplicate_of) in ordered {
                if duplicate_of.is_some() && !self.visitor.wants_duplicates() {
                    continue;
                }
                let read = self.reader.event_of(held, seq);
                let Some(event) = self.damage.readable(read)? else {
                    continue;
                };
                if !self.event(replay, &event, duplicate_of)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn event<'a>(
        &mut self,
        replay: &mut Replay<'a>,
        event: &Event<'a>,
        duplicate_of: Option<u64>,
    ) -> Result<bool, QueryError> {
        if !self.cascades_before(Some(Place::of(event)), replay)? {
            return Ok(false);
        }
        if !self.visitor.wants(event, duplicate_of, replay) {
            if duplicate_of.is_none() {
                replay.skip(event);
            }
            return Ok(true);
        }
        let since = replay.last.map(|(_, time)| time);
        let changes = match duplicate_of {
            Some(_) => Vec::new(),
            None => replay.step(event),
        };
        self.visitor.visit(Step {
            event: Some(event),
            is_cascade: false,
            duplicate_of,
            changes,
            replay,
            since,
        })
    }

    /// Applies the remaining deletes, and the baseline if no event came after it.
    pub fn finish(&mut self, replay: &mut Replay<'_>) -> Result<bool, QueryError> {
        if !self.cascades_before(None, replay)? {
            return Ok(false);
        }
        let last = self.track.seconds.1;
        if self.track.events.reaches_baseline(last) {
            replay.apply_baseline();
        }
        self.visitor.finish(replay)
    }

    /// Applies the deletes before a position, or all remaining ones.
    fn cascades_before(
        &mut self,
        place: Option<Place>,
        replay: &mut Replay<'_>,
    ) -> Result<bool, QueryError> {
        let is_before = |delete: &CascadeDelete| place.is_none_or(|place| delete.place < place);
        while let Some(delete) = self.cascades.next_if(is_before) {
            let since = replay.last.map(|(_, time)| time);
            let Some(changes) = replay.apply_cascade(delete.place) else {
                continue;
            };
            let event =
                self.delete
                    .event(delete, self.track.key, replay, self.reader, self.damage)?;
            let event = event.as_ref();
            if event.is_some_and(|event| !self.visitor.wants(event, None, replay)) {
                continue;
            }
            let step = Step {
                event,
                is_cascade: true,
                duplicate_of: None,
                changes,
                replay,
                since,
            };
            if !self.visitor.visit(step)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
