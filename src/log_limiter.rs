//! Rate-limited warnings, since strangers can cause some warnings at will. A [`LogLimiter`] logs
//! the first at once and counts the following ones within a period. At the end of the period it
//! logs their number and the last of them, so that the end of a burst is logged, too.
//!
//! Invariant: at most two lines a period, and at most one sleeping thread for each limiter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The usual period.
const PERIOD: Duration = Duration::from_secs(60);

/// Logs a warning at most once a period. Clones share the limit.
#[derive(Clone, Debug)]
pub struct LogLimiter {
    period: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    logged: Option<Instant>,
    /// The number of warnings since then, and the last of them.
    suppressed: u64,
    last: String,
    /// A thread waits for the end of the period.
    waits: bool,
}

impl Default for LogLimiter {
    fn default() -> Self {
        Self::new(PERIOD)
    }
}

impl LogLimiter {
    /// Limits to one warning in each period.
    pub fn new(period: Duration) -> Self {
        Self {
            period,
            state: Arc::default(),
        }
    }

    /// Logs a warning, or counts it if one was logged within the period.
    pub fn warn(&self, message: String) {
        let mut state = self.state.lock();
        let left = state
            .logged
            .and_then(|logged| self.period.checked_sub(logged.elapsed()));
        let Some(left) = left else {
            state.logged = Some(Instant::now());
            let earlier = std::mem::take(&mut state.suppressed);
            drop(state);
            return emit(&message, earlier);
        };
        state.suppressed += 1;
        state.last = message;
        if !state.waits {
            state.waits = self.flush_after(left);
        }
    }

    /// Logs the suppressed warnings after this time. Returns false if no thread can be started;
    /// the next warning after the period then logs them.
    fn flush_after(&self, left: Duration) -> bool {
        let state = Arc::downgrade(&self.state);
        let flush = move || {
            std::thread::sleep(left);
            if let Some(state) = state.upgrade() {
                let mut state = state.lock();
                state.waits = false;
                state.flush();
            }
        };
        let thread = std::thread::Builder::new().name("log-limiter".to_owned());
        thread.spawn(flush).is_ok()
    }
}

impl State {
    fn flush(&mut self) {
        if self.suppressed > 0 {
            self.logged = Some(Instant::now());
            let count = std::mem::take(&mut self.suppressed);
            emit(&self.last, count.saturating_sub(1));
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.flush();
    }
}

fn emit(message: &str, earlier: u64) {
    match earlier {
        0 => tracing::warn!("{message}"),
        count => tracing::warn!("{message} ({count} more like it since the last such line)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_logged_twice_with_its_count() {
        let limiter = LogLimiter::new(Duration::from_millis(50));
        for number in 0..100 {
            limiter.warn(number.to_string());
        }
        assert!(limiter.state.lock().suppressed > 0);
        let begun = Instant::now();
        while limiter.state.lock().waits && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(limiter.state.lock().suppressed, 0);
        assert!(!limiter.state.lock().waits);
    }
}
