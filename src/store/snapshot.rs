//! A consistent view of a data folder, through which an answer reads everything.
//!
//! A [`Snapshot`] fixes the last event and the pruned events. Later events are invisible
//! through it, and a concurrent prune neither hides nor removes any of its events, so
//! that an answer never mixes old events with new baselines. Each query takes its own
//! snapshot and drops it at the end: a snapshot that is held keeps pruned events on the
//! disk.

use std::collections::VecDeque;
use std::sync::Arc;

use super::damages::{Damages, Missing, Unreadable};
use super::error::TrailError;
use super::open::Trail;
use super::reader::EventReader;
use super::retention::Retention;
use super::walk::Walk;
use crate::event::ProfileKey;
use crate::history::{Baseline, Replay};
use crate::index::{EventStore, IndexError, LookupPage, LookupQuery, Progress, TimeRange};
use crate::log::record::{EventHead, Lost};

/// How many (sub)profiles are read from the index in one call, during which no event is
/// indexed.
const KEYS_PER_CALL: usize = 1024;

/// How many subprofiles of a profile are read first: most profiles have few.
const FIRST_SUBPROFILES: usize = 16;

/// The events of a (sub)profile, as the index knew them.
#[derive(Clone, Debug, Default)]
pub struct EventsOf {
    /// (event time, `seq`) pairs, ordered by both, without those that were pruned.
    pub times: Vec<(i64, u64)>,
    /// The baseline of the pruned ones.
    pub baseline: Option<Baseline>,
}

impl EventsOf {
    /// Whether there are and were no events.
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty() && self.baseline.is_none()
    }

    /// The time of the last pruned event, if any.
    pub fn baseline_time(&self) -> Option<i64> {
        self.baseline.as_ref().map(|baseline| baseline.place.time)
    }

    /// The pairs of events up to a time.
    pub fn up_to(&self, time: i64) -> &[(i64, u64)] {
        let end = self.times.partition_point(|(event, _)| *event <= time);
        self.times.get(..end).unwrap_or_default()
    }

    /// Whether a time is at or after the last pruned event, so that the state then
    /// can be computed from the baseline.
    pub fn reaches_baseline(&self, time: i64) -> bool {
        self.baseline_time()
            .is_some_and(|baseline| baseline <= time)
    }

    /// The replay to apply the events to.
    pub fn replay(&self) -> Replay<'static> {
        Replay::after(self.baseline.clone())
    }
}

/// (Sub)profiles in order, read in batches.
pub struct Keys<'a> {
    snapshot: Snapshot<'a>,
    /// Only those of this profile.
    profile: Option<u64>,
    after: Option<ProfileKey>,
    ahead: VecDeque<ProfileKey>,
    /// How many are read next.
    limit: usize,
    /// Whether there are no more than those ahead.
    ended: bool,
}

impl Iterator for Keys<'_> {
    type Item = Result<ProfileKey, TrailError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_empty() && !self.ended {
            match self.snapshot.keys_after(self.after, self.limit) {
                Ok(keys) => self.ahead = keys.into(),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
            self.ended = self.ahead.is_empty();
            self.after = self.ahead.back().copied();
            self.limit = KEYS_PER_CALL;
        }
        let key = self.ahead.pop_front()?;
        if self.profile.is_some_and(|profile| profile != key.profile) {
            self.ahead.clear();
            self.ended = true;
            return None;
        }
        Some(Ok(key))
    }
}

/// The content of a data folder at one moment.
#[derive(Clone)]
pub struct Snapshot<'a> {
    trail: &'a Trail,
    retention: Arc<Retention>,
    last_seq: u64,
}

impl Trail {
    /// The current content of the folder. An answer from the index is complete after
    /// [`Snapshot::wait_for_index`].
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            retention: self.retention(),
            last_seq: self.last_seq(),
            trail: self,
        }
    }
}

