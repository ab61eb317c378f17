//! For every present field and interest, the last change of it.

use std::collections::HashMap;

use super::baseline::Place;
use super::change::{Cause, Change, Subject, Value};
use super::replay::State;
use crate::event::{Event, EventType};

/// The last change of one field or interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlameRow<'a> {
    /// The event's `seq`.
    pub seq: u64,
    /// The event's time in Unix seconds.
    pub time: i64,
    /// The event's type.
    pub event_type: EventType,
    /// What it changed.
    pub change: Change<'a>,
}

impl BlameRow<'_> {
    const fn place(&self) -> Place {
        Place {
            time: self.time,
            rank: self.event_type.rank(),
            seq: self.seq,
        }
    }
}

/// Gathers the last change of everything, fed with the events in order.
#[derive(Debug, Default)]
pub struct Blame<'a> {
    last: HashMap<Subject<'a>, BlameRow<'a>>,
}

impl Blame<'static> {
    /// Takes the changes of the next event.
    pub fn step(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) {
        for change in changes {
            let change = change.to_owned();
            let row = BlameRow {
                seq: event.seq,
                time: event.time,
                event_type: event.event_type.clone(),
                change: change.clone(),
            };
            self.last.insert(change.subject, row);
        }
    }
}

impl<'a> Blame<'a> {
    /// The rows of what is present in a state: fields in its order, then
    /// interests in name order. `baseline` is the place of the pruned event that
    /// stands for whatever none after it has changed.
    pub fn rows(mut self, state: &State<'a>, baseline: Option<Place>) -> Vec<BlameRow<'a>> {
        let fields = state.fields.iter();
        let fields =
            fields.map(|(name, value)| (Subject::Field(name.clone()), Value::Text(value.clone())));
        let interests = state.interests.iter();
        let interests =
            interests.map(|name| (Subject::Interest(name.clone()), Value::Member(true)));
        let mut rows = Vec::new();
        for (subject, value) in fields.chain(interests) {
            let row = self.last.remove(&subject);
            let row = row.filter(|row| Some(row.place()) > baseline).or_else(|| {
                baseline.map(|Place { time, seq, .. }| BlameRow {
                    seq,
                    time,
                    event_type: "baseline".into(),
                    change: Change {
                        subject,
                        old: None,
                        new: value,
                        cause: Cause::Baseline,
                    },
                })
            });
            rows.extend(
                row.filter(|row| !matches!(row.change.new, Value::Absent | Value::Member(false))),
            );
        }
        rows
    }
}
