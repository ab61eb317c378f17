//! What a replay passes to its visitor.

use crate::event::Event;
use crate::history::{Change, Interval, IntervalBuilder, Place, Replay};
use crate::query::answer::QueryError;

/// What happened to a (sub)profile.
#[derive(Clone, Copy)]
pub(in crate::query) enum What<'s, 'a> {
    Event(&'s Event<'a>),
    /// An event that repeats another one and changes nothing.
    Duplicate {
        event: &'s Event<'a>,
        /// The `seq` of the event it repeats.
        of: u64,
    },
    /// The profile's delete, as an event of the subprofile that it ends.
    Cascade(&'s Event<'a>),
    /// A delete of the profile that was pruned or is unreadable: only its position
    /// is known.
    UnseenCascade(Place),
}

/// One step of a replay.
pub(in crate::query) struct Step<'s, 'a> {
    pub what: What<'s, 'a>,
    pub changes: Vec<Change<'a>>,
    /// The state after it.
    pub replay: &'s Replay<'a>,
    /// The time of the event before it.
    pub since: Option<i64>,
}

impl<'s, 'a> Step<'s, 'a> {
    /// The event, including the delete of a cascade; `None` if it cannot be shown.
    pub const fn event(&self) -> Option<&'s Event<'a>> {
        match self.what {
            What::Event(event) | What::Duplicate { event, .. } | What::Cascade(event) => {
                Some(event)
            }
            What::UnseenCascade(_) => None,
        }
    }

    /// The `seq` that the event repeats.
    pub const fn duplicate_of(&self) -> Option<u64> {
        match self.what {
            What::Duplicate { of, .. } => Some(of),
            _ => None,
        }
    }
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
        match step.what {
            What::Event(event) | What::Cascade(event) => {
                self.step(event, &step.changes, step.replay, step.since)
            }
            What::UnseenCascade(place) => self.unseen_cascade(place, step.replay),
            What::Duplicate { .. } => Vec::new(),
        }
    }
}
