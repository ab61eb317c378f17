//! For every present field and interest, the last change of it.

use std::collections::HashMap;

use super::change::{Change, Subject, Value};
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

/// Gathers the last change of everything, fed with the events in order.
#[derive(Debug, Default)]
pub struct Blame<'a> {
    last: HashMap<Subject<'a>, BlameRow<'a>>,
}

impl<'a> Blame<'a> {
    /// Takes the changes of the next event.
    pub fn step(&mut self, event: &Event<'a>, changes: Vec<Change<'a>>) {
        for change in changes {
            let row = BlameRow {
                seq: event.seq,
                time: event.time,
                event_type: event.event_type.clone(),
                change: change.clone(),
            };
            self.last.insert(change.subject, row);
        }
    }

    /// The rows of what is present in a state: fields in its order, then
    /// interests in name order.
    pub fn rows(mut self, state: &State<'a>) -> Vec<BlameRow<'a>> {
        let fields = state.fields.keys().cloned().map(Subject::Field);
        let interests = state.interests.iter().cloned().map(Subject::Interest);
        fields
            .chain(interests)
            .filter_map(|subject| self.last.remove(&subject))
            .filter(|row| !matches!(row.change.new, Value::Absent | Value::Member(false)))
            .collect()
    }
}
