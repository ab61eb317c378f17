//! The events of a span of time, in the order of arrival.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::TrailError;
use super::open::Trail;
use crate::log::{Damage, LogError, Scan, Scanned};
use crate::store::retention::Retention;

/// Goes over the events of the log that may be of a span of time, in the order
/// of arrival: those that were synced when it began, without what was pruned.
pub struct Walk<'a> {
    trail: &'a Trail,
    retention: Arc<Retention>,
    /// First and last `seq` of what is still to be read.
    stretches: VecDeque<(u64, u64)>,
    /// The scan under way, and the last `seq` that is wanted of it.
    scan: Option<(Scan, u64)>,
    all: u64,
    done: u64,
}

/// What a step of a [`Walk`] came to.
#[derive(Debug)]
pub enum Step {
    /// The records of a frame were handed out.
    Records,
    /// Events that cannot be read.
    Damage(Damage),
    /// There is no more.
    End,
}

impl<'a> Walk<'a> {
    pub(super) fn new(trail: &'a Trail, stretches: Vec<(u64, u64)>) -> Self {
        Self {
            trail,
            retention: trail.retention(),
            all: stretches.iter().map(|(first, last)| last - first + 1).sum(),
            stretches: stretches.into(),
            scan: None,
            done: 0,
        }
    }

    /// The same without the events up to a `seq`.
    pub fn after(mut self, seq: u64) -> Self {
        self.stretches.retain(|(_, last)| *last > seq);
        for (first, _) in &mut self.stretches {
            *first = (*first).max(seq.saturating_add(1));
        }
        let lens = self.stretches.iter().map(|(first, last)| last - first + 1);
        self.all = lens.sum();
        self
    }

    /// How many events it reads in all.
    pub const fn events(&self) -> u64 {
        self.all
    }

    /// How many of them it has read.
    pub const fn events_done(&self) -> u64 {
        self.done
    }

    /// Reads a frame, and hands its records to `each` with their `seq`.
    pub fn step(&mut self, mut each: impl FnMut(u64, &[u8])) -> Result<Step, LogError> {
        loop {
            let Some((scan, last)) = &mut self.scan else {
                let Some((first, last)) = self.stretches.pop_front() else {
                    return Ok(Step::End);
                };
                self.scan = Some((self.trail.events.scan_range(first, last), last));
                continue;
            };
            match scan.step()? {
                Some(Scanned::Records(records)) => {
                    for (seq, bytes) in records {
                        self.done += 1;
                        if !self.retention.hides_record(seq, bytes) {
                            each(seq, bytes);
                        }
                    }
                    return Ok(Step::Records);
                }
                Some(Scanned::Damage(damage)) => {
                    self.done += (damage.last_seq.min(*last) + 1).saturating_sub(damage.first_seq);
                    return Ok(Step::Damage(damage));
                }
                None => self.scan = None,
            }
        }
    }
}

impl Trail {
    /// The events from a `seq` on.
    pub fn walk_from(&self, seq: u64) -> Result<Walk<'_>, TrailError> {
        let last = self.last_seq();
        // Where all are read, blocks of pruned records alone are passed over.
        Ok(match seq {
            0 | 1 => self.walk(i64::MIN, i64::MAX)?,
            _ if seq > last => Walk::new(self, Vec::new()),
            _ => Walk::new(self, vec![(seq, last)]),
        })
    }

    /// The events that may be of a span of time (`until` exclusive), and others.
    pub fn walk(&self, since: i64, until: i64) -> Result<Walk<'_>, TrailError> {
        Ok(Walk::new(
            self,
            self.events.stretches_touching(since, until)?,
        ))
    }
}
