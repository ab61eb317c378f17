//! Waiting for records to come.
//!
//! The writer pays for it with a fence and a look at a counter; only where
//! somebody waits does it wake them, once a group.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::segment::Log;

/// Who waits for records.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: AtomicUsize,
    lock: Mutex<()>,
    came: Condvar,
}

impl Arrivals {
    /// To be called when the last `seq` has moved, by the one who moved it.
    pub fn tell(&self) {
        // Either this sees who waits, or they see the new `seq`.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        // Nobody is between their look at the last `seq` and their sleep.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.came.notify_all();
    }
}

impl Log {
    /// Waits until the last synced `seq` is beyond `seq`, for at most
    /// `patience`, or until somebody calls [`Self::wake_waiting`]. Tells the
    /// last `seq`, which may be the same: now and then it wakes for nothing.
    pub fn wait_beyond(&self, seq: u64, patience: Duration) -> u64 {
        let arrivals = &self.inner.arrivals;
        let held = arrivals.lock.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.last_seq() <= seq {
            let waited = arrivals.came.wait_timeout(held, patience);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(held);
        }
        arrivals.waiting.fetch_sub(1, Ordering::Relaxed);
        self.last_seq()
    }

    /// Wakes those who wait for records, though none has come.
    pub fn wake_waiting(&self) {
        self.inner.arrivals.wake();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log::OpenMode;
    use crate::storage::RealDisk;
    use std::sync::Arc;
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn who_waits_is_woken_by_what_is_synced_and_by_a_stop() {
        let dir = tempfile::tempdir().unwrap();
        let mode = OpenMode::Append {
            segment_size: 1 << 20,
        };
        let opened = Log::open(Arc::new(RealDisk), dir.path(), 7, mode).unwrap();
        let (log, mut writer) = (opened.log, opened.writer.unwrap());
        // Nothing is waited for that is there already.
        writer.append(&[b"a"]).unwrap();
        assert_eq!(log.wait_beyond(0, LONG), 1);
        assert_eq!(log.wait_beyond(1, Duration::ZERO), 1);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = 1;
                        while seen < 200 {
                            seen = log.wait_beyond(seen, LONG);
                        }
                        seen
                    })
                })
                .collect();
            for _ in 1..200 {
                writer.append(&[b"b"]).unwrap();
            }
            for reader in readers {
                assert_eq!(reader.join().unwrap(), 200);
            }
            let stopped = scope.spawn(|| log.wait_beyond(200, LONG));
            while log.inner.arrivals.waiting.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            log.wake_waiting();
            assert_eq!(stopped.join().unwrap(), 200);
        });
    }
}
