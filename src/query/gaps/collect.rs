//! Collects unexplained changes in bounded memory.

use std::collections::HashMap;

use super::find::{Claims, Window};
use crate::event::{Event, ProfileKey};
use crate::history::{Cause, Change, Subject};
use crate::query::answer::QueryError;
use crate::query::changes::ChangeVisitor;
use crate::query::counter::{BoundedCounter, TimeRange};
use crate::query::interner::Interner;

/// The maximum number of windows that are analysed together; further events count
/// as scattered.
pub(super) const MAX_WINDOWS: usize = 200_000;

/// The maximum number of distinct fields and interests.
pub(super) const MAX_SUBJECTS: usize = 5_000;

/// The maximum number of distinct labels.
pub(super) const MAX_LABELS: usize = 5_000;

/// The maximum number of fields of one window.
const MAX_FIELDS: usize = 64;

/// The maximum number of labels whose calls are counted for a field.
const MAX_FIELD_LABELS: usize = 100;

/// Stands for all labels that are not counted separately.
const OTHER_LABEL: u32 = u32::MAX;

/// An event that reveals unexplained changes.
#[derive(Clone, Debug)]
pub(super) struct RevealingEvent {
    pub key: ProfileKey,
    pub seq: u64,
    /// The number of the event's label.
    pub label: u32,
}

/// Counts of a field's or an interest's changes.
#[derive(Clone, Debug)]
pub(super) struct SubjectCount {
    pub set: u64,
    pub unexplained: u64,
    pub profiles: u64,
    pub subprofiles: u64,
    /// The first second of a window and the last one of another.
    pub times: TimeRange<i64>,
    pub seqs: TimeRange<u64>,
    /// By the label's number: how many changes its calls claimed, and how many of
    /// its events revealed one.
    pub set_by: BoundedCounter<u32>,
    pub revealed_by: BoundedCounter<u32>,
    last_key: Option<ProfileKey>,
}

impl Default for SubjectCount {
    fn default() -> Self {
        Self {
            set: 0,
            unexplained: 0,
            profiles: 0,
            subprofiles: 0,
            times: TimeRange::default(),
            seqs: TimeRange::default(),
            set_by: BoundedCounter::new(MAX_FIELD_LABELS),
            revealed_by: BoundedCounter::new(MAX_FIELD_LABELS),
            last_key: None,
        }
    }
}

impl SubjectCount {
    /// Counts an unexplained change; those of a (sub)profile are consecutive.
    pub fn reveal(&mut self, key: ProfileKey, seq: u64, (since, until): (i64, i64), label: u32) {
        self.unexplained += 1;
        self.revealed_by.add(label, 1);
        self.times.join(TimeRange::of(since, until));
        self.seqs.add(seq);
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

/// The collected data of one thread or of all.
#[derive(Debug)]
pub(super) struct Collector {
    pub subjects: Interner<Subject<'static>>,
    pub counts: Vec<SubjectCount>,
    pub labels: Interner<Option<String>>,
    /// Those of a (sub)profile are consecutive.
    pub revealed: Vec<(Window, RevealingEvent)>,
    /// The number of events beyond these.
    pub left_out: u64,
    /// The number of changes of fields that are not counted separately.
    pub others: u64,
    /// The number of events whose labels are not counted separately.
    pub other_labels: u64,
    /// The times of the first and of the last event with a change.
    pub time_range: TimeRange<i64>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            subjects: Interner::new(MAX_SUBJECTS),
            counts: Vec::new(),
            labels: Interner::new(MAX_LABELS),
            revealed: Vec::new(),
            left_out: 0,
            others: 0,
            other_labels: 0,
            time_range: TimeRange::default(),
        }
    }
}

impl Collector {
    /// The number of a field or an interest; `None` if there are too many.
    fn subject(&mut self, subject: &Subject<'_>) -> Option<u32> {
        let numbers: &HashMap<Subject<'_>, u32> = self.subjects.numbers();
        if let Some(number) = numbers.get(subject) {
            return Some(*number);
        }
        let number = self.subjects.number(subject.to_owned())?;
        self.counts.push(SubjectCount::default());
        Some(number)
    }

