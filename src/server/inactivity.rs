//! The inactivity alarm: no event for too long.
//!
//! The time counts from the last event's receipt, which is read from the log's tail at the start,
//! or from the start if there is none. The start and the end of an alarm are logged once each.
//! While it lasts `/healthz` answers 503, to alert monitors that see only the status. Calls are
//! still accepted and `/readyz` stays healthy: a load balancer that removed an inactive receiver
//! would prolong the inactivity.
//!
//! Not here: why no event arrives (nobody calls, or all calls are refused).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::background::Background;
use crate::event::{micros_to_rfc3339, now_micros};
use crate::ops::doctor::last_received;
use crate::store::Trail;

/// How often the clock is read at least, since it may be set.
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// When the last event was received; clones share it.
#[derive(Clone, Debug)]
pub(super) struct InactivityAlarm(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The time to the alarm in microseconds.
    after: Option<i64>,
    /// In Unix microseconds, like `last`.
    started: i64,
    /// The last event's receipt; `i64::MIN` if there is none.
    last: AtomicI64,
    /// The begin of the alarm was logged.
    logged: AtomicBool,
}

impl InactivityAlarm {
    /// An alarm that knows the events in the trail.
    pub fn new(after: Option<Duration>, trail: &Trail) -> Self {
        Self::at(after, last_received(trail.events()), now_micros())
    }

    fn at(after: Option<Duration>, last: Option<i64>, now: i64) -> Self {
        Self(Arc::new(Shared {
            after: after.map(|after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
            started: now,
            last: AtomicI64::new(last.unwrap_or(i64::MIN)),
            logged: AtomicBool::new(false),
        }))
    }

    /// Events were received, the last of them at this moment.
    pub fn received(&self, last: i64) {
        self.0.last.store(last, Ordering::Relaxed);
        if self.0.logged.load(Ordering::Relaxed) && self.0.logged.swap(false, Ordering::Relaxed) {
            tracing::info!("events arrive again");
        }
    }

    /// When the last event was received, in Unix microseconds.
    pub fn last_event(&self) -> Option<i64> {
        Some(self.0.last.load(Ordering::Relaxed)).filter(|last| *last != i64::MIN)
    }

    /// Whether no event was received for too long.
    pub fn is_alarm(&self) -> bool {
        self.left(now_micros()).is_some_and(|left| left <= 0)
    }

    /// The microseconds to the alarm.
    fn left(&self, now: i64) -> Option<i64> {
        let since = self.last_event().unwrap_or(self.0.started);
        Some(since.saturating_add(self.0.after?).saturating_sub(now))
    }

    /// Logs the begin of an alarm; returns when to check again.
    fn check(&self, now: i64) -> Option<Duration> {
        let left = self.left(now)?;
        if left > 0 {
            return Some(Duration::from_micros(left.unsigned_abs()).min(CHECK_EVERY));
        }
        if !self.0.logged.swap(true, Ordering::Relaxed) {
            let since = match self.last_event() {
                Some(last) => format!("since {}", micros_to_rfc3339(last)),
                None => "since the start, and none before".to_owned(),
            };
            tracing::warn!(
                "no event has arrived {since}, for longer than --alert-after: check whether \
                 Copernica still calls, and whether its calls are refused; /healthz answers 503 \
                 until one arrives"
            );
        }
        // It may end, and another one begin.
        let after = Duration::from_micros(self.0.after?.unsigned_abs());
        Some(after.min(CHECK_EVERY))
    }
}

/// Starts the thread that logs alarms; it ends at once without one.
pub(super) fn start_watch(alarm: InactivityAlarm) -> std::io::Result<Background> {
    Background::start("inactivity", move |stop| {
        while let Some(wait) = alarm.check(now_micros())
            && !stop.wait(wait)
        {}
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn the_time_counts_from_the_last_event_or_the_start() {
        let after = Some(Duration::from_secs(3_600));
        let alarm = InactivityAlarm::at(after, None, 10 * HOUR);
        assert_eq!(alarm.left(10 * HOUR), Some(HOUR));
        assert_eq!(alarm.last_event(), None);
        let alarm = InactivityAlarm::at(after, Some(2 * HOUR), 10 * HOUR);
        assert_eq!(alarm.left(10 * HOUR), Some(-7 * HOUR));
        alarm.received(10 * HOUR);
        assert_eq!(alarm.left(10 * HOUR + 1), Some(HOUR - 1));
        // A clock that was set back raises no alarm.
        assert_eq!(alarm.left(3 * HOUR), Some(8 * HOUR));
        assert!(!InactivityAlarm::at(None, Some(0), 0).is_alarm());
    }

    #[test]
    fn an_alarm_is_logged_once_and_checked_in_time() {
        let alarm = InactivityAlarm::at(Some(Duration::from_secs(60)), None, 0);
        assert_eq!(alarm.check(0), Some(CHECK_EVERY));
        assert_eq!(alarm.check(59_000_000), Some(Duration::from_secs(1)));
        assert!(!alarm.0.logged.load(Ordering::Relaxed));
        alarm.check(60_000_000);
        assert!(alarm.0.logged.load(Ordering::Relaxed));
        alarm.received(61_000_000);
        assert!(!alarm.0.logged.load(Ordering::Relaxed));
        assert_eq!(InactivityAlarm::at(None, None, 0).check(HOUR), None);
    }
}
