//! Letting a group grow before it is committed.
//!
//! A sync costs about as much for one call as for many, in processor time too. So where several
//! calls are under way, the committer waits a moment for those that are about to come. It waits
//! for half of them, since the other half can then come while this group is synced; and it sleeps
//! meanwhile, because to be woken for each would cost what the larger group saves. Beside not
//! waiting this kept 1.0 to 1.7 times the calls at 32 connections and 1.2 to 1.3 times at 128; to
//! wait for all of them was better in some runs and worse in more, since nothing is then left to
//! do during a sync. A call that is alone under way waits for nobody.
//!
//! Leaves out what is waited for. Invariant: no wait is longer than [`PATIENCE`], whatever was
//! expected and does not come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a call may wait for others, which is about what a fast disk's sync takes.
const PATIENCE: Duration = Duration::from_micros(300);

/// What the committer and those who queue calls have in common.
pub(super) struct GroupCommitDelay {
    /// With so many queued calls the committer is to be woken; `usize::MAX` while it does not wait.
    wanted: AtomicUsize,
    committer: std::sync::OnceLock<Thread>,
}

impl GroupCommitDelay {
    /// Nobody waits yet.
    pub const fn new() -> Self {
        Self {
            wanted: AtomicUsize::new(usize::MAX),
            committer: std::sync::OnceLock::new(),
        }
    }

    /// Tells that so many calls are queued.
    pub fn arrived(&self, queued: usize) {
        if queued >= self.wanted.load(Ordering::SeqCst)
            && let Some(committer) = self.committer.get()
        {
            // Nobody else need wake it now.
            self.wanted.store(usize::MAX, Ordering::SeqCst);
            committer.unpark();
        }
    }

    /// Waits, in the committer's thread, until so many calls are `queued`, or a while.
    pub fn wait(&self, wanted: usize, queued: impl Fn() -> usize) {
        if queued() >= wanted {
            return;
        }
        self.committer.get_or_init(std::thread::current);
        let begun = Instant::now();
        self.wanted.store(wanted, Ordering::SeqCst);
        while queued() < wanted
            && let Some(left) = PATIENCE.checked_sub(begun.elapsed())
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
    fn a_wait_ends_with_what_was_wanted_or_without_it() {
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
        // What is there already is not waited for, nor is nothing.
        delay.wait(300, || queued.load(Ordering::SeqCst));
        delay.wait(0, || 0);
        assert_eq!(delay.wanted.load(Ordering::SeqCst), usize::MAX);
    }
}