impl<'a> Snapshot<'a> {
    /// Its data folder.
    pub const fn trail(&self) -> &'a Trail {
        self.trail
    }

    /// The pruned events, and the baselines.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// The `seq` of the last visible event; 0 without events.
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Waits until the index has every visible event. Meanwhile `progress` is called
    /// about ten times a second.
    pub fn wait_for_index(&self, progress: impl FnMut(Progress)) -> Result<(), TrailError> {
        self.trail.indexer.wait_for(self.last_seq, None, progress)?;
        Ok(())
    }

    /// The answer of the index; see [`Indexer::ask`].
    ///
    /// [`Indexer::ask`]: crate::index::Indexer::ask
    pub(crate) fn ask<T>(
        &self,
        ask: impl Fn(&EventStore) -> Result<T, IndexError>,
    ) -> Result<T, TrailError> {
        Ok(self.trail.indexer.ask(ask)?)
    }

    /// Whether an event of the index is part of the snapshot.
    pub fn shows(&self, seq: u64) -> bool {
        seq <= self.last_seq && !self.retention.in_index.contains(seq)
    }

    /// The profile of a subprofile's last event, or of its last pruned one.
    pub fn profile_of(&self, subprofile: u64) -> Result<Option<u64>, TrailError> {
        let found = self.ask(|index| index.profile_of(subprofile))?;
        self.or_pruned_owner(subprofile, found)
    }

    /// The same without waiting: `None` if the index cannot answer now.
    pub fn try_profile_of(&self, subprofile: u64) -> Result<Option<Option<u64>>, TrailError> {
        let index = &self.trail.indexer;
        let found = index.try_ask(|index| index.profile_of(subprofile));
        found
            .map(|found| self.or_pruned_owner(subprofile, found))
            .transpose()
    }

    fn or_pruned_owner(
        &self,
        subprofile: u64,
        found: Option<u64>,
    ) -> Result<Option<u64>, TrailError> {
        match (found, &self.retention.baselines) {
            (None, Some(baselines)) => Ok(baselines.owner_of(subprofile)?),
            (found, _) => Ok(found),
        }
    }

    /// The baseline of a (sub)profile, if it has one.
    pub fn baseline_of(&self, key: ProfileKey) -> Result<Option<Baseline>, TrailError> {
        Ok(self.retention.baseline_of(key)?)
    }

    /// A reader for single events.
    pub fn reader(&self) -> EventReader {
        EventReader::new(self.trail.events.cursor())
    }

    /// The result of `read` for the record of an event; `None` if there is no such event,
    /// or it was pruned.
    pub fn record_of<T>(
        &self,
        seq: u64,
        read: impl FnOnce(&[u8]) -> Result<T, Missing>,
    ) -> Result<Option<T>, Unreadable> {
        if seq == 0 || seq > self.last_seq {
            return Ok(None);
        }
        let mut reader = self.reader();
        let record = reader.bytes(seq)?;
        if self.retention.hides_record(seq, record) {
            return Ok(None);
        }
        read(record).map(Some).map_err(Unreadable::Damage)
    }

    /// The (sub)profile and the time of an event; `None` as for [`Self::record_of`].
    pub fn head_of(&self, seq: u64) -> Result<Option<(ProfileKey, i64)>, Unreadable> {
        self.record_of(seq, |record| match EventHead::decode(record) {
            Ok(head) => Ok((head.key(), head.time)),
            Err(error) => Err(Missing::of_record(seq, error)),
        })
    }

    /// The events that may be of a span of time (`until` exclusive), and maybe
    /// others, in the order of arrival.
    pub fn walk(&self, since: i64, until: i64) -> Result<Walk<'a>, TrailError> {
        let ranges = self.trail.events.block_ranges_touching(since, until)?;
        Ok(self.walk_ranges(ranges))
    }

    /// The events of some ordered ranges of `seq`.
    pub fn walk_ranges(&self, ranges: Vec<(u64, u64)>) -> Walk<'a> {
        Walk::new(self.clone(), ranges)
    }

    /// The events from a `seq` on, in the order of arrival.
    pub fn walk_from(&self, seq: u64) -> Result<Walk<'a>, TrailError> {
        match seq {
            // Blocks with nothing but pruned records are skipped.
            0 | 1 => self.walk(i64::MIN, i64::MAX),
            _ => Ok(self.walk_ranges(vec![(seq, self.last_seq)])),
        }
    }

    /// A page of the (sub)profiles that may have had a value, and maybe others,
    /// after another page; `None` if the field is not looked up.
    pub fn look_up(
        &self,
        probe: &LookupQuery,
        after: Option<&LookupPage>,
        limit: usize,
    ) -> Result<Option<LookupPage>, TrailError> {
        let generation = self.trail.retention().generation();
        self.ask(|index| index.look_up(probe, generation, after, limit))
    }

    /// First and last `seq` of events that cannot be read, so that their
    /// (sub)profiles are unknown.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, TrailError> {
        Ok(self.trail.indexer.unreadable()?)
    }

    /// The same without those that a repair has declared lost; these are added to
    /// `lost`.
    pub fn without_owner(&self, lost: &mut Damages) -> Result<Vec<(u64, u64)>, TrailError> {
        let mut others = Vec::new();
        let mut cursor = self.trail.events.cursor();
        for (first, last) in self.unreadable()? {
            let mut seq = first;
            while seq <= last
                && let Some(loss) = cursor.get(seq).ok().and_then(Lost::decode)
                && loss.last >= seq
            {
                lost.add(Missing::Lost(loss));
                seq = loss.last.saturating_add(1);
            }
            if seq <= last {
                others.push((seq, last));
            }
        }
        Ok(others)
    }

    /// The (event time, `seq`) pairs of a (sub)profile, ordered by both.
    pub fn times_of(&self, key: ProfileKey) -> Result<Vec<(i64, u64)>, TrailError> {
        let all = TimeRange {
            since: i64::MIN,
            until: i64::MAX,
            visible: |_, seq| self.shows(seq),
        };
        let mut slices = self.ask(|index| index.slices(&[key], &all))?;
        Ok(slices.pop().unwrap_or_default().pairs)
    }

    /// The events of a (sub)profile, and its baseline.
    pub fn events_of(&self, key: ProfileKey) -> Result<EventsOf, TrailError> {
        Ok(EventsOf {
            times: self.times_of(key)?,
            baseline: self.baseline_of(key)?,
        })
    }

    /// Calls `each` with the events of some ordered (sub)profiles: those of a span
    /// (`until` exclusive), those of the last second before it that has any, and maybe
    /// earlier ones; and with a flag whether there may be more before. For a short span,
    /// this is cheaper than all events.
    pub fn each_recent_events_of<E: From<TrailError>>(
        &self,
        mut keys: &[ProfileKey],
        (since, until): (i64, i64),
        mut each: impl FnMut(EventsOf, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let range = TimeRange {
            since,
            until,
            visible: |_, seq| self.shows(seq),
        };
        while !keys.is_empty() {
            let some = keys.get(..KEYS_PER_CALL).unwrap_or(keys);
            let found = self.ask(|index| index.slices(some, &range))?;
            // An answer has at least one.
            let (asked, rest) = keys.split_at(found.len().clamp(1, keys.len()));
            keys = rest;
            for (key, recent) in asked.iter().zip(found) {
                let baseline = self.baseline_of(*key)?;
                let times = recent.pairs;
                each(EventsOf { times, baseline }, recent.cut)?;
            }
        }
        Ok(())
    }

    /// (Sub)profiles in order, a profile before its subprofiles: one subprofile, or a
    /// profile with its subprofiles, or all with events or a baseline.
    pub fn keys(&self, only: Option<ProfileKey>) -> Keys<'a> {
        Keys {
            snapshot: self.clone(),
            profile: only.map(|key| key.profile),
            after: only,
            ahead: only.into_iter().collect(),
            limit: only.map_or(KEYS_PER_CALL, |_| FIRST_SUBPROFILES),
            ended: only.is_some_and(|key| key.subprofile.is_some()),
        }
    }

    /// The subprofiles of a profile that have events or a baseline, in order.
    pub fn subprofiles(&self, profile: u64) -> Keys<'a> {
        let mut keys = self.keys(Some(ProfileKey::profile(profile)));
        keys.ahead.clear();
        keys
    }

    /// Up to `limit` (sub)profiles with events or a baseline, in order, from the one after
    /// `after`; empty at the end.
    pub fn keys_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, TrailError> {
        let mut keys = self.ask(|index| index.keys_after(after, limit))?;
        if let Some(baselines) = &self.retention.baselines {
            keys.extend(baselines.keys_after(after, limit)?);
            keys.sort_unstable();
            keys.dedup();
            // Keys after the last one of either page are not complete yet.
            keys.truncate(limit);
        }
        Ok(keys)
    }

    /// Calls `each` with all (sub)profiles in order and their (event time, `seq`) pairs,
    /// ordered by both, if there are any. One ordered pass over the index.
    pub fn each_timeline<E: From<TrailError>>(
        &self,
        mut each: impl FnMut(ProfileKey, Vec<(i64, u64)>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = None;
        loop {
            let ask = |index: &EventStore| index.timelines_after(after, KEYS_PER_CALL);
            let timelines = self.ask(ask)?;
            let Some((last, _)) = timelines.last() else {
                return Ok(());
            };
            after = Some(*last);
            for (key, mut pairs) in timelines {
                pairs.retain(|(_, seq)| self.shows(*seq));
                if !pairs.is_empty() {
                    each(key, pairs)?;
                }
            }
        }
    }
}
