//! What is known of calls that were refused for their signature: how many by
//! reason, and a line in the log now and then.
//!
//! Nothing of such a call is kept, so this is all that its owner has to find
//! out why Copernica's calls do not come in. Strangers can make many of them:
//! so a reason is logged once a minute at most, with the number of calls since.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::signature::Refusal;

/// How often a reason is logged at most.
const PAUSE: Duration = Duration::from_secs(60);

/// No signed date was seen yet.
const UNSEEN: i64 = i64::MIN;

/// Counts refusals.
#[derive(Debug)]
pub(super) struct Refusals {
    reasons: Mutex<BTreeMap<&'static str, Reason>>,
    age: AtomicI64,
}

#[derive(Debug, Default)]
struct Reason {
    count: u64,
    /// How many there were when it was last logged, and when that was.
    told: Option<(u64, Instant)>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            reasons: Mutex::default(),
            age: AtomicI64::new(UNSEEN),
        }
    }
}

impl Refusals {
    /// Counts a refusal, of a call from an address. `what` says more of it to
    /// the owner.
    pub fn note(&self, refusal: Refusal, what: &str, remote: Option<&str>) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reasons.entry(refusal.word()).or_default();
        reason.count += 1;
        let since = match reason.told {
            Some((_, when)) if when.elapsed() < PAUSE => return,
            Some((count, _)) => reason.count - count,
            None => reason.count,
        };
        reason.told = Some((reason.count, Instant::now()));
        drop(reasons);
        let remote = remote.unwrap_or("somewhere");
        let blank = if what.is_empty() { "" } else { " (" };
        let end = if what.is_empty() { "" } else { ")" };
        tracing::warn!(
            "a call from {remote} was refused and nothing of it kept: {refusal}{blank}{what}{end}; \
             {since} like it since the last such line"
        );
    }

    /// How many calls were refused for each reason.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = reasons.iter();
        counts.map(|(word, reason)| (*word, reason.count)).collect()
    }

    /// Takes note of how many seconds ago a verified date was when it came.
    pub fn saw_age(&self, age: i64) {
        self.age.store(age, Ordering::Relaxed);
    }

    /// How many seconds ago the last verified date was when it came: what this
    /// machine's clock is ahead of Copernica's, and the way here.
    pub fn last_age(&self) -> Option<i64> {
        Some(self.age.load(Ordering::Relaxed)).filter(|age| *age != UNSEEN)
    }
}
