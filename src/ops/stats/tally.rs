//! Counting by name, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::lines::Count;
use crate::event::{Event, Zone, local_date};
use crate::log::record::EventHead;

/// The most names of one kind that are counted.
const MAX_NAMES: usize = 10_000;

/// How long a day is in seconds.
const DAY: i64 = 86_400;

/// Counts by name; names beyond a bound are not counted.
#[derive(Clone, Debug)]
pub(super) struct Counter<N> {
    counts: HashMap<N, u64>,
    /// Whether there were more names.
    pub capped: bool,
}

impl<N> Default for Counter<N> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
            capped: false,
        }
    }
}

impl<N: Eq + Hash> Counter<N> {
    fn add(&mut self, name: N, count: u64) {
        if let Some(known) = self.counts.get_mut(&name) {
            *known += count;
        } else if self.counts.len() < MAX_NAMES {
            self.counts.insert(name, count);
        } else {
            self.capped = true;
        }
    }

    fn join(&mut self, other: Self) {
        self.capped |= other.capped;
        for (name, count) in other.counts {
            self.add(name, count);
        }
    }
}

impl<N: ToString + Ord> Counter<N> {
    /// The most frequent first.
    pub fn ranked(self) -> Vec<Count> {
        let mut counts: Vec<(N, u64)> = self.counts.into_iter().collect();
        counts.sort_by(|(a, more), (b, less)| less.cmp(more).then_with(|| a.cmp(b)));
        counts
            .into_iter()
            .map(|(name, events)| Count {
                name: name.to_string(),
                events,
            })
            .collect()
    }
}

impl Counter<i64> {
    /// Sorted.
    pub fn ordered(&self) -> BTreeMap<i64, u64> {
        self.counts
            .iter()
            .map(|(key, count)| (*key, *count))
            .collect()
    }
}

/// The counts of events.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub events: u64,
    pub rejected: u64,
    pub pruned: u64,
    pub body_bytes: u64,
    /// The first and the last, in Unix seconds.
    pub times: Option<(i64, i64)>,
    /// In Unix microseconds.
    pub received: Option<(i64, i64)>,
    /// By the day's number since 1970.
    pub days: Counter<i64>,
    pub types: Counter<String>,
    /// The empty name means no label; no label is empty.
    pub labels: Counter<String>,
    pub databases: Counter<u64>,
    /// Fields and interests that updates name among their parameters.
    pub fields: Counter<String>,
    /// Records that cannot be read.
    pub missing: Vec<crate::store::Missing>,
}

impl Tally {
    /// Counts an event by its head and the length of its body.
    pub fn add(&mut self, head: &EventHead<'_>, body_len: usize, zone: Zone) {
        self.events += 1;
        self.body_bytes += body_len as u64;
        self.times = span(self.times, Some((head.time, head.time)));
        self.received = span(self.received, Some((head.received, head.received)));
        let day = match zone {
            Zone::UTC => head.time.div_euclid(DAY),
            zone => local_date(zone, head.time).to_epoch_days().into(),
        };
        self.days.add(day, 1);
        self.types.add(head.event_type.to_owned(), 1);
        self.labels
            .add(head.label.unwrap_or_default().to_owned(), 1);
        if let Some(database) = head.database {
            self.databases.add(database, 1);
        }
    }

    /// Counts the parameters of an update.
    pub fn add_names(&mut self, event: Event) {
        for name in event.content.parameters.keys() {
            self.fields.add(name.to_string(), 1);
        }
    }

    /// Adds the counts of another tally.
    pub fn join(&mut self, other: Self) {
        self.events += other.events;
        self.rejected += other.rejected;
        self.pruned += other.pruned;
        self.body_bytes += other.body_bytes;
        self.times = span(self.times, other.times);
        self.received = span(self.received, other.received);
        self.days.join(other.days);
        self.types.join(other.types);
        self.labels.join(other.labels);
        self.databases.join(other.databases);
        self.fields.join(other.fields);
        self.missing.extend(other.missing);
    }
}

fn span(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some((first, last)), Some((least, greatest))) => {
            Some((first.min(least), last.max(greatest)))
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_are_not_counted() {
        let mut counter = Counter::default();
        for number in 0..MAX_NAMES as u64 + 5 {
            counter.add(number, 1);
        }
        counter.add(3, 5);
        assert!(counter.capped);
        let ranked = counter.ranked();
        assert_eq!(ranked.len(), MAX_NAMES);
        assert_eq!((ranked[0].name.as_str(), ranked[0].events), ("3", 6));
    }
}
