//! Collects unexplained changes in bounded memory.

use super::find::Window;
use crate::event::Event;
use crate::history::{Cause, Change, Subject};
use crate::query::answer::QueryError;
use crate::query::changes::{self, ChangeVisitor};
use crate::query::counter::{BoundedCounter, BoundedMap, Extent, TimeRange, label_len};

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

/// Counts of a field's or an interest's changes.
#[derive(Clone, Debug)]
pub(super) struct SubjectCount {
    /// How many changes were claimed.
    pub set: u64,
    /// The events that revealed unexplained changes.
    pub revealed: Extent,
    /// The first second of a window and the last one of another.
    pub times: TimeRange<i64>,
    /// By the label's number: how many changes its calls claimed, and how many of
    /// its events revealed one.
    pub set_by: BoundedCounter<u32>,
    pub revealed_by: BoundedCounter<u32>,
}

impl Default for SubjectCount {
    fn default() -> Self {
        Self {
            set: 0,
            revealed: Extent::default(),
            times: TimeRange::default(),
            set_by: BoundedCounter::new(MAX_FIELD_LABELS, |_| 0),
            revealed_by: BoundedCounter::new(MAX_FIELD_LABELS, |_| 0),
        }
    }
}

impl SubjectCount {
    /// Counts an unexplained change.
    pub fn reveal(&mut self, window: &Window) {
        self.revealed.add_place(window.key, window.seq, false);
        self.revealed_by.add(window.label, 1);
        self.times.join(TimeRange::of(window.since, window.until));
    }
}

/// The collected data.
#[derive(Debug)]
pub(super) struct Collector {
    /// The others are unexplained changes.
    pub subjects: BoundedMap<Subject<'static>, SubjectCount>,
    /// The others are events.
    pub labels: BoundedMap<Option<String>, ()>,
    /// Those of a (sub)profile are consecutive.
    pub windows: Vec<Window>,
    /// The number of events beyond these.
    pub left_out: u64,
    /// The times of the first and of the last event with a change.
    pub time_range: TimeRange<i64>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            subjects: BoundedMap::new(MAX_SUBJECTS, |subject| subject.name().len()),
            labels: BoundedMap::new(MAX_LABELS, label_len),
            windows: Vec::new(),
            left_out: 0,
            time_range: TimeRange::default(),
        }
    }
}

impl changes::Collector for Collector {
    fn join(&mut self, other: Self) {
        let labels = other.labels.values.into_keys();
        let labels: Vec<Option<u32>> = labels
            .map(|name| self.labels.entry(name).map(|(number, ())| number))
            .collect();
        let label_of = |number: u32| {
            let label = labels.get(number as usize).copied().flatten();
            label.unwrap_or(OTHER_LABEL)
        };
        let mut subjects = Vec::new();
        for (subject, count) in other.subjects.values {
            let Some((number, own)) = self.subjects.entry(subject) else {
                self.subjects.others += count.revealed.events;
                subjects.push(None);
                continue;
            };
            subjects.push(Some(number));
            own.set += count.set;
            own.revealed.join(&count.revealed);
            own.times.join(count.times);
            for (label, count) in &count.set_by.values {
                own.set_by.add(label_of(*label), *count);
            }
            for (label, count) in &count.revealed_by.values {
                own.revealed_by.add(label_of(*label), *count);
            }
        }
        self.left_out += other.left_out;
        self.subjects.others += other.subjects.others;
        self.labels.others += other.labels.others;
        self.time_range.join(other.time_range);
        for mut window in other.windows {
            let label = label_of(window.label);
            self.labels.others += u64::from(label == OTHER_LABEL && window.label != OTHER_LABEL);
            window.label = label;
            let fields = window.subjects.iter();
            let fields = fields.filter_map(|number| *subjects.get(*number as usize)?);
            window.subjects = fields.collect();
            self.push(window);
        }
    }
}

impl Collector {
    fn push(&mut self, window: Window) {
        if self.windows.len() < MAX_WINDOWS {
            self.windows.push(window);
        } else {
            self.left_out += 1;
        }
    }

    /// The counts of a field or interest, by its number.
    pub fn count(&self, subject: u32) -> Option<(&Subject<'static>, &SubjectCount)> {
        self.subjects.values.get_index(subject as usize)
    }
}

impl ChangeVisitor for Collector {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        self.time_range.add(event.time);
        let label = event.label.as_deref().map(str::to_owned);
        let label = match self.labels.entry(label) {
            Some((label, ())) => label,
            None => {
                self.labels.others += 1;
                OTHER_LABEL
            }
        };
        let mut window = Window {
            since: 0,
            until: event.time,
            subjects: Vec::new(),
            key: event.key,
            seq: event.seq,
            label,
        };
        let mut is_revealing = false;
        for change in &changes {
            let since = match change.cause {
                Cause::Set => None,
                Cause::Unexplained { since } => Some(since),
                _ => continue,
            };
            let Some((subject, count)) = self.subjects.entry(change.subject.to_owned()) else {
                self.subjects.others += u64::from(since.is_some());
                continue;
            };
            let Some(since) = since else {
                count.set += 1;
                count.set_by.add(label, 1);
                continue;
            };
            window.since = since;
            count.reveal(&window);
            is_revealing = true;
            if window.subjects.len() < MAX_FIELDS {
                window.subjects.push(subject);
            }
        }
        if is_revealing {
            // Two events of one second have a moment between them.
            window.since = window.since.min(event.time.saturating_sub(1));
            self.push(window);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProfileKey;
    use crate::history::Value;
    use crate::query::changes::Collector as _;

    #[test]
    fn labels_of_strangers_are_bounded() {
        let mut all = Collector::default();
        for part in 0..3 {
            let mut one = Collector::default();
            for number in 0..MAX_LABELS as u64 {
                let event = Event {
                    seq: number + 1,
                    label: Some(format!("{part}-{number}").into()),
                    time: 7,
                    key: ProfileKey::profile(number),
                    ..Event::default()
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
        assert_eq!(all.labels.values.len(), MAX_LABELS);
        let (_, count) = all.count(0).unwrap();
        assert_eq!(count.revealed.events, 3 * MAX_LABELS as u64);
        assert!(count.revealed_by.values.len() <= MAX_FIELD_LABELS);
        assert!(all.windows.last().unwrap().label == OTHER_LABEL);
    }
}
