//! Building the baselines of all (sub)profiles in bounded memory.
//!
//! One ordered pass merges the (sub)profiles of the index with the existing
//! baselines. (Sub)profiles that lose events are collected into a batch; then their
//! last events are read in log order, so that each block is read once per batch.

use std::sync::Arc;

use super::PruneError;
use super::bounds::{Going, fingerprint};
use super::last::{PendingProfile, baseline_of};
use super::owners::Owners;
use crate::event::ProfileKey;
use crate::history::Baseline;
use crate::storage::RealDisk;
use crate::store::retention::{BaselineWriter, Baselines, KeptBaseline, Pruned, Walk};
use crate::store::{Damages, EventReader, Snapshot};

/// The most (sub)profiles in a batch.
const BATCH_PROFILES: usize = 8_192;

/// The most events in a batch, not counting its last (sub)profile.
const BATCH_EVENTS: usize = 1 << 18;

/// The number of events that are read ahead at once.
const READ_AHEAD: usize = 16_384;

/// The most bytes that are read ahead.
const AHEAD_LEN: usize = 32 << 20;

/// The number of (sub)profiles between two progress reports.
const PROGRESS_INTERVAL: u64 = 1_024;

/// What a pass has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Events that are removed.
    pub events: u64,
    /// Events before the cutoff that stay.
    pub kept: u64,
    /// (Sub)profiles that lose events.
    pub profiles: u64,
    /// Baselines.
    pub baselines: u64,
    /// Sum of the fingerprints of the removed events, to compare index and log.
    pub fingerprint: u64,
}

/// Builds the baselines of a prune.
pub(super) struct BaselineBuilder<'a> {
    snapshot: Snapshot<'a>,
    next: Pruned,
    going: &'a Going,
    stop: &'a dyn Fn() -> bool,
    progress: &'a mut dyn FnMut(u64, u64),
    counts: Counts,
}

/// A (sub)profile that has or gets a baseline.
enum Item {
    /// Keeps its existing baseline.
    Unchanged(Box<KeptBaseline>),
    /// Loses events and gets a new baseline.
    Pending(ProfileKey, Box<PendingProfile>),
}

impl<'a> BaselineBuilder<'a> {
    pub(super) fn new(
        snapshot: Snapshot<'a>,
        next: Pruned,
        going: &'a Going,
        stop: &'a dyn Fn() -> bool,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Self {
        Self {
            snapshot,
            next,
            going,
            stop,
            progress,
            counts: Counts::default(),
        }
    }

    /// Counts what would be removed.
    pub(super) fn count(mut self) -> Result<Counts, PruneError> {
        self.each_item(|_| Ok(()))?;
        Ok(self.counts)
    }

    /// Writes the baselines if any event is removed, and returns the bounds with
    /// their position. Their folder must exist.
    pub(super) fn write(mut self) -> Result<(Counts, Pruned), PruneError> {
        let folder = self.snapshot.trail().folder();
        let next = self.next;
        // The first pass only counts; without removed events the old baselines stay.
        self.each_item(|_| Ok(()))?;
        // An event that the index lacks would be removed without a baseline.
        let Going {
            events,
            fingerprint,
            ..
        } = *self.going;
        if (events, fingerprint) != (self.counts.events, self.counts.fingerprint) {
            return Err(PruneError::IndexDiffers {
                indexed: self.counts.events,
                readable: events,
            });
        }
        if events == 0 {
            return Ok((self.counts, next));
        }
        self.counts = Counts::default();
        let mut run = Run {
            going: self.going,
            reader: self.snapshot.reader().holding(AHEAD_LEN),
            damage: Damages::default(),
            items: Vec::new(),
            events: 0,
            owners: Owners::new(folder.path()),
            writer: BaselineWriter::new(
                Arc::new(RealDisk),
                &folder.baselines(),
                folder.log_id,
                self.snapshot.retention().pruned.as_ref(),
            )?,
        };
        self.each_item(|item| run.take(item))?;
        run.flush()?;
        // Events that a repair has declared lost are ignored.
        let (damage, _) = run.damage.into_lines();
        if !damage.is_empty() {
            return Err(PruneError::Unreadable(damage));
        }
        let writer = run.owners.write(run.writer)?;
        let next = writer.finish(next)?;
        Ok((self.counts, next))
    }

