//! The baselines of all (sub)profiles, in bounded memory.
//!
//! (Sub)profiles come in their order, and so do the baselines that are left
//! from before. Those that lose events wait until they are many; then the last
//! of their events are read in the order of the log, each block once.

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

/// How many (sub)profiles wait at most.
const WAITING: usize = 8_192;

/// How many events those have at most, but for the last.
const EVENTS: usize = 1 << 18;

/// How many events are read ahead at once.
const READ_AHEAD: usize = 16_384;

/// How many bytes those have at most.
const AHEAD_LEN: usize = 32 << 20;

/// How often, in (sub)profiles, the work is told of.
const TELL: u64 = 1_024;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Events that go.
    pub events: u64,
    /// Events before the time that stay.
    pub kept: u64,
    /// (Sub)profiles that lose events.
    pub profiles: u64,
    /// Baselines.
    pub baselines: u64,
    /// By which the events that go are compared with those in the log.
    pub fingerprint: u64,
}

/// Makes the baselines of a prune.
pub(super) struct BaselineBuilder<'a> {
    snapshot: Snapshot<'a>,
    next: Pruned,
    going: &'a Going,
    stop: &'a dyn Fn() -> bool,
    tell: &'a mut dyn FnMut(u64, u64),
    counts: Counts,
}

/// A (sub)profile on its way.
enum Item {
    /// It keeps the baseline it has.
    Unchanged(Box<KeptBaseline>),
    /// It loses events.
    Pending(ProfileKey, Box<PendingProfile>),
}

impl<'a> BaselineBuilder<'a> {
    pub(super) fn new(
        snapshot: Snapshot<'a>,
        next: Pruned,
        going: &'a Going,
        stop: &'a dyn Fn() -> bool,
        tell: &'a mut dyn FnMut(u64, u64),
    ) -> Self {
        Self {
            snapshot,
            next,
            going,
            stop,
            tell,
            counts: Counts::default(),
        }
    }

    /// Counts what would go.
    pub(super) fn count(mut self) -> Result<Counts, PruneError> {
        self.each_item(|_| Ok(()))?;
        Ok(self.counts)
    }

    /// Writes the baselines, if any event goes, and tells where they are. Their
    /// folder must exist.
    pub(super) fn write(mut self) -> Result<(Counts, Pruned), PruneError> {
        let folder = self.snapshot.trail().folder();
        let next = self.next;
        // Without an event that goes, those that there are stay as they are.
        self.each_item(|_| Ok(()))?;
        // What the index does not know would go without leaving anything.
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
        // What is known to be lost is missed by nobody.
        let (damage, _) = run.damage.into_lines();
        if !damage.is_empty() {
            return Err(PruneError::Unreadable(damage));
        }
        let writer = run.owners.write(run.writer)?;
        let next = writer.finish(next)?;
        Ok((self.counts, next))
    }

    /// Hands every (sub)profile to `each` that has or gets a baseline, in their
    /// order: one ordered pass over the index beside one over the baselines.
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
            // Of those before, a baseline is all there is.
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

    /// Counts what goes of a (sub)profile, and hands it on.
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
        if seen.keys.is_multiple_of(TELL) {
            let last_seq = self.snapshot.last_seq();
            (self.tell)(seen.events.min(last_seq), last_seq);
            if (self.stop)() {
                return Err(PruneError::Stopped);
            }
        }
        if gone > 0 {
            let waiting = Box::new(PendingProfile::new(times, baseline, self.going));
            each(Item::Pending(key, waiting))
        } else if let Some(baseline) = baseline {
            each(Item::Unchanged(Box::new(KeptBaseline { key, baseline })))
        } else {
            Ok(())
        }
    }
}

/// How far a pass is.
#[derive(Default)]
struct Seen {
    events: u64,
    keys: u64,
}

/// The baselines that are left from before, one at hand.
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

    /// The next one, if it stands before a (sub)profile's, or any.
    fn before(&mut self, key: Option<ProfileKey>) -> Result<Option<KeptBaseline>, PruneError> {
        self.next_if(|next| key.is_none_or(|key| next.key < key))
    }

    /// That of a (sub)profile, where it has one and those before were taken.
    fn of(&mut self, key: ProfileKey) -> Result<Option<Baseline>, PruneError> {
        Ok(self
            .next_if(|next| next.key == key)?
            .map(|kept| kept.baseline))
    }
}

/// A (sub)profile, and the record of its baseline or what that is made of.
type Found = (ProfileKey, Option<Vec<u8>>, Option<Box<PendingProfile>>);

/// Baselines on their way to the disk.
struct Run<'a> {
    going: &'a Going,
    reader: EventReader,
    damage: Damages,
    items: Vec<Item>,
    /// How many events those have.
    events: usize,
    owners: Owners,
    writer: BaselineWriter,
}

impl Run<'_> {
    fn take(&mut self, item: Item) -> Result<(), PruneError> {
        if let Item::Pending(_, waiting) = &item {
            self.events += waiting.len();
        }
        self.items.push(item);
        if self.items.len() >= WAITING || self.events >= EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PruneError> {
        self.events = 0;
        let items = std::mem::take(&mut self.items);
        let waiting = |item: &Item| match item {
            Item::Pending(_, waiting) => waiting.last_seqs().collect(),
            Item::Unchanged(_) => Vec::new(),
        };
        self.reader
            .read_ahead(items.iter().flat_map(waiting).collect());
        // First by the last second alone, which says all in most cases.
        let mut found: Vec<Found> = Vec::new();
        for item in items {
            match item {
                Item::Unchanged(kept) => {
                    self.owners.note(kept.key, kept.baseline.place.seq)?;
                    found.push((kept.key, Some(encode(*kept)?), None));
                }
                Item::Pending(key, waiting) => {
                    let last = baseline_of(
                        &waiting,
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
                        None => found.push((key, None, Some(waiting))),
                    }
                }
            }
        }
        let mut ahead = 0_usize;
        for at in 0..found.len() {
            if ahead == 0 {
                // The next ones that need all of their events.
                let mut seqs = Vec::new();
                for (_, _, waiting) in found.iter().skip(at) {
                    if !seqs.is_empty() && seqs.len() >= READ_AHEAD {
                        break;
                    }
                    ahead += 1;
                    seqs.extend(waiting.iter().flat_map(|waiting| waiting.seqs()));
                }
                let fits = seqs.len() < 2 * READ_AHEAD;
                self.reader.read_ahead(if fits { seqs } else { Vec::new() });
            }
            ahead -= 1;
            let Some((key, record, waiting)) = found.get_mut(at) else {
                break;
            };
            let key = *key;
            let record = match (record.take(), waiting.take()) {
                (Some(record), _) => Some(record),
                (None, Some(waiting)) => {
                    let all = baseline_of(
                        &waiting,
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

/// The record of a baseline.
pub(super) fn encode(kept: KeptBaseline) -> Result<Vec<u8>, PruneError> {
    kept.encode()
        .map_err(|error| PruneError::Baselines(std::io::Error::other(error)))
}
