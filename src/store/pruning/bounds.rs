//! The events that a prune removes, and the limits that protect the others.

use super::PruneError;
use crate::event::{ProfileKey, TimeSource};
use crate::log::record::{EventHead, rejected_time};
use crate::log::{Log, LogError};
use crate::store::retention::{Pruned, Retention, SeqSet};
use crate::store::{Snapshot, Step, Trail};

/// The number of newest events that are compared with the clock.
const WITNESSES: u64 = 100;

/// The events that a prune removes, according to the log.
pub(super) struct EventsToRemove {
    /// Their `seq`, and those of events that were pruned before but are still in
    /// the index.
    pub seqs: SeqSet,
    /// The number of events that this prune removes.
    pub events: u64,
    /// The sum of the fingerprints of these.
    pub fingerprint: u64,
    /// Unreadable events, whose receipt time is unknown.
    unreadable: SeqSet,
}

impl EventsToRemove {
    /// Whether an event of the index is removed. Also true for an unreadable event
    /// that might be: then index and log will differ, and the prune fails.
    pub fn covers_entry(&self, next: &Pruned, time: i64, seq: u64) -> bool {
        self.seqs.contains(seq)
            || (time < next.before && seq <= next.events && self.unreadable.contains(seq))
    }

    /// Finds them by reading the heads of all records before the cutoff.
    pub fn find(
        snapshot: &Snapshot<'_>,
        next: &Pruned,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, PruneError> {
        let mut to_remove = Self {
            seqs: snapshot.retention().in_index.clone(),
            events: 0,
            fingerprint: 0,
            unreadable: SeqSet::default(),
        };
        let mut walk = snapshot.walk(i64::MIN, next.before)?;
        loop {
            let step = walk.step(|seq, record| match EventHead::decode(record) {
                Ok(head) if next.covers(head.time, head.received, seq) => {
                    to_remove.seqs.insert(seq);
                    to_remove.events += 1;
                    let own = fingerprint(head.key(), head.time, seq);
                    to_remove.fingerprint = to_remove.fingerprint.wrapping_add(own);
                }
                Ok(_) => {}
                Err(_) => to_remove.unreadable.insert(seq),
            })?;
            match step {
                Step::Records => {}
                Step::Damage(damage) => {
                    for seq in damage.first_seq..=damage.last_seq.min(next.events) {
                        to_remove.unreadable.insert(seq);
                    }
                }
                Step::End => return Ok(to_remove),
            }
            if stop() {
                return Err(PruneError::Stopped);
            }
        }
    }
}

impl Trail {
    /// The bounds of a prune up to `before`: only records in segments that are
    /// closed now.
    pub(super) fn next_bounds(&self, before: i64, snapshot: &Snapshot<'_>) -> Pruned {
        let present = snapshot.retention().pruned.unwrap_or_default();
        let events = closed_end(&self.events).min(snapshot.last_seq());
        Pruned {
            before,
            events: events.max(present.events),
            rejected: closed_end(&self.rejected).max(present.rejected),
            ..present
        }
    }

    /// Counts the rejected calls that the prune would remove.
    pub(super) fn count_rejected(
        &self,
        present: &Retention,
        next: &Pruned,
    ) -> Result<u64, LogError> {
        let mut count = 0;
        let mut scan = self.rejected.scan_range(1, next.rejected);
        while let Some(records) = scan.next_records(|_| ())? {
            let received = records.filter_map(|(seq, bytes)| Some((rejected_time(bytes)?, seq)));
            let goes = received.filter(|(time, seq)| {
                next.covers_rejected(*time, *seq) && !present.hides_rejected(*time, *seq)
            });
            count += goes.count() as u64;
        }
        Ok(count)
    }

    /// The current time in Unix seconds, as far as the newest events confirm it: the
    /// earliest of the clock `now`, the receipt time of the last event, and the 90th
    /// percentile of the sender times of the last [`WITNESSES`] events. So a clock
    /// that has jumped ahead does not make every event old.
    pub(super) fn witnessed_now(&self, now: i64) -> Result<i64, PruneError> {
        let last_seq = self.last_seq();
        let mut scan = self.events.scan(last_seq.saturating_sub(WITNESSES) + 1);
        let mut times = Vec::new();
        let mut received = now;
        while let Some(records) = scan.next_records(|_| ())? {
            for (_, bytes) in records {
                if let Ok(head) = EventHead::decode(bytes) {
                    received = head.received.div_euclid(1_000_000);
                    if head.time_source != TimeSource::Received {
                        times.push(head.time);
                    }
                }
            }
        }
        times.sort_unstable();
        let latest = times.get((times.len() * 9 / 10).min(times.len().saturating_sub(1)));
        Ok(now.min(received).min(latest.copied().unwrap_or(now)))
    }
}

/// The last `seq` of the closed segments of a log; 0 without any.
fn closed_end(log: &Log) -> u64 {
    log.closed().last().map_or(0, |(_, last)| *last)
}

/// A checksum of an event. Equal sets of events have equal sums.
pub(super) fn fingerprint(key: ProfileKey, time: i64, seq: u64) -> u64 {
    let subprofile = key.subprofile.map_or(0, |number| !number);
    let numbers = [key.profile, subprofile, time.cast_unsigned(), seq];
    let bytes = numbers.map(u64::to_le_bytes);
    u64::from(crc32c::crc32c(bytes.as_flattened())).wrapping_mul(seq | 1)
}
