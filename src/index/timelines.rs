//! Queries of the events of (sub)profiles.

use std::cmp::Reverse;

use super::error::IndexError;
use super::key::{IndexKey, Item};
use super::store::EventStore;
use crate::event::ProfileKey;

/// The most pairs that are returned at once, beyond those of the last (sub)profile.
pub(super) const MAX_PAIRS: usize = 65_536;

/// (Event time, `seq`) pairs of a (sub)profile.
pub type Pairs = Vec<(i64, u64)>;

/// A query of the events of (sub)profiles within a time range.
#[derive(Clone, Copy, Debug)]
pub struct TimeRange<V> {
    /// All pairs from this time on are wanted, and those of the last second
    /// before it that has any.
    pub since: i64,
    /// Only pairs before this time are wanted.
    pub until: i64,
    /// Whether a pair counts.
    pub visible: V,
}

/// The pairs of a (sub)profile in a [`TimeRange`], and maybe earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineSlice {
    pub pairs: Pairs,
    /// Whether there may be earlier pairs that were left out.
    pub cut: bool,
    /// The last time before the range.
    before: Option<i64>,
}

impl TimelineSlice {
    /// Adds a pair, if it is wanted.
    fn add<V: Fn(i64, u64) -> bool>(&mut self, range: &TimeRange<V>, (time, seq): (i64, u64)) {
        if time < range.until && (range.visible)(time, seq) {
            if time < range.since {
                self.before = self.before.max(Some(time));
            }
            self.pairs.push((time, seq));
        }
    }
}

/// The slices of the first of some (sub)profiles, while they are gathered.
struct Slices {
    slices: Vec<TimelineSlice>,
    pairs: usize,
}

impl Slices {
    /// Adds the results of `find` for each. If there are too many pairs, the last keys
    /// are left for the next query, but never the first.
    fn add(
        &mut self,
        keys: &[ProfileKey],
        mut find: impl FnMut(ProfileKey, &mut TimelineSlice) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for (place, key) in keys.iter().enumerate() {
            let Some(slice) = self.slices.get_mut(place) else {
                break;
            };
            let before = slice.pairs.len();
            find(*key, slice)?;
            self.pairs += slice.pairs.len() - before;
            while self.pairs > MAX_PAIRS && self.slices.len() > 1 {
                let left = self.slices.drain(self.slices.len() / 2..);
                self.pairs -= left.map(|slice| slice.pairs.len()).sum::<usize>();
            }
        }
        Ok(())
    }
}

impl EventStore {
    /// The pairs of a time range of some (sub)profiles, which are in order, each
    /// ordered by both: of the first at least, of fewer than all if they have many.
    ///
    /// The runs are read from the one that ends last by the times of its events:
    /// once an event before the range is found of a (sub)profile, runs that end
    /// before that event are not read.
    pub fn slices(
        &self,
        keys: &[ProfileKey],
        range: &TimeRange<impl Fn(i64, u64) -> bool>,
    ) -> Result<Vec<TimelineSlice>, IndexError> {
        let view = self.view();
        let mut found = Slices {
            slices: vec![TimelineSlice::default(); keys.len()],
            pairs: 0,
        };
        found.add(keys, |key, slice| {
            let wanted = IndexKey::Events(key);
            let group = view.pending.read_from(wanted).next();
            if let Some((_, items)) = group.filter(|(own, _)| *own == wanted) {
                let items = items.into_iter();
                items.for_each(|(seq, time)| slice.add(range, (time, seq)));
            }
            Ok(())
        })?;
        let runs = view.runs.iter();
        let mut runs: Vec<_> = runs.filter(|run| run.meta.times.0 < range.until).collect();
        runs.sort_by_key(|run| Reverse(run.meta.times.1));
        for run in runs {
            let mut reader = run.reader();
            found.add(keys, |key, slice| {
                slice.cut |= slice.before > Some(run.meta.times.1);
                if slice.cut {
                    return Ok(());
                }
                let wanted = IndexKey::Events(key);
                reader.find(wanted, |(seq, time)| slice.add(range, (time, seq)))
            })?;
        }
        drop(view);
        for slice in &mut found.slices {
            slice.pairs.sort_unstable();
        }
        Ok(found.slices)
    }

    /// The profile that a subprofile belongs to, by its last event.
    pub fn profile_of(&self, subprofile: u64) -> Result<Option<u64>, IndexError> {
        let wanted = IndexKey::Owner(subprofile);
        let group = self.view().read_from(wanted)?.next()?;
        let items = group.filter(|(own, _)| *own == wanted);
        let item = items.and_then(|(_, items)| items.last().copied());
        Ok(item.map(|(_, profile)| profile.cast_unsigned()))
    }

    /// (Sub)profiles in order, from the one after `after`, each with its pairs
    /// ordered by both: at most `limit`, fewer if they have many;
    /// none only at the end. Reads each block once.
    pub fn timelines_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<(ProfileKey, Pairs)>, IndexError> {
        let mut found: Vec<(ProfileKey, Pairs)> = Vec::new();
        let mut pairs = 0;
        self.each_group(after, |key, items| {
            let times = items.iter().map(|(seq, time)| (*time, *seq));
            let full = found.len() >= limit || pairs >= MAX_PAIRS;
            match found.last_mut() {
                Some((last, known)) if *last == key => known.extend(times),
                _ if full => return false,
                _ => found.push((key, times.collect())),
            }
            pairs += items.len();
            true
        })?;
        for (_, pairs) in &mut found {
            pairs.sort_unstable();
        }
        Ok(found)
    }

    /// Up to `limit` (sub)profiles in order, from the one after `after`.
    pub fn keys_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, IndexError> {
        let mut found = Vec::new();
        self.each_group(after, |key, _| {
            if found.last() != Some(&key) {
                if found.len() >= limit {
                    return false;
                }
                found.push(key);
            }
            true
        })?;
        Ok(found)
    }

    /// Passes the items of the (sub)profiles after `after` to `each`, until it
    /// returns `false`.
    fn each_group(
        &self,
        after: Option<ProfileKey>,
        mut each: impl FnMut(ProfileKey, &[Item]) -> bool,
    ) -> Result<(), IndexError> {
        let view = self.view();
        let mut merged = view.read_from(after.map_or(IndexKey::FIRST, IndexKey::after))?;
        while let Some((key, items)) = merged.next()? {
            let IndexKey::Events(key) = key else { break };
            if !each(key, &items) {
                break;
            }
        }
        Ok(())
    }

    /// First and last `seq` of events that could not be read.
    pub fn unreadable(&self) -> Vec<(u64, u64)> {
        let view = self.view();
        let pending = view.pending.unreadable.iter();
        view.manifest
            .unreadable
            .iter()
            .chain(pending)
            .copied()
            .collect()
    }
}
