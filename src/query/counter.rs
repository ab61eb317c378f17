//! Shared parts of queries that count: counts for a bounded number of names, and
//! ranges of times or numbers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

/// Counts by name. Beyond a maximum number of names, all others are counted
/// together, so that senders of ever new names cannot exhaust memory.
#[derive(Clone, Debug)]
pub(super) struct BoundedCounter<K> {
    counts: HashMap<K, u64>,
    most: usize,
    others: u64,
}

impl<K: Eq + Hash> BoundedCounter<K> {
    /// A counter for at most this many distinct names.
    pub fn new(most: usize) -> Self {
        Self {
            counts: HashMap::new(),
            most,
            others: 0,
        }
    }

    /// Adds to the count of a name.
    pub fn add(&mut self, name: K, count: u64) {
        if self.counts.len() < self.most || self.counts.contains_key(&name) {
            *self.counts.entry(name).or_default() += count;
        } else {
            self.others += count;
        }
    }

    /// Merges another counter.
    pub fn join(&mut self, other: Self) {
        self.others += other.others;
        for (name, count) in other.counts {
            self.add(name, count);
        }
    }

    /// The counts by name.
    pub const fn counts(&self) -> &HashMap<K, u64> {
        &self.counts
    }

    /// The count of all names that are not counted separately.
    pub const fn others(&self) -> u64 {
        self.others
    }
}

impl<K: Eq + Hash + Ord> BoundedCounter<K> {
    /// The names by their counts, the highest first.
    pub fn ranked(self) -> Vec<(K, u64)> {
        ranked(self.counts)
    }
}

/// Names by their counts, the highest first.
pub(super) fn ranked<K: Ord>(counts: impl IntoIterator<Item = (K, u64)>) -> Vec<(K, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, more), (b, less)| Reverse(more).cmp(&Reverse(less)).then_with(|| a.cmp(b)));
    counts
}

/// The first and the last of some times, or numbers of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeRange<T>(Option<(T, T)>);

impl<T> Default for TimeRange<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord + Copy> TimeRange<T> {
    /// from one value to another.
    pub const fn of(first: T, last: T) -> Self {
        Self(Some((first, last)))
    }

    /// Extends it to include a value.
    pub fn add(&mut self, value: T) {
        self.join(Self::of(value, value));
    }

    /// Extends it to include another range.
    pub fn join(&mut self, other: Self) {
        self.0 = match (self.0, other.0) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    /// The lowest and the highest.
    pub const fn get(self) -> Option<(T, T)> {
        self.0
    }
}

impl<T: Ord + Copy + Default> TimeRange<T> {
    /// The same, or a pair of `None`.
    pub fn or_default(self) -> (T, T) {
        self.0.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_are_counted_together() {
        let mut counter = BoundedCounter::new(2);
        for name in ["b", "a", "c", "a", "d", "c"] {
            counter.add(name, 1);
        }
        let mut other = BoundedCounter::new(2);
        for name in ["d", "b", "x"] {
            other.add(name, 10);
        }
        counter.join(other);
        assert_eq!(counter.others(), 23);
        assert_eq!(counter.ranked(), [("b", 11), ("a", 2)]);
    }

    #[test]
    fn a_range_widens() {
        let mut range = TimeRange::default();
        assert_eq!((range.get(), range.or_default()), (None, (0, 0)));
        range.add(5);
        range.join(TimeRange::of(3, 4));
        range.join(TimeRange::default());
        assert_eq!(range.get(), Some((3, 5)));
    }
}