    /// Calls `each` with every (sub)profile that has or gets a baseline, in order: a
    /// merge of the index and the existing baselines.
    fn each_item(
        &mut self,
        mut each: impl FnMut(Item) -> Result<(), PruneError>,
    ) -> Result<(), PruneError> {
        let snapshot = self.snapshot.clone();
        let mut old = Old {
            walk: snapshot.baselines().map(Baselines::walk),
            next: None,
        };
        let mut seen = Seen::default();
        snapshot.each_timeline::<PruneError>(None, |key, times| {
            // (Sub)profiles before `key` have only a baseline.
            while let Some(kept) = old.before(Some(key))? {
                self.item(
                    kept.key,
                    Vec::new(),
                    Some(kept.baseline),
                    &mut seen,
                    &mut each,
                )?;
            }
            let baseline = old.of(key)?;
            self.item(key, times, baseline, &mut seen, &mut each)
        })?;
        while let Some(kept) = old.before(None)? {
            self.item(
                kept.key,
                Vec::new(),
                Some(kept.baseline),
                &mut seen,
                &mut each,
            )?;
        }
        Ok(())
    }

    /// Counts the removed events of a (sub)profile, and passes it to `each`.
    fn item(
        &mut self,
        key: ProfileKey,
        times: Vec<(i64, u64)>,
        baseline: Option<Baseline>,
        seen: &mut Seen,
        each: &mut impl FnMut(Item) -> Result<(), PruneError>,
    ) -> Result<(), PruneError> {
        let mut gone = 0;
        for (time, seq) in &times {
            if self.going.covers_entry(&self.next, *time, *seq) {
                gone += 1;
                let sum = &mut self.counts.fingerprint;
                *sum = sum.wrapping_add(fingerprint(key, *time, *seq));
            }
        }
        let older = times.partition_point(|(time, _)| *time < self.next.before);
        self.counts.events += gone;
        self.counts.kept += older as u64 - gone;
        self.counts.profiles += u64::from(gone > 0);
        self.counts.baselines += u64::from(gone > 0 || baseline.is_some());
        seen.events += times.len() as u64;
        seen.keys += 1;
        if seen.keys.is_multiple_of(PROGRESS_INTERVAL) {
            let last_seq = self.snapshot.last_seq();
            (self.progress)(seen.events.min(last_seq), last_seq);
            if (self.stop)() {
                return Err(PruneError::Stopped);
            }
        }
        if gone > 0 {
            let pending = Box::new(PendingProfile::new(times, baseline, self.going));
            each(Item::Pending(key, pending))
        } else if let Some(baseline) = baseline {
            each(Item::Unchanged(Box::new(KeptBaseline { key, baseline })))
        } else {
            Ok(())
        }
    }
}

/// The progress of a pass.
#[derive(Default)]
struct Seen {
    events: u64,
    keys: u64,
}

/// The existing baselines, with one read ahead.
struct Old {
    walk: Option<Walk>,
    next: Option<KeptBaseline>,
}

impl Old {
    fn next_if(
        &mut self,
        wanted: impl FnOnce(&KeptBaseline) -> bool,
    ) -> Result<Option<KeptBaseline>, PruneError> {
        if self.next.is_none()
            && let Some(walk) = &mut self.walk
        {
            self.next = walk.step()?;
        }
        Ok(self.next.take_if(|next| wanted(next)))
    }

    /// The next baseline if it comes before `key`; any without a `key`.
    fn before(&mut self, key: Option<ProfileKey>) -> Result<Option<KeptBaseline>, PruneError> {
        self.next_if(|next| key.is_none_or(|key| next.key < key))
    }

