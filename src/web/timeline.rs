//! The timeline of a (sub)profile: the values of each field and interest over time.
//!
//! It takes the state at its start and then the events of its span, in order. Each row
//! has a resolution of [`PARTS`] positions: changes at one position become one mark with
//! a count. If there are still more than [`MARKS`] marks, positions are merged. So
//! neither memory nor the drawing grows with the number of events.

use indexmap::IndexMap;

use super::scale::Scale;
use super::text::{Name, Shown, values};
use crate::format::seconds_of;
use crate::history::{Cause, Subject};
use crate::query::lines::{HistoryLine, ShowLine};

/// How many places a line has.
pub const PARTS: u32 = 480;

/// The most rows.
pub const ROWS: usize = 60;

/// The most marks.
pub const MARKS: usize = 1500;

/// The longest name in bytes of a row.
const NAME_LEN: usize = 1000;

/// The most characters of a value.
const VALUE: usize = 60;

/// A place at which a row's value becomes another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The place, of [`PARTS`].
    pub part: u32,
    /// How many changes are here.
    pub count: u32,
    /// The event of the last of them.
    pub seq: u64,
    /// That event's time.
    pub time: i64,
    /// The value before the first of them.
    pub old: Shown,
    /// The value after the last of them.
    pub new: Shown,
    /// Why: the last cause, or the first of several that is `unexplained` or `observed`;
    /// `None` if the (sub)profile was deleted.
    pub cause: Option<Cause>,
}

/// A field or an interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: Name,
    /// Its value at the beginning.
    pub before: Shown,
    /// Its changes, in order.
    pub marks: Vec<Mark>,
}

impl Row {
    fn value(&self) -> &Shown {
        self.marks.last().map_or(&self.before, |mark| &mark.new)
    }

    /// Adds a mark, or its change to the mark that is at its place.
    fn push(&mut self, mark: Mark) {
        match self.marks.last_mut() {
            Some(last) if last.part == mark.part => last.absorb(mark),
            _ => self.marks.push(mark),
        }
    }
}

impl Mark {
    /// Takes a later one at the same place.
    fn absorb(&mut self, later: Self) {
        // It changed at another moment than that of the event.
        let unseen = self.cause.is_some_and(|cause| cause.since().is_some());
        if !unseen || later.cause.is_none() {
            self.cause = later.cause;
        }
        self.count = self.count.saturating_add(later.count);
        (self.seq, self.time, self.new) = (later.seq, later.time, later.new);
    }
}

/// Whether an event ends its (sub)profile.
pub fn ends(line: &HistoryLine<'_>) -> bool {
    match line.observed.as_deref() {
        Some(observed) => observed == "gone",
        None => line.event_type == "delete",
    }
}

/// A timeline of the events added so far.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub scale: Scale,
    /// In the order of their first change.
    pub rows: IndexMap<Subject<'static>, Row>,
    /// How many events it has, without duplicates.
    pub events: u64,
    /// How many changes are in its rows.
    pub changes: u64,
    /// How many changes are of rows for which there was no room.
    pub left_out: u64,
    /// The value of a row before its first change, if the change does not name it.
    before: Shown,
    is_full: bool,
    /// If set, only this row is drawn.
    only: Option<Subject<'static>>,
}

impl Timeline {
    /// The timeline of a span. `before` is the state just before it; `only` limits it to one field
    /// or interest.
    pub fn new(scale: Scale, before: Option<&ShowLine<'_>>, only: Option<&Subject<'_>>) -> Self {
        let known = before.is_some_and(|show| show.state != "unknown");
        let mut timeline = Self {
            scale,
            rows: IndexMap::new(),
            events: 0,
            changes: 0,
            left_out: 0,
            before: if known { Shown::Absent } else { Shown::Unknown },
            is_full: false,
            only: only.map(Subject::to_owned),
        };
        for (subject, value) in before.into_iter().flat_map(|show| values(show, VALUE)) {
            timeline.begin(&subject, value);
        }
        timeline
    }

    /// A row, made if it is wanted and there is room.
    fn begin(&mut self, subject: &Subject<'_>, before: Shown) -> Option<&mut Row> {
        if subject.name().len() > NAME_LEN || !self.is_wanted(subject) {
            return None;
        }
        let subject = subject.to_owned();
        if self.rows.len() >= ROWS && !self.rows.contains_key(&subject) {
            self.is_full = true;
            return None;
        }
        let row = self.rows.entry(subject);
        Some(row.or_insert_with_key(|subject| Row {
            name: Name::of(subject),
            before,
            marks: Vec::new(),
        }))
    }

    fn is_wanted(&self, subject: &Subject<'_>) -> bool {
        self.only.as_ref().is_none_or(|only| only == subject)
    }

    pub fn take(&mut self, line: &HistoryLine<'_>) {
        if line.duplicate_of.is_some() {
            return;
        }
        self.events += 1;
        let time = seconds_of(&line.time).unwrap_or(self.scale.from);
        let part = self.scale.part(time, PARTS);
        for change in &line.changes {
            if !self.is_wanted(&change.subject) {
                continue;
            }
            let old = match &change.old {
                Some(old) => Shown::of(Some(old), VALUE),
                None => self.before.clone(),
            };
            let mark = Mark {
                part,
                count: 1,
                seq: line.seq,
                time,
                old: Shown::of(change.old.as_ref(), VALUE),
                new: Shown::of(Some(&change.new), VALUE),
                cause: Some(change.cause),
            };
            match self.begin(&change.subject, old) {
                Some(row) => {
                    row.push(mark);
                    self.changes += 1;
                }
                None => self.left_out += 1,
            }
        }
        if ends(line) {
            self.end_all(part, line.seq, time);
        }
    }

    /// Ends the values of all rows: the (sub)profile was deleted.
    fn end_all(&mut self, part: u32, seq: u64, time: i64) {
        for (subject, row) in &mut self.rows {
            let old = row.value().clone();
            if !matches!(old, Shown::Absent | Shown::Member(false)) {
                row.push(Mark {
                    part,
                    count: 1,
                    seq,
                    time,
                    old,
                    new: match subject {
                        Subject::Field(_) => Shown::Absent,
                        Subject::Interest(_) => Shown::Member(false),
                    },
                    cause: None,
                });
            }
        }
    }

    /// Whether rows are left out.
    pub const fn is_cut(&self) -> bool {
        self.is_full || self.left_out > 0
    }

    pub fn marks(&self) -> usize {
        self.rows.values().map(|row| row.marks.len()).sum()
    }

    /// Merges every two places into one until there are at most [`MARKS`] marks.
    pub fn finish(mut self) -> Self {
        let mut together = 1;
        while self.marks() > MARKS && together < PARTS {
            together *= 2;
            for row in self.rows.values_mut() {
                for mut mark in std::mem::take(&mut row.marks) {
                    mark.part = mark.part / together * together;
                    row.push(mark);
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
