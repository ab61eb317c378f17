//! Pruning a data folder: old events are removed, baselines are kept.
//!
//! [`Trail::prune`] decides which events are pruned ([`bounds`]), makes the
//! baselines ([`gather`]), commits, and removes the events. [`crate::store::retention`]
//! describes what is on disk at each point. [`start_retention`] prunes in a server.
//!
//! Safeguards: an event is pruned only if it happened *and* arrived before the given time
//! and is in a closed segment; a time less than a day ago is refused; index and log must
//! agree on the pruned events, so that no (sub)profile loses events without getting a
//! baseline; and a server's cutoff ([`Trail::keep`]) also considers the newest events, so
//! that a clock set too far ahead prunes nothing.

mod bounds;
mod gather;
mod last;
mod report;
mod restore;
mod schedule;

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

pub use report::{PruneError, PruneReport};
pub use restore::Restore;
pub use schedule::{RetentionPeriod, start_retention};

use self::bounds::EventsToRemove;
use self::gather::BaselineBuilder;
use super::damages::Damages;
use super::error::TrailError;
use super::open::Trail;
use crate::event::seconds_to_rfc3339;
use crate::log::record::{control_json, event_time, is_pruned, rejected_time};
use crate::log::{Erasure, Log, leaf_of, remove_segments_outside, segment_of_set_aside};
use crate::storage::{RealDisk, Storage};
use crate::store::retention::{
    CommitError, Leaves, Pruned, Removal, Removed, Retention, SeqSet, commit, holds,
};

/// Events younger than this are never pruned, in seconds.
pub const YOUNGEST: i64 = 86_400;

/// How long a prune waits for answers that began before the commit.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two checks whether they have ended.
const PAUSE: Duration = Duration::from_millis(5);

/// State that one prune leaves to the next.
#[derive(Default)]
pub(super) struct Pruning {
    /// Whether it is unknown if the last commit is durable.
    pub(super) uncertain: bool,
    /// The generation for which the segments were closed last: events that its erasure removes
    /// are in closed segments.
    pub(super) closed_for: u64,
    /// The retentions that commits have replaced. While an answer holds one, nothing
    /// that it can read is removed.
    earlier: Vec<Weak<Retention>>,
}

impl Pruning {
    /// Whether all answers that began before a commit have ended.
    pub(super) fn is_settled(&mut self) -> bool {
        self.earlier.retain(|earlier| earlier.strong_count() > 0);
        self.earlier.is_empty()
    }

