//! The counts of events.

use chrono::NaiveDate;

use crate::event::{Zone, local_date};
use crate::log::record::EventHead;
use crate::query::counter::{BoundedCounter, TimeRange};

/// The most names of one kind that are counted.
const MAX_NAMES: usize = 10_000;

/// The counts of events.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub events: u64,
    pub rejected: u64,
    pub pruned: u64,
    pub body_bytes: u64,
    /// The first and the last, in Unix seconds.
    pub times: TimeRange<i64>,
    /// In Unix microseconds.
    pub received: TimeRange<i64>,
    pub days: BoundedCounter<NaiveDate>,
    pub types: BoundedCounter<String>,
    /// The empty name means no label; no label is empty.
    pub labels: BoundedCounter<String>,
    pub databases: BoundedCounter<u64>,
    /// Fields and interests that updates name among their parameters.
    pub fields: BoundedCounter<String>,
}

impl Default for Tally {
    fn default() -> Self {
        let names = || BoundedCounter::new(MAX_NAMES, String::len);
        Self {
            events: 0,
            rejected: 0,
            pruned: 0,
            body_bytes: 0,
            times: TimeRange::default(),
            received: TimeRange::default(),
            days: BoundedCounter::new(MAX_NAMES, |_| 0),
            types: names(),
            labels: names(),
            databases: BoundedCounter::new(MAX_NAMES, |_| 0),
            fields: names(),
        }
    }
}

impl Tally {
    /// Counts an event by its head and the length of its body.
    pub fn add(&mut self, head: &EventHead<'_>, body_len: usize, zone: Zone) {
        self.events += 1;
        self.body_bytes += body_len as u64;
        self.times.add(head.time);
        self.received.add(head.received);
        self.days.add(local_date(zone, head.time), 1);
        self.types.add(head.event_type.to_owned(), 1);
        self.labels
            .add(head.label.unwrap_or_default().to_owned(), 1);
        if let Some(database) = head.database {
            self.databases.add(database, 1);
        }
    }

    /// Adds the counts of another tally.
    pub fn join(&mut self, other: Self) {
        self.events += other.events;
        self.rejected += other.rejected;
        self.pruned += other.pruned;
        self.body_bytes += other.body_bytes;
        self.times.join(other.times);
        self.received.join(other.received);
        self.days.join(other.days);
        self.types.join(other.types);
        self.labels.join(other.labels);
        self.databases.join(other.databases);
        self.fields.join(other.fields);
    }
}