    /// The baseline of a (sub)profile, if it has one. Those before must have been taken.
    fn of(&mut self, key: ProfileKey) -> Result<Option<Baseline>, PruneError> {
        Ok(self
            .next_if(|next| next.key == key)?
            .map(|kept| kept.baseline))
    }
}

/// A (sub)profile with the record of its baseline, or with the events to build it from.
type Found = (ProfileKey, Option<Vec<u8>>, Option<Box<PendingProfile>>);

/// A batch of baselines, and the writer it goes to.
struct Run<'a> {
    going: &'a Going,
    reader: EventReader,
    damage: Damages,
    items: Vec<Item>,
    /// The number of events of `items`.
    events: usize,
    owners: Owners,
    writer: BaselineWriter,
}

impl Run<'_> {
    fn take(&mut self, item: Item) -> Result<(), PruneError> {
        if let Item::Pending(_, pending) = &item {
            self.events += pending.len();
        }
        self.items.push(item);
        if self.items.len() >= BATCH_PROFILES || self.events >= BATCH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PruneError> {
        self.events = 0;
        let items = std::mem::take(&mut self.items);
        let pending = |item: &Item| match item {
            Item::Pending(_, pending) => pending.last_seqs().collect(),
            Item::Unchanged(_) => Vec::new(),
        };
        self.reader
            .read_ahead(items.iter().flat_map(pending).collect());
        // First try the last second alone, which suffices in most cases.
        let mut found: Vec<Found> = Vec::new();
        for item in items {
            match item {
                Item::Unchanged(kept) => {
                    self.owners.note(kept.key, kept.baseline.place.seq)?;
                    found.push((kept.key, Some(encode(*kept)?), None));
                }
                Item::Pending(key, pending) => {
                    let last = baseline_of(
                        &pending,
                        true,
                        self.going,
                        &mut self.reader,
                        &mut self.damage,
                    )?;
                    match last {
                        Some(baseline) => {
                            let record = self.record(key, baseline)?;
                            found.push((key, Some(record), None));
                        }
                        None => found.push((key, None, Some(pending))),
                    }
                }
            }
        }
        let mut ahead = 0_usize;
        for at in 0..found.len() {
            if ahead == 0 {
                // Read ahead for the next (sub)profiles that need all of their events.
                let mut seqs = Vec::new();
                for (_, _, pending) in found.iter().skip(at) {
                    if !seqs.is_empty() && seqs.len() >= READ_AHEAD {
                        break;
                    }
                    ahead += 1;
                    seqs.extend(pending.iter().flat_map(|pending| pending.seqs()));
                }
                let fits = seqs.len() < 2 * READ_AHEAD;
                self.reader.read_ahead(if fits { seqs } else { Vec::new() });
            }
            ahead -= 1;
            let Some((key, record, pending)) = found.get_mut(at) else {
                break;
            };
            let key = *key;
            let record = match (record.take(), pending.take()) {
                (Some(record), _) => Some(record),
                (None, Some(pending)) => {
                    let all = baseline_of(
                        &pending,
                        false,
                        self.going,
                        &mut self.reader,
                        &mut self.damage,
                    )?;
                    all.map(|baseline| self.record(key, baseline)).transpose()?
                }
                (None, None) => None,
            };
            if let Some(record) = record {
                self.writer.add(key, &record)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, key: ProfileKey, baseline: Baseline) -> Result<Vec<u8>, PruneError> {
        self.owners.note(key, baseline.place.seq)?;
        encode(KeptBaseline { key, baseline })
    }
}

/// Encodes the record of a baseline.
pub(super) fn encode(kept: KeptBaseline) -> Result<Vec<u8>, PruneError> {
    kept.encode()
        .map_err(|error| PruneError::Baselines(std::io::Error::other(error)))
}
