//! Calls that are refused for their signature, or before it is checked: counted and logged by
//! reason.
//!
//! Refused calls are not kept unless only their date is wrong, so these counts are the owner's only
//! way to find out why Copernica's calls do not arrive.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::auth::signature::Refusal;
use crate::log_limiter::LogLimiter;
use crate::metrics::Metrics;
use crate::ops::doctor::Refused;

#[derive(Debug)]
pub(super) struct Refusals {
    metrics: Metrics,
    reasons: Mutex<BTreeMap<&'static str, Reason>>,
    /// The age in seconds of the last verified call's date at its receipt: how far this machine's
    /// clock is ahead of the sender's, plus the call's travel time.
    pub last_age: Mutex<Option<i64>>,
}

#[derive(Debug, Default)]
struct Reason {
    count: u64,
    /// The value that the last call named, if any.
    last: Option<String>,
    log: LogLimiter,
}

impl Refusals {
    /// No refusals yet; they also count in `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            reasons: Mutex::default(),
            last_age: Mutex::default(),
        }
    }

    /// Counts a refusal of a call from an address. `detail` is for the owner; it may be empty.
    pub fn note(&self, refusal: Refusal, detail: &str, remote: Option<&str>) {
        let remote = remote.unwrap_or("an unknown address");
        let shown = match detail {
            "" => String::new(),
            detail => format!(" ({detail})"),
        };
        // A call with only a wrong date is not lost: `rejected --retry` can enter it.
        let outcome = match refusal {
            Refusal::Stale(_) | Refusal::Ahead(_) => "kept as rejected",
            _ => "refused and not kept",
        };
        let names = matches!(refusal, Refusal::Account | Refusal::Host) && !detail.is_empty();
        self.count(
            refusal.word(),
            names.then(|| detail.to_owned()),
            format!("a call from {remote} was {outcome}: {refusal}{shown}"),
        );
    }

    /// Counts a call that is not kept under a reason of one word, and logs the message. `last`
    /// is the value that the call named, if that matters.
    pub fn count(&self, word: &'static str, last: Option<String>, message: String) {
        self.metrics.refused(word);
        let mut reasons = self.reasons.lock();
        let reason = reasons.entry(word).or_default();
        reason.count += 1;
        reason.last = last;
        let log = reason.log.clone();
        drop(reasons);
        log.warn(message);
    }

    /// The refused calls by reason.
    pub fn counts(&self) -> Vec<Refused> {
        let reasons = self.reasons.lock();
        let reasons = reasons.iter();
        let refused = reasons.map(|(word, reason)| Refused {
            reason: (*word).to_owned(),
            count: reason.count,
            last: reason.last.clone(),
        });
        refused.collect()
    }
}
