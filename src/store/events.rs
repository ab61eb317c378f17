//! A (sub)profile's events and its baseline.

use crate::history::{Baseline, Replay};

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
