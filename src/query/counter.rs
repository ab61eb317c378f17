//! Shared parts of queries that count: values for a bounded number of names, what
//! something concerns, ranges of times or numbers, and values that represent many.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::Hash;

use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::event::{Event, ProfileKey};
use crate::history::Value;

/// The length of a label.
pub(super) fn label_len(label: &Option<String>) -> usize {
    label.as_ref().map_or(0, String::len)
}

/// The maximum number of bytes of all names of a [`BoundedMap`].
const NAMES_LEN: usize = 4 << 20;

/// The count of a name.
pub(super) trait Counted: Default {
    /// Adds another count.
    fn join(&mut self, other: Self);

    /// How much is left out if there is no room for the name.
    fn count(&self) -> u64;
}

impl Counted for u64 {
    fn join(&mut self, other: Self) {
        *self += other;
    }

    fn count(&self) -> u64 {
        *self
    }
}

/// Values by name, numbered in order of first use. The number of names and their
/// bytes are bounded, so that senders of ever new or long names cannot exhaust
/// memory.
#[derive(Clone, Debug)]
pub(super) struct BoundedMap<K, V> {
    /// The names and values in the order of their numbers.
    pub values: IndexMap<K, V>,
    /// The total count of all names beyond the limit.
    pub others: u64,
    most: usize,
    /// The length of a name in bytes, as far as it comes from a sender.
    len_of: fn(&K) -> usize,
    names_len: usize,
}

/// Counts by name.
pub(super) type BoundedCounter<K> = BoundedMap<K, u64>;

impl<K: Eq + Hash, V: Default> BoundedMap<K, V> {
    /// A map for at most this many names of such lengths.
    pub fn new(most: usize, len_of: fn(&K) -> usize) -> Self {
        Self {
            values: IndexMap::new(),
            others: 0,
            most,
            len_of,
            names_len: 0,
        }
    }

    /// The number and the value of a name, which is added if there is room;
    /// otherwise `None`.
    pub fn entry(&mut self, name: K) -> Option<(u32, &mut V)> {
        let (number, value) = match self.values.entry(name) {
            Entry::Occupied(known) => (known.index(), known.into_mut()),
            Entry::Vacant(new) => {
                let names_len = self.names_len + (self.len_of)(new.key());
                if new.index() >= self.most || names_len > NAMES_LEN {
                    return None;
                }
                self.names_len = names_len;
                (new.index(), new.insert(V::default()))
            }
        };
        Some((u32::try_from(number).ok()?, value))
    }
}

impl<K: Eq + Hash, V: Counted> BoundedMap<K, V> {
    /// Adds to the count of a name.
    pub fn add(&mut self, name: K, value: V) {
        match self.entry(name) {
            Some((_, own)) => own.join(value),
            None => self.others += value.count(),
        }
    }

    /// Merges another map.
    pub fn join(&mut self, other: Self) {
        self.others += other.others;
        for (name, value) in other.values {
            self.add(name, value);
        }
    }
}

impl<K: Ord> BoundedCounter<K> {
    /// The names by their counts, the highest first.
    pub fn ranked(self) -> Vec<(K, u64)> {
        ranked(self.values)
    }
}

/// Names by their counts, the highest first.
pub(super) fn ranked<K: Ord>(counts: impl IntoIterator<Item = (K, u64)>) -> Vec<(K, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, more), (b, less)| Reverse(more).cmp(&Reverse(less)).then_with(|| a.cmp(b)));
    counts
}

/// The events and (sub)profiles that something concerns. As all changes of a
/// (sub)profile are consecutive, and with cascade also those of a profile and its
/// subprofiles, they are counted exactly without remembering all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    pub events: u64,
    pub profiles: u64,
    pub subprofiles: u64,
    /// The times of the first and the last event.
    pub times: TimeRange<i64>,
    /// The lowest and the highest `seq`.
    pub seqs: TimeRange<u64>,
    /// The last counted item.
    last: Option<(ProfileKey, u64)>,
    /// The deletes of the last profile; each may end several subprofiles.
    deletes: HashSet<u64>,
}

impl Extent {
    /// Counts an event; it may have been counted just before.
    pub fn add(&mut self, event: &Event<'_>) {
        self.times.add(event.time);
        self.add_place(event.key, event.seq, event.event_type.is_end());
    }

    /// Counts an event without its time.
    pub fn add_place(&mut self, key: ProfileKey, seq: u64, is_end: bool) {
        let last = self.last.replace((key, seq));
        if last.is_none_or(|(last, _)| last.profile != key.profile) {
            self.deletes.clear();
        }
        let is_new = match is_end {
            // A profile's delete recurs as that of each subprofile that it ends.
            true => self.deletes.insert(seq),
            false => last.is_none_or(|(_, last)| last != seq),
        };
        self.events += u64::from(is_new);
        self.seqs.add(seq);
        if last.is_none_or(|(last, _)| last != key) {
            match key.subprofile {
                None => self.profiles += 1,
                Some(_) => self.subprofiles += 1,
            }
        }
    }

    /// Merges that of other (sub)profiles.
    pub fn join(&mut self, other: &Self) {
        self.events += other.events;
        self.profiles += other.profiles;
        self.subprofiles += other.subprofiles;
        self.times.join(other.times);
        self.seqs.join(other.seqs);
    }
}

/// The first and the last of some times, or numbers of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeRange<T>(Option<(T, T)>);

impl<T: Ord + Copy + Default> TimeRange<T> {
    /// The range from one value to another.
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

    /// The same, or a pair of `None`.
    pub fn or_default(self) -> (T, T) {
        self.0.unwrap_or_default()
    }
}

/// The maximum number of bytes of a kept value.
const LONGEST: usize = 1024;

/// A value for an answer that summarizes many; one of more than 1,024 bytes is
/// truncated and ends with an ellipsis.
pub(super) fn sample(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Text(text) if text.len() > LONGEST => {
            let mut end = LONGEST;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let kept = text.get(..end).unwrap_or_default();
            Value::Text(Cow::Owned(format!("{kept}…")))
        }
        value => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_are_counted_together() {
        let mut counter = BoundedCounter::new(2, |name: &&str| name.len());
        for name in ["b", "a", "c", "a", "d", "c"] {
            counter.add(name, 1);
        }
        let mut other = BoundedCounter::new(2, |name: &&str| name.len());
        for name in ["d", "b", "x"] {
            other.add(name, 10);
        }
        counter.join(other);
        assert_eq!(counter.others, 23);
        assert_eq!(counter.ranked(), [("b", 11), ("a", 2)]);
    }

    #[test]
    fn long_names_are_counted_together_once_they_have_too_many_bytes() {
        let names: Vec<String> = (0..6)
            .map(|n| n.to_string().repeat(NAMES_LEN / 4))
            .collect();
        let mut counter = BoundedCounter::new(100, |name: &&str| name.len());
        for name in names.iter().chain(&names) {
            counter.add(name.as_str(), 1);
        }
        assert_eq!((counter.values.len(), counter.others), (4, 4));
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

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = |text: String| Value::Text(Cow::Owned(text));
        assert_eq!(sample(&text("é".repeat(512))), text("é".repeat(512)));
        let long = text(format!("a{}", "é".repeat(512)));
        assert_eq!(sample(&long), text(format!("a{}…", "é".repeat(511))));
        assert_eq!(sample(&Value::Absent), Value::Absent);
    }
}
