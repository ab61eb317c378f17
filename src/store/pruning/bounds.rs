//! What goes, and what must stay whatever is asked.

use super::{PruneError, YOUNGEST};
use crate::event::TimeSource;
use crate::log::record::{EventHead, is_pruned, received_time, rejected_time};
use crate::log::{Log, LogError, Scanned};
use crate::store::Trail;
use crate::store::retention::{Pruned, Retention};

/// So many of the newest events tell what time it is.
const WITNESSES: u64 = 100;

/// So many records of a segment are looked at for one that tells when it came.
const TRIES: u64 = 64;

impl Trail {
    /// What is pruned once everything before a time is: records that came
    /// before it, in closed segments.
    pub(super) fn next_bounds(
        &self,
        before: i64,
        present: Option<Pruned>,
    ) -> Result<Pruned, LogError> {
        let present = present.unwrap_or_default();
        Ok(Pruned {
            before,
            events: arrived_before(&self.events, before, present.events, received_time)?,
            rejected: arrived_before(&self.rejected, before, present.rejected, rejected_time)?,
            ..present
        })
    }

    /// How many calls that could not be read would go.
    pub(super) fn count_rejected(
        &self,
        present: &Retention,
        next: &Pruned,
    ) -> Result<u64, LogError> {
        let mut count = 0;
        let mut scan = self.rejected.scan_range(1, next.rejected);
        while let Some(found) = scan.step()? {
            if let Scanned::Records(records) = found {
                let received =
                    records.filter_map(|(seq, bytes)| Some((rejected_time(bytes)?, seq)));
                let goes = received.filter(|(time, seq)| {
                    next.hides_rejected(*time, *seq) && !present.hides_rejected(*time, *seq)
                });
                count += goes.count() as u64;
            }
        }
        Ok(count)
    }

    /// The present second as far as the newest events bear it out: the earliest
    /// of what the clock says, when the last event came, and what the last
    /// hundred say by their sender's clock, but for the tenth of them that are
    /// latest. A clock that has jumped ahead must not make everything old.
    pub(super) fn witnessed_now(&self, now: i64) -> Result<i64, PruneError> {
        let last_seq = self.last_seq();
        let mut scan = self.events.scan(last_seq.saturating_sub(WITNESSES) + 1);
        let mut times = Vec::new();
        let mut received = now;
        while let Some(found) = scan.step()? {
            let Scanned::Records(records) = found else {
                continue;
            };
            for (_, bytes) in records {
                if let Ok((head, _)) = EventHead::decode(bytes) {
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

/// The greatest time before which everything may be pruned that is older than
/// `seconds` at a moment.
pub(super) const fn not_younger(now: i64, before: i64) -> i64 {
    let youngest = now.saturating_sub(YOUNGEST);
    if before < youngest { before } else { youngest }
}

/// `seq` of the last record in a closed segment that arrived before a time, but
/// not less than `already`. Records come in the order of their arrival, but for
/// a clock that was set: the last segment counts that began before the time.
fn arrived_before(
    log: &Log,
    before: i64,
    already: u64,
    arrived: impl Fn(&[u8]) -> Option<i64>,
) -> Result<u64, LogError> {
    let mut begun = None;
    for (first, last) in log.closed(u64::MAX) {
        if last <= already {
            continue;
        }
        let first = first.max(already + 1);
        let mut scan = log.scan_range(first, last.min(first + TRIES - 1));
        'tries: while let Some(found) = scan.step()? {
            let Scanned::Records(records) = found else {
                continue;
            };
            for (_, bytes) in records {
                if let Some(time) = arrived(bytes) {
                    if time < before {
                        begun = Some((first, last));
                    }
                    break 'tries;
                }
            }
        }
    }
    let Some((first, last)) = begun else {
        return Ok(already);
    };
    let mut end = first - 1;
    let mut scan = log.scan_range(first, last);
    while let Some(found) = scan.step()? {
        if let Scanned::Records(records) = found {
            for (seq, bytes) in records {
                if !is_pruned(bytes) && arrived(bytes).is_some_and(|time| time < before) {
                    end = seq;
                }
            }
        }
    }
    Ok(end)
}
