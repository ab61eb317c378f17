//! The delay that lets a group grow before it is committed.
//!
//! A sync costs about as much for one call as for many. With several calls in flight the committer
//! therefore waits a moment for half of the others; the second half can then arrive while this
//! group is synced. It sleeps in between, since waking it for each call would cost as much as the
//! larger group saves. A lone call never waits.
//!
//! Invariant: no wait is longer than [`MAX_DELAY`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a call may wait for others: about as long as a fast disk's sync.
const MAX_DELAY: Duration = Duration::from_micros(300);

/// Shared by the committer and those who queue calls.
pub(super) struct GroupCommitDelay {
    /// The number of queued calls that wakes the committer; `usize::MAX` while it does not wait.
    wanted: AtomicUsize,
    committer: std::sync::OnceLock<Thread>,
}

impl GroupCommitDelay {
    pub const fn new() -> Self {
        Self {
            wanted: AtomicUsize::new(usize::MAX),
            committer: std::sync::OnceLock::new(),
        }
    }

    /// Wakes the committer if it waits for no more than this many `queued` calls.
    pub fn arrived(&self, queued: usize) {
        if queued >= self.wanted.load(Ordering::SeqCst)
            && let Some(committer) = self.committer.get()
        {
            // One wake-up is enough.
            self.wanted.store(usize::MAX, Ordering::SeqCst);
            committer.unpark();
        }
    }

    /// Waits, in the committer's thread, until `wanted` calls are `queued`, at most [`MAX_DELAY`].
    pub fn wait(&self, wanted: usize, queued: impl Fn() -> usize) {
        if queued() >= wanted {
            return;
        }
        self.committer.get_or_init(std::thread::current);
        let start = Instant::now();
        self.wanted.store(wanted, Ordering::SeqCst);
        while queued() < wanted
            && let Some(left) = MAX_DELAY.checked_sub(start.elapsed())
        {
            std::thread::park_timeout(left);
        }
        self.wanted.store(usize::MAX, Ordering::SeqCst);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_wanted_calls_or_without() {
        let (delay, queued) = (GroupCommitDelay::new(), AtomicUsize::new(0));
        // Nobody comes.
        delay.wait(1, || queued.load(Ordering::SeqCst));
        assert_eq!(delay.wanted.load(Ordering::SeqCst), usize::MAX);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=300 {
                    delay.wait(round, || queued.load(Ordering::SeqCst));
                }
            });
            scope.spawn(|| {
                for _ in 0..300 {
                    let now = queued.fetch_add(1, Ordering::SeqCst) + 1;
                    delay.arrived(now);
                    std::thread::yield_now();
                }
            });
        });
        // No wait for calls that are already queued, or for none.
        delay.wait(300, || queued.load(Ordering::SeqCst));
        delay.wait(0, || 0);
        assert_eq!(delay.wanted.load(Ordering::SeqCst), usize::MAX);
    }
}
