//! A (sub)profile's events, and what is left of those that were pruned.

use super::error::TrailError;
use super::open::{KEYS, Trail};
use super::timeline::Timeline;
use crate::event::ProfileKey;
use crate::history::{Baseline, Replay};
use crate::index::Stretch;
use crate::store::retention::Retention;

/// How many subprofiles of a profile are looked for at first.
const FEW: usize = 16;

/// The events of a (sub)profile, as the index knew them.
#[derive(Clone, Debug, Default)]
pub struct EventsOf {
    /// (event time, `seq`) pairs, ordered by both, without those that were pruned.
    pub times: Vec<(i64, u64)>,
    /// What is left of those that were.
    pub baseline: Option<Baseline>,
}

impl EventsOf {
    /// Whether there are and were no events.
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty() && self.baseline.is_none()
    }

    /// The time of the last pruned event, where any was.
    pub fn baseline_time(&self) -> Option<i64> {
        self.baseline.as_ref().map(|baseline| baseline.place.time)
    }

    /// The pairs of events up to a time.
    pub fn up_to(&self, time: i64) -> &[(i64, u64)] {
        let end = self.times.partition_point(|(event, _)| *event <= time);
        self.times.get(..end).unwrap_or_default()
    }

    /// Whether a time is not before the last pruned event's: what was known
    /// then is known from the baseline on.
    pub fn reaches_baseline(&self, time: i64) -> bool {
        self.baseline_time()
            .is_some_and(|baseline| baseline <= time)
    }

    /// The events up to a time in their order.
    pub fn timeline(&self, time: i64) -> Timeline {
        Timeline::new(self.up_to(time), self.baseline.as_ref())
    }

    /// What the events are to be fed to.
    pub fn replay(&self) -> Replay<'static> {
        Replay::after(self.baseline.clone())
    }
}

impl Trail {
    /// The (event time, `seq`) pairs of a (sub)profile, ordered by both, without
    /// those that were pruned.
    pub fn times_of(&self, key: ProfileKey) -> Result<Vec<(i64, u64)>, TrailError> {
        self.times_with(&self.retention(), key)
    }

    /// The same, with what was pruned at a moment.
    fn times_with(
        &self,
        retention: &Retention,
        key: ProfileKey,
    ) -> Result<Vec<(i64, u64)>, TrailError> {
        let mut times = self.indexer.timeline(key).map_err(TrailError::Index)?;
        times.retain(|(time, seq)| !retention.hides(*time, *seq));
        Ok(times)
    }

    /// The events of a (sub)profile, as the index knows them now, and what is
    /// left of those that were pruned.
    pub fn events_of(&self, key: ProfileKey) -> Result<EventsOf, TrailError> {
        let retention = self.retention();
        Ok(EventsOf {
            times: self.times_with(&retention, key)?,
            baseline: retention.baseline_of(key)?,
        })
    }

    /// Hands the subprofiles of a profile, of which there are or were events, to
    /// `each` in their order, as long as that answers `true`.
    pub fn each_subprofile(
        &self,
        profile: u64,
        mut each: impl FnMut(ProfileKey) -> bool,
    ) -> Result<(), TrailError> {
        let retention = self.retention();
        let mut after = ProfileKey::profile(profile);
        // Most have few.
        let mut limit = FEW;
        loop {
            let keys = self.keys_after(&retention, Some(after), limit)?;
            for key in &keys {
                if key.profile != profile || !each(*key) {
                    return Ok(());
                }
            }
            match keys.last() {
                Some(last) => after = *last,
                None => return Ok(()),
            }
            limit = KEYS;
        }
    }

    /// Hands the same of some (sub)profiles, which come in order, to `each`, with
    /// few questions to the index.
    pub fn each_events_of<E: From<TrailError>>(
        &self,
        keys: &[ProfileKey],
        mut each: impl FnMut(EventsOf) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_recent_events_of(keys, (i64::MIN, i64::MAX), |events, _| each(events))
    }

    /// Hands the events of some (sub)profiles, which come in order, to `each`:
    /// those from a time on and before another, those of the last second before
    /// them that has any, and maybe earlier ones; and whether there may be still
    /// others before. That is cheaper than all of them, of which most are not
    /// looked at to tell what changed in a short span.
    pub fn each_recent_events_of<E: From<TrailError>>(
        &self,
        mut keys: &[ProfileKey],
        (since, until): (i64, i64),
        mut each: impl FnMut(EventsOf, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let retention = self.retention();
        let stretch = Stretch {
            since,
            until,
            visible: |time, seq| !retention.hides(time, seq),
        };
        while !keys.is_empty() {
            let some = keys.get(..KEYS).unwrap_or(keys);
            let found = self.indexer.recent(some, &stretch);
            let found = found.map_err(TrailError::Index)?;
            // An answer is of one at least.
            let (asked, rest) = keys.split_at(found.len().clamp(1, keys.len()));
            keys = rest;
            for (key, recent) in asked.iter().zip(found) {
                let baseline = retention.baseline_of(*key).map_err(TrailError::from)?;
                let times = recent.pairs;
                each(EventsOf { times, baseline }, recent.cut)?;
            }
        }
        Ok(())
    }
}