    /// Waits a while for that: they may still read events that were hidden since.
    pub(super) fn settle(&mut self, stop: &dyn Fn() -> bool) -> bool {
        let begun = Instant::now();
        while !self.is_settled() {
            if stop() || begun.elapsed() > PATIENCE {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}

/// The parameters of a prune.
pub struct PruneOrder<'a> {
    /// Events before this time are pruned, in Unix seconds.
    pub before: i64,
    /// The current time in Unix seconds.
    pub now: i64,
    /// Only report what would be pruned.
    pub dry_run: bool,
    /// Polled often; the prune stops when it returns `true`.
    pub stop: &'a dyn Fn() -> bool,
    /// Called with the work done and the work in all.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

impl Trail {
    /// Prunes, or reports the effect of pruning. Only one prune runs at a time.
    pub fn prune(&self, order: PruneOrder<'_>) -> Result<PruneReport, PruneError> {
        let PruneOrder {
            before,
            now,
            dry_run,
            stop,
            progress,
        } = order;
        let youngest = now.saturating_sub(YOUNGEST);
        if before > youngest {
            return Err(PruneError::TooYoung { before, youngest });
        }
        let mut pruning = self.begin_pruning()?;
        let snapshot = self.snapshot();
        snapshot.wait_for_index(|_| ())?;
        let present = self.retention();
        let mut report = PruneReport {
            before: seconds_to_rfc3339(before),
            already: present.before().map(seconds_to_rfc3339),
            dry_run,
            ..PruneReport::default()
        };
        if present.before().is_none_or(|already| already <= before) {
            let next = self.next_bounds(before, &snapshot);
            self.check_readable(next.events)?;
            let to_remove = EventsToRemove::find(&snapshot, &next, stop)?;
            report.rejected = self.count_rejected(&present, &next)?;
            let builder = BaselineBuilder {
                snapshot,
                next,
                to_remove: &to_remove,
                stop,
                progress: &mut *progress,
                report: &mut report,
                fingerprint: 0,
                events: 0,
                keys: 0,
            };
            if dry_run {
                builder.count()?;
                let all = |first, last| to_remove.seqs.contains_all(first, last);
                report.bytes = self.events.bytes_of_blocks(next.events, &all)?;
                return Ok(report);
            }
            self.folder().make_baselines()?;
            let written = builder.write();
            if written.is_err() {
                // A failed write may have filled the disk: remove its files.
                let kept = Pruned::kept(present.pruned.as_ref());
                let _ = remove_segments_outside(&RealDisk, &self.folder().baselines(), kept);
            }
            let next = written?;
            if report.events + report.rejected > 0 {
                let next = (Some(next), present.erasures.clone());
                self.put_in_place(&mut pruning, &present, next, to_remove.seqs)?;
            }
        } else if dry_run {
            return Ok(report);
        }
        drop(present);
        if !pruning.settle(stop) {
            report.waiting = true;
            return Ok(report);
        }
        let removed = self.remove_hidden(stop, progress)?;
        Ok(PruneReport {
            segments: removed.segments,
            bytes: removed.bytes,
            damage: removed.damage,
            ..report
        })
    }

    /// Commits the new bounds and erasures, and installs them for answers that begin from
    /// now on.
    pub(super) fn put_in_place(
        &self,
        pruning: &mut Pruning,
        present: &Arc<Retention>,
        (next, erasures): (Option<Pruned>, Vec<Erasure>),
        in_index: SeqSet,
    ) -> Result<(), PruneError> {
        let folder = self.folder();
        let text = self.format_text(next, &erasures);
        commit(&RealDisk, folder.path(), &text).inspect_err(|error| {
            pruning.uncertain = matches!(error, CommitError::Unknown(_));
        })?;
        let dir = folder.baselines();
        let storage = Arc::new(RealDisk);
        let state = (next, erasures);
        let opened = Retention::open(storage, &dir, folder.log_id, state, in_index);
        // On failure the disk is right, but the state of this process is not.
        pruning.uncertain = opened.is_err();
        let opened = Arc::new(opened?);
        *self.retention.write() = opened;
        pruning.earlier.push(Arc::downgrade(present));
        self.removal_due.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes pruned and erased records that are still on disk. Those of an erasure are
    /// in closed segments.
    pub(super) fn remove_hidden(
        &self,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Removed, PruneError> {
        let mut removed = Removed::default();
        let retention = self.retention();
        let erasing = retention.unfinished().next().is_some();
        if retention.pruned.is_none() && !erasing {
            return Ok(removed);
        }
        let pruned = retention.pruned.unwrap_or_default();
        // An erasure judges no event by its time.
        let segments = |log: &Log, last, is_erasing: &dyn Fn(u64, u64) -> bool| {
            let mut segments = match retention.pruned {
                Some(pruned) => log.older_than(pruned.before, last)?,
                None => Vec::new(),
            };
            let mut others = log.closed();
            others.retain(|(first, last)| is_erasing(*first, *last));
            segments.extend(others);
            segments.sort_unstable();
            segments.dedup();
            Ok::<_, TrailError>(segments)
        };
        let generation = pruned.baselines..pruned.end;
        remove_segments_outside(&RealDisk, &self.folder().baselines(), generation)?;
        // Without a signed tree every leaf is kept.
        let signed = self.prover.signed_tiles(stop);
        let tiles = signed.and_then(|tiles| Ok((tiles, self.prover.anchored_tiles()?)));
        let (tiles, anchored) = tiles.unwrap_or_else(|error| {
            tracing::warn!("pruned events keep their hashes: {error}");
            (0, Vec::new())
        });
        let salts = RefCell::new(self.prover.salts());
        let events = Removal {
            segments: segments(&self.events, pruned.events, &|first, last| {
                (first..=last).any(|seq| retention.erasing.contains(seq))
            })?,
            covers: &|seq, record| {
                control_json(record).is_none() && retention.hides_record(seq, record)
            },
            time_of: &event_time,
            leaves: Some(Leaves {
                tiles,
                anchored,
                leaf_of: &|seq, record| leaf_of(seq, record, &mut salts.borrow_mut()),
            }),
        };
        removed.add(events.run(&self.events, stop, progress)?);
        let rejected = Removal {
            segments: segments(&self.rejected, pruned.rejected, &|first, last| {
                let mut numbers = retention.unfinished().flat_map(|own| &own.rejected);
                numbers.any(|number| (first..=last).contains(number))
            })?,
            covers: &|number, record| {
                rejected_time(record).is_some_and(|time| retention.hides_rejected(time, number))
            },
            time_of: &rejected_time,
            leaves: None,
        };
        removed.add(rejected.run(&self.rejected, stop, &mut |_, _| ())?);
        remove_set_aside(&self.events, &self.folder().log(), erasing)?;
        remove_set_aside(&self.rejected, &self.folder().rejected(), erasing)?;
        if erasing {
            self.indexer.remove_set_aside().map_err(TrailError::from)?;
        }
        let removed_pruned = self.indexer.remove_pruned(stop);
        if !removed_pruned.map_err(TrailError::from)? {
            return Err(PruneError::Stopped);
        }
        self.removal_due.store(false, Ordering::Release);
        Ok(removed)
    }

    /// Fails if events up to a `seq` cannot be read: their (sub)profiles are unknown,
    /// so any baseline might lack them. Events that a repair has declared lost are
    /// ignored.
    pub(super) fn check_readable(&self, last: u64) -> Result<(), PruneError> {
        let unknown = self.snapshot().without_owner(&mut Damages::default())?;
        let missing = unknown.iter().filter(|(first, _)| *first <= last);
        let ranges: Vec<_> = missing
            .map(|(first, last)| format!("events {first} to {last}"))
            .collect();
        if ranges.is_empty() {
            Ok(())
        } else {
            Err(PruneError::Unreadable(ranges))
        }
    }

    /// Locks out other prunes. Waits a while, since a server's scheduled prune may
    /// only be checking whether it has work. Fails after a commit that may not be durable.
    pub(super) fn begin_pruning(&self) -> Result<MutexGuard<'_, Pruning>, PruneError> {
        let locked = self.pruning.try_lock_for(PATIENCE);
        let pruning = locked.ok_or(PruneError::Busy)?;
        if pruning.uncertain {
            return Err(PruneError::Uncertain);
        }
        Ok(pruning)
    }
}

/// Deletes the files that recovery and repair have set aside for segments with pruned
/// records, or for `all`: they may hold the same records. They are named after the segment,
/// with `.torn-` or `.damaged-` in the name.
fn remove_set_aside(log: &Log, dir: &Path, all: bool) -> Result<(), PruneError> {
    let closed = log.closed();
    let names = RealDisk.list(dir).map_err(TrailError::io("listing", dir))?;
    for name in names {
        let Some(seq) = segment_of_set_aside(&name) else {
            continue;
        };
        let within = |(first, last): &&(u64, u64)| (*first..=*last).contains(&seq);
        let goes = all
            || match closed.iter().find(within) {
                Some((first, last)) => holds(log, *first, *last, &|_, record| is_pruned(record))?,
                None => false,
            };
        if goes {
            let path = dir.join(&name);
            RealDisk
                .remove(&path)
                .map_err(TrailError::io("removing", &path))?;
            tracing::info!("removed {}, which may hold removed records", path.display());
        }
    }
    RealDisk
        .sync_dir(dir)
        .map_err(TrailError::io("syncing", dir))?;
    Ok(())
}
