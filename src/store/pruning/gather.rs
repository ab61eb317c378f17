//! Building the baselines of all (sub)profiles in bounded memory.
//!
//! One ordered pass merges the (sub)profiles of the index with the existing
//! baselines. (Sub)profiles that lose events are collected into a batch; then their
//! last events are read in log order, so that each block is read once per batch.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bounds::{EventsToRemove, fingerprint};
use super::last::{BaselineSource, baseline_of};
use super::{PruneError, PruneReport};
use crate::event::ProfileKey;
use crate::history::Baseline;
use crate::log::LogError;
use crate::storage::RealDisk;
use crate::store::retention::{BaselineWriter, KeptBaseline, Pruned};
use crate::store::{Damages, EventReader, Snapshot};

/// The most (sub)profiles in a batch.
const BATCH_PROFILES: usize = 4_096;

/// The most events in a batch, not counting its last (sub)profile.
const BATCH_EVENTS: usize = 1 << 18;

/// The number of events that are read ahead at once.
const READ_AHEAD: usize = 16_384;

/// The most bytes that are read ahead.
const AHEAD_LEN: usize = 32 << 20;

/// The number of (sub)profiles between two progress reports.
const PROGRESS_INTERVAL: u64 = 1_024;

/// Builds the baselines of a prune, and counts what it removes.
pub(super) struct BaselineBuilder<'a> {
    pub snapshot: Snapshot<'a>,
    pub next: Pruned,
    pub to_remove: &'a EventsToRemove,
    pub stop: &'a dyn Fn() -> bool,
    pub progress: &'a mut dyn FnMut(u64, u64),
    /// Gets the counts.
    pub report: &'a mut PruneReport,
    /// Sum of the fingerprints of the removed events, to compare index and log.
    pub fingerprint: u64,
    /// The number of events, …
    pub events: u64,
    /// … and of (sub)profiles that were passed.
    pub keys: u64,
}

impl BaselineBuilder<'_> {
    /// Counts the events that would be removed.
    pub(super) fn count(mut self) -> Result<(), PruneError> {
        self.each_source(|_, _| Ok(()))
    }

    /// Writes the baselines if any event is removed, and returns the bounds with
    /// their position. Their folder must exist.
    pub(super) fn write(mut self) -> Result<Pruned, PruneError> {
        if self.to_remove.events == 0 {
            // The existing baselines stay.
            self.each_source(|_, _| Ok(()))?;
            self.compare_with_log()?;
            return Ok(self.next);
        }
        let folder = self.snapshot.trail().folder();
        let mut run = Run {
            to_remove: self.to_remove,
            reader: self.snapshot.reader().holding(AHEAD_LEN),
            damage: Damages::default(),
            batch: VecDeque::new(),
            events: 0,
            writer: BaselineWriter::new(
                Arc::new(RealDisk),
                &folder.baselines(),
                folder.log_id,
                self.snapshot.retention().pruned.as_ref(),
            )?,
        };
        self.each_source(|key, source| run.take(key, source))?;
        self.compare_with_log()?;
        run.flush()?;
        // Events that a repair has declared lost are ignored.
        let (damage, _) = run.damage.into_lines();
        if !damage.is_empty() {
            return Err(PruneError::Unreadable(damage));
        }
        Ok(run.writer.finish(self.next)?)
    }

    /// Fails if the index lacks an event that is removed, or has one more: it would be
    /// removed without a baseline.
    const fn compare_with_log(&self) -> Result<(), PruneError> {
        let (indexed, readable) = (self.report.events, self.to_remove.events);
        if indexed == readable && self.fingerprint == self.to_remove.fingerprint {
            return Ok(());
        }
        Err(PruneError::IndexDiffers { indexed, readable })
    }

    /// Calls `each` with every (sub)profile that has or gets a baseline, in order: a
    /// merge of the index and the existing baselines.
    fn each_source(
        &mut self,
        mut each: impl FnMut(ProfileKey, BaselineSource) -> Result<(), PruneError>,
    ) -> Result<(), PruneError> {
        let snapshot = self.snapshot.clone();
        let mut old = snapshot.retention().walk_baselines();
        snapshot.each_timeline::<PruneError>(|key, times| {
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
        each: &mut impl FnMut(ProfileKey, BaselineSource) -> Result<(), PruneError>,
    ) -> Result<(), PruneError> {
        let mut gone = 0;
        for (time, seq) in &times {
            if self.to_remove.covers_entry(&self.next, *time, *seq) {
                gone += 1;
                let own = fingerprint(key, *time, *seq);
                self.fingerprint = self.fingerprint.wrapping_add(own);
            }
        }
        let older = times.partition_point(|(time, _)| *time < self.next.before);
        self.report.events += gone;
        self.report.kept += older as u64 - gone;
        self.report.profiles += u64::from(gone > 0);
        self.report.baselines += u64::from(gone > 0 || baseline.is_some());
        self.events += times.len() as u64;
        self.keys += 1;
        if self.keys.is_multiple_of(PROGRESS_INTERVAL) {
            let last_seq = self.snapshot.last_seq();
            (self.progress)(self.events.min(last_seq), last_seq);
            if (self.stop)() {
                return Err(PruneError::Stopped);
            }
        }
        match gone > 0 || baseline.is_some() {
            true => each(key, BaselineSource::new(times, baseline, self.to_remove)),
            false => Ok(()),
        }
    }
}

/// A batch of (sub)profiles, and the writer that their baselines go to.
struct Run<'a> {
    to_remove: &'a EventsToRemove,
    reader: EventReader,
    damage: Damages,
    batch: VecDeque<(ProfileKey, BaselineSource)>,
    /// The number of events of the batch.
    events: usize,
    writer: BaselineWriter,
}

impl Run<'_> {
    fn take(&mut self, key: ProfileKey, source: BaselineSource) -> Result<(), PruneError> {
        self.events += source.len();
        self.batch.push_back((key, source));
        if self.batch.len() >= BATCH_PROFILES || self.events >= BATCH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PruneError> {
        self.events = 0;
        let mut batch = std::mem::take(&mut self.batch);
        // The last second suffices in most cases.
        let last_seconds = batch.iter().flat_map(|(_, source)| source.last_seqs());
        self.reader.read_ahead(last_seconds.collect());
        for (_, source) in &mut batch {
            if let Some(known) = self.resolve(source, true)? {
                *source = BaselineSource::known(known);
            }
        }
        while !batch.is_empty() {
            let mut seqs = Vec::new();
            let fits = batch.iter().take_while(|(_, source)| {
                let fits = seqs.len() < READ_AHEAD;
                seqs.extend(source.seqs());
                fits
            });
            let count = fits.count();
            self.reader.read_ahead(seqs);
            for (key, mut source) in batch.drain(..count) {
                if let Some(baseline) = self.resolve(&mut source, false)? {
                    self.writer.add(&KeptBaseline { key, baseline })?;
                }
            }
        }
        Ok(())
    }

    /// Makes the baseline of a (sub)profile, if its last second, or else all of its
    /// events, determine it.
    fn resolve(
        &mut self,
        source: &mut BaselineSource,
        last_second: bool,
    ) -> Result<Option<Baseline>, LogError> {
        let (reader, damage) = (&mut self.reader, &mut self.damage);
        baseline_of(source, last_second, self.to_remove, reader, damage)
    }
}
