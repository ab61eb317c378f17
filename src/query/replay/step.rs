//! The steps that a replay passes to its visitor.

use crate::event::Event;
use crate::history::{Change, Interval, IntervalBuilder, Replay};
use crate::query::answer::QueryError;

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
    /// the profile's delete. If not, it is applied to the state but not visited.
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
