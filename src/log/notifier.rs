//! Notifies waiting threads of appended records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::segment::Log;

/// The last synced `seq` of a log, and the threads that wait for it to grow.
#[derive(Debug, Default)]
pub struct AppendNotifier {
    /// 0 in an empty log.
    last_seq: AtomicU64,
    lock: Mutex<()>,
    appended: Condvar,
}

impl AppendNotifier {
    /// The last synced `seq`; 0 in an empty log.
    pub fn last_seq(&self) -> u64 {
        self.last_seq.load(Ordering::Acquire)
    }

    /// Publishes the last synced `seq` and wakes all waiting threads.
    pub fn notify(&self, last_seq: u64) {
        self.last_seq.store(last_seq, Ordering::Release);
        self.wake_all();
    }

    /// Wakes all waiting threads although nothing was appended, for example to
    /// stop them. A thread that is just about to wait can miss it.
    pub fn wake_all(&self) {
        // A waiting thread holds the lock between its look at `last_seq` and
        // its sleep, so that it cannot miss a new one.
        drop(self.lock.lock());
        self.appended.notify_all();
    }

    /// Waits until the last synced `seq` is greater than `seq`, until
    /// [`Self::wake_all`], or for `timeout`. Returns the last synced `seq`; it
    /// may not be greater, as spurious wake-ups happen.
    pub fn wait_for_seq_after(&self, seq: u64, timeout: Duration) -> u64 {
        let mut held = self.lock.lock();
        if self.last_seq() <= seq {
            self.appended.wait_for(&mut held, timeout);
        }
        self.last_seq()
    }
}

impl Log {
    /// Wakes threads when records are appended.
    pub fn notifier(&self) -> &AppendNotifier {
        &self.inner.notifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::OpenMode;
    use crate::storage::RealDisk;
    use std::sync::Arc;
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn waiting_threads_wake_on_append_and_on_stop() {
        let dir = tempfile::tempdir().unwrap();
        let mode = OpenMode::Append {
            segment_size: 1 << 20,
        };
        let opened = Log::open(Arc::new(RealDisk), dir.path(), 7, mode).unwrap();
        let (log, mut writer) = (opened.log, opened.writer.unwrap());
        let notifier = log.notifier();
        // No wait for a `seq` that has been synced already.
        writer.append(&[b"a"]).unwrap();
        assert_eq!(notifier.wait_for_seq_after(0, LONG), 1);
        assert_eq!(notifier.wait_for_seq_after(1, Duration::ZERO), 1);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = 1;
                        while seen < 200 {
                            seen = notifier.wait_for_seq_after(seen, LONG);
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
            let stopped = scope.spawn(|| notifier.wait_for_seq_after(200, LONG));
            while !stopped.is_finished() {
                notifier.wake_all();
                thread::yield_now();
            }
            assert_eq!(stopped.join().unwrap(), 200);
        });
    }
}
