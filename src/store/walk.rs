//! The events of a span of time, in the order of arrival.

use std::collections::VecDeque;

use super::batch::Batch;
use super::damages::Damages;
use super::snapshot::Snapshot;
use crate::log::{Damage, LogError, Scan, Scanned};

/// Reads the events of a snapshot that may be of a span of time, in the order of
/// arrival.
pub struct Walk<'a> {
    snapshot: Snapshot<'a>,
    /// First and last `seq` of the ranges that are still to be read.
    ranges: VecDeque<(u64, u64)>,
    /// The current scan and its last `seq`.
    scan: Option<(Scan, u64)>,
    /// How many events it reads in all.
    pub events: u64,
    /// How many of them it has read.
    pub events_done: u64,
    /// The `seq` up to which it has read.
    pub read_up_to: u64,
}

/// How many bytes of records a batch has at least, except the last one.
const BATCH_LEN: usize = 256 << 10;

/// Consecutive events of a [`Walk`], to be read on another thread.
#[derive(Debug, Default)]
pub struct WalkBatch {
    /// Their records.
    pub records: Batch,
    /// Events between these that cannot be read.
    pub damage: Damages,
    /// How many events the walk has read up to here.
    pub done: u64,
}

/// The records of one step of a [`Walk`].
#[derive(Debug)]
pub enum Step {
    /// The records of a frame.
    Records,
    /// Events that cannot be read.
    Damage(Damage),
    /// The end of the walk.
    End,
}

impl<'a> Walk<'a> {
    /// The events of some ordered ranges of `seq`.
    pub(super) fn new(snapshot: Snapshot<'a>, ranges: Vec<(u64, u64)>) -> Self {
        let last = snapshot.last_seq();
        let mut walk = Self {
            snapshot,
            ranges: ranges.into(),
            scan: None,
            events: 0,
            events_done: 0,
            read_up_to: 0,
        };
        walk.clip(1, last);
        walk
    }

    /// Skips the events up to a `seq`.
    pub fn after(mut self, seq: u64) -> Self {
        self.clip(seq.saturating_add(1), u64::MAX);
        self
    }

    fn clip(&mut self, from: u64, to: u64) {
        for (first, last) in &mut self.ranges {
            *first = (*first).max(from);
            *last = (*last).min(to);
        }
        self.ranges.retain(|(first, last)| first <= last);
        let lens = self.ranges.iter().map(|(first, last)| last - first + 1);
        self.events = lens.sum();
    }

    /// Reads the next batch; `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<WalkBatch>, LogError> {
        let mut batch = WalkBatch::default();
        while batch.records.bytes_len() < BATCH_LEN {
            match self.step(|seq, record| batch.records.push(seq, record))? {
                Step::Records => {}
                Step::Damage(found) => batch.damage.add(found.to_string()),
                Step::End if batch.records.is_empty() && batch.damage.is_empty() => {
                    return Ok(None);
                }
                Step::End => break,
            }
        }
        batch.done = self.events_done;
        Ok(Some(batch))
    }

    /// Reads a frame, and calls `each` with its records and their `seq`.
    pub fn step(&mut self, mut each: impl FnMut(u64, &[u8])) -> Result<Step, LogError> {
        loop {
            let Some((scan, last)) = &mut self.scan else {
                let Some((first, last)) = self.ranges.pop_front() else {
                    return Ok(Step::End);
                };
                self.scan = Some((self.snapshot.trail().events.scan_range(first, last), last));
                continue;
            };
            match scan.step()? {
                Some(Scanned::Records(records)) => {
                    for (seq, bytes) in records {
                        self.events_done += 1;
                        self.read_up_to = seq;
                        if !self.snapshot.retention().hides_record(seq, bytes) {
                            each(seq, bytes);
                        }
                    }
                    return Ok(Step::Records);
                }
                Some(Scanned::Damage(damage)) => {
                    self.read_up_to = damage.last_seq.min(*last);
                    self.events_done += (self.read_up_to + 1).saturating_sub(damage.first_seq);
                    return Ok(Step::Damage(damage));
                }
                None => self.scan = None,
            }
        }
    }
}
