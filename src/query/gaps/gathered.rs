//! What is held of unexplained changes, in bounded memory.

use std::collections::HashMap;

use super::find::{Claims, Window};
use crate::event::{Event, ProfileKey};
use crate::history::{Cause, Change, Subject};
use crate::query::answer::QueryError;
use crate::query::changes::Gather;
use crate::query::names::Names;

/// The most windows that are looked at together: those of more events are told
/// as scattered.
pub(super) const WINDOWS: usize = 200_000;

/// The most fields and interests that are told apart.
pub(super) const SUBJECTS: usize = 5_000;

/// The most fields of one window.
const FIELDS: usize = 64;

/// The most labels whose calls are counted for a field.
const LABELS: usize = 100;

/// An event that shows what had changed unseen.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub key: ProfileKey,
    pub seq: u64,
    /// The event's label, by its number.
    pub label: u32,
}

/// Counts of a field's or an interest's changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub set: u64,
    pub unexplained: u64,
    pub profiles: u64,
    pub subprofiles: u64,
    /// The first second of a window and the last one of another.
    pub times: Option<(i64, i64)>,
    /// The first `seq` and the last.
    pub seqs: Option<(u64, u64)>,
    /// How many changes calls with a label claimed, and how many events with
    /// one showed, by the label's number.
    pub set_by: HashMap<u32, u64>,
    pub shown_by: HashMap<u32, u64>,
    last_key: Option<ProfileKey>,
}

fn widen<T: Ord + Copy>(bounds: &mut Option<(T, T)>, first: T, last: T) {
    *bounds = Some(match *bounds {
        None => (first, last),
        Some((low, high)) => (low.min(first), high.max(last)),
    });
}

fn add(counts: &mut HashMap<u32, u64>, number: u32, count: u64) {
    if counts.len() < LABELS || counts.contains_key(&number) {
        *counts.entry(number).or_default() += count;
    }
}

impl Counted {
    /// Counts an unexplained change; all of a (sub)profile come in a row.
    pub fn show(&mut self, key: ProfileKey, seq: u64, (since, until): (i64, i64), label: u32) {
        self.unexplained += 1;
        add(&mut self.shown_by, label, 1);
        widen(&mut self.times, since, until);
        widen(&mut self.seqs, seq, seq);
        if self.last_key != Some(key) {
            self.last_key = Some(key);
            match key.subprofile {
                None => self.profiles += 1,
                Some(_) => self.subprofiles += 1,
            }
        }
    }

    pub const fn claims(&self) -> Claims {
        Claims {
            set: self.set,
            unexplained: self.unexplained,
        }
    }
}

/// What has been found so far; of one thread, or of all.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub subjects: Names<Subject<'static>>,
    pub counts: Vec<Counted>,
    pub labels: Names<Option<String>>,
    /// All of a (sub)profile in a row.
    pub shown: Vec<(Window, Shown)>,
    /// How many events are not among those.
    pub left_out: u64,
    /// How many changes are of fields that are not told apart.
    pub others: u64,
    /// The times of the first and of the last event with a change.
    pub hull: Option<(i64, i64)>,
}

impl Gathered {
    /// The number of a field or an interest; `None` where there are too many.
    fn subject(&mut self, subject: &Subject<'_>) -> Option<u32> {
        let numbers: &HashMap<Subject<'_>, u32> = self.subjects.numbers();
        if let Some(number) = numbers.get(subject) {
            return Some(*number);
        }
        if self.counts.len() >= SUBJECTS {
            return None;
        }
        self.counts.push(Counted::default());
        Some(self.subjects.number(subject.to_owned()))
    }

    /// Adds what another has found, of other (sub)profiles.
    pub fn join(&mut self, other: Self) {
        let subjects: Vec<Option<u32>> = other
            .subjects
            .iter()
            .map(|name| self.subject(name))
            .collect();
        let labels: Vec<u32> = other
            .labels
            .iter()
            .map(|name| self.labels.number(name.clone()))
            .collect();
        let label_of = |number: &u32| labels.get(*number as usize).copied().unwrap_or_default();
        for (count, subject) in other.counts.into_iter().zip(&subjects) {
            let own = subject.and_then(|subject| self.counts.get_mut(subject as usize));
            let Some(own) = own else {
                self.others += count.unexplained;
                continue;
            };
            own.set += count.set;
            own.unexplained += count.unexplained;
            own.profiles += count.profiles;
            own.subprofiles += count.subprofiles;
            if let Some((first, last)) = count.times {
                widen(&mut own.times, first, last);
            }
            if let Some((first, last)) = count.seqs {
                widen(&mut own.seqs, first, last);
            }
            for (label, count) in &count.set_by {
                add(&mut own.set_by, label_of(label), *count);
            }
            for (label, count) in &count.shown_by {
                add(&mut own.shown_by, label_of(label), *count);
            }
        }
        let room = WINDOWS.saturating_sub(self.shown.len());
        self.left_out += other.left_out + other.shown.len().saturating_sub(room) as u64;
        self.others += other.others;
        if let Some((first, last)) = other.hull {
            widen(&mut self.hull, first, last);
        }
        let shown = other.shown.into_iter().take(room);
        self.shown.extend(shown.map(|(mut window, mut shown)| {
            let fields = window.subjects.iter();
            let fields = fields.filter_map(|number| *subjects.get(*number as usize)?);
            window.subjects = fields.collect();
            shown.label = label_of(&shown.label);
            (window, shown)
        }));
    }

    fn count(&mut self, subject: u32, label: u32, event: &Event<'_>, cause: Cause) {
        let Some(count) = self.counts.get_mut(subject as usize) else {
            return;
        };
        match cause {
            Cause::Unexplained { since } => {
                count.show(event.key, event.seq, (since, event.time), label);
            }
            _ => {
                count.set += 1;
                add(&mut count.set_by, label, 1);
            }
        }
    }
}

impl Gather for Gathered {
    fn take(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        widen(&mut self.hull, event.time, event.time);
        let label = self
            .labels
            .number(event.label.as_deref().map(str::to_owned));
        let mut subjects = Vec::new();
        let mut since = None;
        for change in &changes {
            if !matches!(change.cause, Cause::Set | Cause::Unexplained { .. }) {
                continue;
            }
            let Some(subject) = self.subject(&change.subject) else {
                self.others += u64::from(change.cause != Cause::Set);
                continue;
            };
            self.count(subject, label, event, change.cause);
            if let Cause::Unexplained { since: begun } = change.cause {
                since = Some(begun);
                if subjects.len() < FIELDS {
                    subjects.push(subject);
                }
            }
        }
        let Some(since) = since else {
            return Ok(());
        };
        if self.shown.len() >= WINDOWS {
            self.left_out += 1;
            return Ok(());
        }
        let window = Window {
            // Two events of one second have a moment between them.
            since: since.min(event.time.saturating_sub(1)),
            until: event.time,
            subjects,
        };
        let (key, seq) = (event.key, event.seq);
        self.shown.push((window, Shown { key, seq, label }));
        Ok(())
    }
}
