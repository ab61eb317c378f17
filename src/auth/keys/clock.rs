//! The time as the key ring sees it, so that a test can move it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Two clocks: one that never goes back, for what lasts minutes, and the calendar's, for what must
/// outlast a restart.
pub trait Clock: Send + Sync {
    /// The time since a moment of the clock's choice; never less than it was.
    fn elapsed(&self) -> Duration;
    /// Unix seconds.
    fn unix(&self) -> i64;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn unix(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub elapsed: Duration,
    /// Unix seconds.
    pub unix: i64,
}

impl Moment {
    pub(super) fn of(clock: &dyn Clock) -> Self {
        Self {
            elapsed: clock.elapsed(),
            unix: clock.unix(),
        }
    }
}
