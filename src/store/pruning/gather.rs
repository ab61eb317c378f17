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
    /// The number of events, …
    events: u64,
    /// … and of (sub)profiles that were passed.
    keys: u64,
}

/// Where the baseline of a (sub)profile comes from.
enum Item {
    /// It keeps the one that it has.
    Kept(Baseline),
    /// It loses events, from which a new one is made.
    Pending(PendingProfile),
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
            events: 0,
            keys: 0,
        }
    }

    /// Counts what would be removed.
    pub(super) fn count(mut self) -> Result<Counts, PruneError> {
        self.each_item(|_, _| Ok(()))?;
        Ok(self.counts)
    }

    /// Writes the baselines if any event is removed, and returns the bounds with
    /// their position. Their folder must exist.
    pub(super) fn write(mut self) -> Result<(Counts, Pruned), PruneError> {
        if self.going.events == 0 {
            // The existing baselines stay.
            self.each_item(|_, _| Ok(()))?;
            self.compare_with_log()?;
            return Ok((self.counts, self.next));
        }
        let folder = self.snapshot.trail().folder();
        let mut run = Run {
            going: self.going,
            reader: self.snapshot.reader().holding(AHEAD_LEN),
            damage: Damages::default(),
            batch: Vec::new(),
            events: 0,
            owners: Owners::new(folder.path()),
            writer: BaselineWriter::new(
                Arc::new(RealDisk),
                &folder.baselines(),
                folder.log_id,
                self.snapshot.retention().pruned.as_ref(),
            )?,
        };
        self.each_item(|key, item| run.take(key, item))?;
        self.compare_with_log()?;
        run.flush()?;
        // Events that a repair has declared lost are ignored.
        let (damage, _) = run.damage.into_lines();
        if !damage.is_empty() {
            return Err(PruneError::Unreadable(damage));
        }
        let writer = run.owners.write(run.writer)?;
        let next = writer.finish(self.next)?;
        Ok((self.counts, next))
    }

    /// Fails if the index lacks an event that is removed, or has one more: it would be
    /// removed without a baseline.
    const fn compare_with_log(&self) -> Result<(), PruneError> {
        let Going {
            events,
            fingerprint,
            ..
        } = *self.going;
        if events == self.counts.events && fingerprint == self.counts.fingerprint {
            return Ok(());
        }
        Err(PruneError::IndexDiffers {
            indexed: self.counts.events,
            readable: events,
        })
    }

    /// Calls `each` with every (sub)profile that has or gets a baseline, in order: a
    /// merge of the index and the existing baselines.
    fn each_item(
        &mut self,
        mut each: impl FnMut(ProfileKey, Item) -> Result<(), PruneError>,
    ) -> Result<(), PruneError> {
        let snapshot = self.snapshot.clone();
        let mut old = snapshot
            .baselines()
            .map_or_else(Walk::default, Baselines::walk);
        snapshot.each_timeline::<PruneError>(None, |key, times| {
            // (Sub)profiles before `key` have only a baseline.
            while let Some(kept) = old.next_if(|own| own < key)? {
                self.item(kept.key, Vec::new(), Some(kept.baseline), &mut each)?;
            }
            let baseline = old.next_if(|own| own == key)?.map(|kept| kept.baseline);
            self.item(key, times, baseline, &mut each)
        })?;
        while let Some(kept) = old.step()? {
            self.item(kept.key, Vec::new(), Some(kept.baseline), &mut each)?;
        }
        Ok(())
    }

    /// Counts the removed events of a (sub)profile, and passes it to `each`.
    fn item(
        &mut self,
        key: ProfileKey,
        times: Vec<(i64, u64)>,
        baseline: Option<Baseline>,
        each: &mut impl FnMut(ProfileKey, Item) -> Result<(), PruneError>,
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
        self.events += times.len() as u64;
        self.keys += 1;
        if self.keys.is_multiple_of(PROGRESS_INTERVAL) {
            let last_seq = self.snapshot.last_seq();
            (self.progress)(self.events.min(last_seq), last_seq);
            if (self.stop)() {
                return Err(PruneError::Stopped);
            }
        }
        if gone > 0 {
            let pending = PendingProfile::new(times, baseline, self.going);
            each(key, Item::Pending(pending))
        } else if let Some(baseline) = baseline {
            each(key, Item::Kept(baseline))
        } else {
            Ok(())
        }
    }
}

/// A (sub)profile of a batch.
enum Batched {
    /// The record of its baseline.
    Record(Vec<u8>),
    /// What its baseline is to be made from.
    Pending(Box<PendingProfile>),
}

impl Batched {
    fn pending(&self) -> Option<&PendingProfile> {
        match self {
            Self::Record(_) => None,
            Self::Pending(pending) => Some(pending),
        }
    }
}

/// A batch of baselines, and the writer it goes to.
struct Run<'a> {
    going: &'a Going,
    reader: EventReader,
    damage: Damages,
    batch: Vec<(ProfileKey, Batched)>,
    /// The number of events of the batch.
    events: usize,
    owners: Owners,
    writer: BaselineWriter,
}

impl Run<'_> {
    fn take(&mut self, key: ProfileKey, item: Item) -> Result<(), PruneError> {
        let batched = match item {
            Item::Kept(baseline) => Batched::Record(self.record(key, baseline)?),
            Item::Pending(pending) => {
                self.events += pending.len();
                Batched::Pending(Box::new(pending))
            }
        };
        self.batch.push((key, batched));
        if self.batch.len() >= BATCH_PROFILES || self.events >= BATCH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PruneError> {
        self.events = 0;
        let mut batch = std::mem::take(&mut self.batch);
        // The last second alone suffices in most cases.
        let pending = batch.iter().filter_map(|(_, batched)| batched.pending());
        let last_seconds = pending.flat_map(PendingProfile::last_seqs);
        self.reader.read_ahead(last_seconds.collect());
        for (key, batched) in &mut batch {
            self.resolve(*key, batched, true)?;
        }
        let mut rest = batch.as_mut_slice();
        while !rest.is_empty() {
            let mut seqs = Vec::new();
            let mut count = 0;
            while let Some((_, batched)) = rest.get(count)
                && seqs.len() < READ_AHEAD
            {
                seqs.extend(batched.pending().into_iter().flat_map(PendingProfile::seqs));
                count += 1;
            }
            self.reader.read_ahead(seqs);
            let (some, others) = rest.split_at_mut(count);
            for (key, batched) in some {
                self.resolve(*key, batched, false)?;
                if let Batched::Record(record) = batched {
                    self.writer.add(*key, record)?;
                }
                // Free the memory of what is written.
                *batched = Batched::Record(Vec::new());
            }
            rest = others;
        }
        Ok(())
    }

    /// Makes the baseline of a (sub)profile, if its last second, or else all of its
    /// events, determine it.
    fn resolve(
        &mut self,
        key: ProfileKey,
        batched: &mut Batched,
        last_second: bool,
    ) -> Result<(), PruneError> {
        if let Batched::Pending(pending) = batched {
            let (reader, damage) = (&mut self.reader, &mut self.damage);
            let made = baseline_of(pending, last_second, self.going, reader, damage)?;
            if let Some(baseline) = made {
                *batched = Batched::Record(self.record(key, baseline)?);
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