    /// Merges another collection, whose (sub)profiles are different ones.
    pub fn join(&mut self, other: Self) {
        let subjects = other.subjects.iter();
        let subjects: Vec<Option<u32>> = subjects.map(|name| self.subject(name)).collect();
        let labels = other.labels.iter();
        let labels: Vec<Option<u32>> = labels
            .map(|name| self.labels.number(name.clone()))
            .collect();
        let label_of = |number: u32| {
            let label = labels.get(number as usize).copied().flatten();
            label.unwrap_or(OTHER_LABEL)
        };
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
            own.times.join(count.times);
            own.seqs.join(count.seqs);
            for (label, count) in count.set_by.counts() {
                own.set_by.add(label_of(*label), *count);
            }
            for (label, count) in count.revealed_by.counts() {
                own.revealed_by.add(label_of(*label), *count);
            }
        }
        let room = MAX_WINDOWS.saturating_sub(self.revealed.len());
        self.left_out += other.left_out + other.revealed.len().saturating_sub(room) as u64;
        self.others += other.others;
        self.other_labels += other.other_labels;
        self.time_range.join(other.time_range);
        let is_new_other = |label: u32| label != OTHER_LABEL && label_of(label) == OTHER_LABEL;
        let others = other.revealed.iter();
        let others = others.filter(|(_, event)| is_new_other(event.label));
        self.other_labels += others.count() as u64;
        let revealed = other.revealed.into_iter().take(room);
        self.revealed
            .extend(revealed.map(|(mut window, mut event)| {
                let fields = window.subjects.iter();
                let fields = fields.filter_map(|number| *subjects.get(*number as usize)?);
                window.subjects = fields.collect();
                event.label = label_of(event.label);
                (window, event)
            }));
    }

    fn count(&mut self, subject: u32, label: u32, event: &Event<'_>, cause: Cause) {
        let Some(count) = self.counts.get_mut(subject as usize) else {
            return;
        };
        match cause {
            Cause::Unexplained { since } => {
                count.reveal(event.key, event.seq, (since, event.time), label);
            }
            _ => {
                count.set += 1;
                count.set_by.add(label, 1);
            }
        }
    }
}

impl ChangeVisitor for Collector {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        self.time_range.add(event.time);
        let label = event.label.as_deref().map(str::to_owned);
        let label = self.labels.number(label).unwrap_or_else(|| {
            self.other_labels += 1;
            OTHER_LABEL
        });
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
                if subjects.len() < MAX_FIELDS {
                    subjects.push(subject);
                }
            }
        }
        let Some(since) = since else {
            return Ok(());
        };
        if self.revealed.len() >= MAX_WINDOWS {
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
        self.revealed
            .push((window, RevealingEvent { key, seq, label }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Content, EventType, TimeSource};
    use crate::history::Value;

    #[test]
    fn labels_of_strangers_are_bounded() {
        let mut all = Collector::default();
        for part in 0..3 {
            let mut one = Collector::default();
            for number in 0..MAX_LABELS as u64 {
                let event = Event {
                    seq: number + 1,
                    received: 0,
                    remote: None,
                    label: Some(format!("{part}-{number}").into()),
                    event_type: EventType::Update,
                    time: 7,
                    time_source: TimeSource::Time,
                    key: ProfileKey::profile(number),
                    database: None,
                    collection: None,
                    verified: None,
                    content: Content::default(),
                };
                let change = Change {
                    subject: Subject::Field("mail".into()),
                    old: None,
                    new: Value::Absent,
                    cause: Cause::Unexplained { since: 3 },
                };
                one.visit(&event, vec![change]).unwrap();
            }
            all.join(one);
        }
        assert_eq!(all.labels.iter().count(), MAX_LABELS);
        assert_eq!(all.counts[0].unexplained, 3 * MAX_LABELS as u64);
        assert!(all.counts[0].revealed_by.counts().len() <= MAX_FIELD_LABELS);
        assert!(all.revealed.last().unwrap().1.label == OTHER_LABEL);
    }
}
