//! Counts the (sub)profiles with changes by field and time, in bounded memory: counts
//! beyond the limit are sorted on disk.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Found;
use super::detect::{Cell, Detector, Rule};
use crate::event::{Event, ProfileKey};
use crate::history::{Change, Subject};
use crate::query::answer::QueryError;
use crate::query::changes::ChangeVisitor;
use crate::query::counter::{BoundedMap, TimeRange};
use crate::store::{Snapshot, Sorter};

/// The maximum number of distinct fields, per database and collection.
pub(super) const GROUPS: usize = 2_000;

/// The maximum number of counts in memory.
const CELLS: usize = 200_000;

/// A field of a database's profiles, or of a collection's subprofiles.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Group {
    pub subject: Subject<'static>,
    pub database: Option<u64>,
    pub collection: Option<u64>,
    pub subprofiles: bool,
}

impl Group {
    /// The field that an event has changed.
    fn of(event: &Event<'_>, change: &Change<'_>) -> Self {
        Self {
            subject: change.subject.to_owned(),
            database: event.database,
            collection: event.collection,
            subprofiles: event.key.subprofile.is_some(),
        }
    }

    /// Whether an event can change it.
    pub fn is_of(&self, event: &Event<'_>) -> bool {
        self.database == event.database
            && self.collection == event.collection
            && self.subprofiles == event.key.subprofile.is_some()
    }
}

/// The counts of all threads.
pub(super) struct Counts<'t> {
    /// The length of a slice in seconds.
    slice: i64,
    /// If set, only fields with this word in an incident's name are counted.
    wanted: Option<&'t str>,
    /// The others are changes.
    pub groups: BoundedMap<Group, ()>,
    /// By group and slice.
    cells: HashMap<(u32, i64), u32>,
    sorter: Sorter<(u32, i64, u32)>,
    /// The times of the first and of the last event with a change.
    pub time_range: TimeRange<i64>,
}

impl<'t> Counts<'t> {
    pub fn new(snapshot: &Snapshot<'_>, slice: i64, wanted: Option<&'t str>) -> Self {
        Self {
            slice: slice.max(1),
            wanted,
            groups: BoundedMap::new(GROUPS, |group| group.subject.name().len()),
            cells: HashMap::new(),
            sorter: Sorter::new(snapshot.trail().folder().path()),
            time_range: TimeRange::default(),
        }
    }

    fn spill(&mut self) -> Result<(), QueryError> {
        for ((number, slice), count) in self.cells.drain() {
            self.sorter.push((number, slice, count), &[])?;
        }
        Ok(())
    }

    /// The bursts of each field.
    pub fn bursts(mut self, rule: Rule) -> Result<Vec<Found>, QueryError> {
        self.spill()?;
        let mut sorted = self.sorter.sorted()?;
        let mut next = sorted.next()?;
        let mut found = Vec::new();
        for (number, group) in (0..).zip(self.groups.values.into_keys()) {
            let mut detector = Detector::new(rule);
            while let Some(((_, slice, count), _)) = next.take_if(|((of, ..), _)| *of == number) {
                detector.push(Cell { slice, count });
                next = sorted.next()?;
            }
            found.extend(detector.finish().into_iter().map(|burst| Found {
                group: group.clone(),
                burst,
            }));
        }
        Ok(found)
    }
}

/// Counts on one thread.
pub(super) struct Counter<'c, 't> {
    counts: &'c Mutex<Counts<'t>>,
    key: Option<ProfileKey>,
    /// The slice in which this (sub)profile was counted last, by group.
    seen: HashMap<u32, i64>,
}

impl<'c, 't> Counter<'c, 't> {
    pub fn new(counts: &'c Mutex<Counts<'t>>) -> Self {
        Self {
            counts,
            key: None,
            seen: HashMap::new(),
        }
    }
}

impl ChangeVisitor for Counter<'_, '_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        if self.key != Some(event.key) {
            self.key = Some(event.key);
            self.seen.clear();
        }
        let mut counts = self.counts.lock();
        counts.time_range.add(event.time);
        let slice = event.time.div_euclid(counts.slice);
        for change in &changes {
            let is_other = |wanted| wanted != super::id::word(&change.subject);
            if counts.wanted.is_some_and(is_other) {
                continue;
            }
            let Some((number, ())) = counts.groups.entry(Group::of(event, change)) else {
                counts.groups.others += 1;
                continue;
            };
            // A (sub)profile counts once in a slice.
            if self.seen.insert(number, slice) != Some(slice) {
                *counts.cells.entry((number, slice)).or_default() += 1;
            }
        }
        if counts.cells.len() > CELLS {
            counts.spill()?;
        }
        Ok(true)
    }
}
