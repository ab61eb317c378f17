//! Counts changes by group, in bounded memory.
//!
//! All changes of a (sub)profile are consecutive, and with cascade also those of a
//! profile and its subprofiles, so that events and (sub)profiles are counted
//! exactly without remembering all of them.

use std::collections::{HashMap, HashSet};

use super::group::{By, Part};
use crate::event::{Event, ProfileKey, Zone};
use crate::history::Change;
use crate::query::answer::QueryError;
use crate::query::changes::ChangeVisitor;
use crate::query::counter::TimeRange;

/// The maximum number of groups.
pub(super) const GROUPS: usize = 50_000;

/// The counts of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub changes: u64,
    pub events: u64,
    pub profiles: u64,
    pub subprofiles: u64,
    /// The times of the first and the last.
    pub times: TimeRange<i64>,
    /// What was counted last.
    last: (ProfileKey, u64),
    /// The deletes of the last profile; each may end several subprofiles.
    deletes: HashSet<u64>,
}

impl Count {
    fn new(event: &Event<'_>) -> Self {
        let profile = event.key.subprofile.is_none();
        Self {
            changes: 1,
            events: 1,
            profiles: u64::from(profile),
            subprofiles: u64::from(!profile),
            times: TimeRange::of(event.time, event.time),
            last: (event.key, event.seq),
            deletes: event
                .event_type
                .is_end()
                .then_some(event.seq)
                .into_iter()
                .collect(),
        }
    }

    fn add(&mut self, event: &Event<'_>) {
        self.changes += 1;
        if self.last.0.profile != event.key.profile {
            self.deletes.clear();
        }
        let is_new = match event.event_type.is_end() {
            // A profile's delete recurs as that of each subprofile that it ends.
            true => self.deletes.insert(event.seq),
            false => self.last.1 != event.seq,
        };
        self.events += u64::from(is_new);
        if self.last.0 != event.key {
            match event.key.subprofile {
                None => self.profiles += 1,
                Some(_) => self.subprofiles += 1,
            }
        }
        self.last = (event.key, event.seq);
        self.times.add(event.time);
    }

    fn join(&mut self, other: &Self) {
        self.changes += other.changes;
        self.events += other.events;
        self.profiles += other.profiles;
        self.subprofiles += other.subprofiles;
        self.times.join(other.times);
    }
}

/// Counts on one thread.
pub(super) struct Tally<'q> {
    by: &'q [By],
    zone: Zone,
    places: HashMap<Vec<Part<'static>>, usize>,
    counts: Vec<Count>,
}

impl<'q> Tally<'q> {
    pub fn new(by: &'q [By], zone: Zone) -> Self {
        Self {
            by,
            zone,
            places: HashMap::new(),
            counts: Vec::new(),
        }
    }

    fn place<'a>(&self, parts: &Vec<Part<'a>>) -> Option<usize> {
        let places: &HashMap<Vec<Part<'a>>, usize> = &self.places;
        places.get(parts).copied()
    }
}

impl ChangeVisitor for Tally<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        for change in &changes {
            let of = |by: &By| Part::of(*by, self.zone, event, change);
            let parts: Vec<Part<'_>> = self.by.iter().map(of).collect();
            if let Some(place) = self.place(&parts) {
                if let Some(count) = self.counts.get_mut(place) {
                    count.add(event);
                }
            } else {
                let parts = parts.into_iter().map(Part::into_owned).collect();
                self.places.insert(parts, self.counts.len());
                self.counts.push(Count::new(event));
            }
        }
        Ok(())
    }
}

/// All counts.
#[derive(Default)]
pub(super) struct Total {
    groups: HashMap<Vec<Part<'static>>, Count>,
    /// The number of changes of groups beyond the maximum.
    pub left_out: u64,
}

impl Total {
    /// Merges the counts of a thread.
    pub fn join(&mut self, tally: Tally<'_>) {
        for (parts, place) in tally.places {
            let Some(count) = tally.counts.get(place) else {
                continue;
            };
            if let Some(known) = self.groups.get_mut(&parts) {
                known.join(count);
            } else if self.groups.len() < GROUPS {
                self.groups.insert(parts, count.clone());
            } else {
                self.left_out += count.changes;
            }
        }
    }

    /// The groups, ordered by time; those of the same or no time by number of
    /// changes, the highest first.
    pub fn ranked(self) -> Vec<(Vec<Part<'static>>, Count)> {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_by(|(a, more), (b, less)| {
            let times = |parts: &[Part<'_>]| -> Vec<i64> {
                let time = |part: &Part<'_>| match part {
                    Part::Time(time) => Some(*time),
                    _ => None,
                };
                parts.iter().filter_map(time).collect()
            };
            times(a)
                .cmp(&times(b))
                .then_with(|| less.changes.cmp(&more.changes))
                .then_with(|| a.cmp(b))
        });
        groups
    }
}
