//! The intervals in which a (sub)profile held what is looked for.
//!
//! They are the ones between the changes of the field or the interest, as
//! `changes` tells them, and a `delete`, which leaves no value. What comes before
//! a baseline stands alone: of it only the moment is known.

use super::wanted::Wanted;
use crate::event::Event;
use crate::history::{Baseline, Cause, Known, Place, Replay, Subject, Value};

/// The time and the `seq` of an event.
pub(super) type Moment = (i64, u64);

/// An interval of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub value: Value<'static>,
    pub since: Moment,
    pub cause: Cause,
    /// The end; `None` while it lasts.
    pub until: Option<Moment>,
}

impl Interval {
    /// Whether it holds after all events of a time.
    pub fn holds_at(&self, time: i64) -> bool {
        self.since.0 <= time && self.until.is_none_or(|(until, _)| time < until)
    }
}

/// Follows a (sub)profile's history; fed with its events in order.
pub(super) struct Follow<'w> {
    wanted: &'w Wanted,
    replay: Replay<'static>,
    /// The baseline's place, until it is taken up.
    baseline: Option<Place>,
    open: Option<Interval>,
    /// Those that are whole and were not told yet.
    done: Vec<Interval>,
}

impl<'w> Follow<'w> {
    pub fn new(wanted: &'w Wanted, baseline: Option<Baseline>) -> Self {
        Self {
            wanted,
            baseline: baseline.as_ref().map(|baseline| baseline.place),
            replay: Replay::after(baseline),
            open: None,
            done: Vec::new(),
        }
    }

    /// Takes the next event, which is no duplicate.
    pub fn step(&mut self, event: &Event<'static>) {
        if self.baseline.is_some_and(|place| Place::of(event) >= place) {
            self.take_up();
        }
        let now = (event.time, event.seq);
        let changes = self.replay.step(event);
        let after = self.present();
        for change in changes {
            if change.subject != *self.wanted.subject() {
                continue;
            }
            self.close(now);
            if self.wanted.holds(&change.new) {
                let lasts = after.as_ref() == Some(&change.new);
                let interval = Interval {
                    value: change.new,
                    since: now,
                    cause: change.cause,
                    until: (!lasts).then_some(now),
                };
                if lasts {
                    self.open = Some(interval);
                } else {
                    self.done.push(interval);
                }
            }
        }
        if after.is_none() {
            self.close(now);
        }
    }

    /// What was held when the events before were pruned.
    fn take_up(&mut self) {
        let Some(place) = self.baseline.take() else {
            return;
        };
        self.replay.take_up();
        let value = self.present();
        self.open = value
            .filter(|value| self.wanted.holds(value))
            .map(|value| Interval {
                value,
                since: (place.time, place.seq),
                cause: Cause::Baseline,
                until: None,
            });
    }

    /// What the field or the interest is now, where it is there.
    fn present(&self) -> Option<Value<'static>> {
        let Known::Present(state) = &self.replay.known else {
            return None;
        };
        match self.wanted.subject() {
            Subject::Field(name) => state.fields.get(name).cloned().map(Value::Text),
            Subject::Interest(name) => state
                .interests
                .contains(name)
                .then_some(Value::Member(true)),
        }
    }

    fn close(&mut self, now: Moment) {
        if let Some(open) = self.open.take() {
            self.done.push(Interval {
                until: Some(now),
                ..open
            });
        }
    }

    /// To be called after the last event: what lasts is whole then.
    pub fn finish(&mut self) {
        self.take_up();
        self.done.extend(self.open.take());
    }

    /// The intervals that are whole, in their order; those before were told.
    pub fn done(&mut self) -> std::vec::Drain<'_, Interval> {
        self.done.drain(..)
    }

    /// The database and the collection as last named.
    pub const fn attributes(&self) -> (Option<u64>, Option<u64>) {
        (self.replay.database, self.replay.collection)
    }
}
