//! Free space on the data folder's disk.
//!
//! Below `--min-free` no call is accepted, so that the disk is never full: a failed write would
//! poison the log until a restart. Sealing, which eventually frees space, continues. Calls are
//! accepted again once there is a sixteenth more free space, so that the answer does not flap.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use parking_lot::Mutex;

use crate::storage::free_bytes;

/// For how long a check holds.
const HOLDS: Duration = Duration::from_millis(200);

/// Checks the free space of a disk now and then.
#[derive(Debug)]
pub(super) struct DiskSpaceMonitor {
    folder: PathBuf,
    /// In bytes; 0 for no check.
    min_free: u64,
    /// The last check. Whoever checks holds the lock.
    checked: Mutex<Instant>,
    /// Bytes of calls that arrived since then.
    since: AtomicU64,
    short: AtomicBool,
}

impl DiskSpaceMonitor {
    /// Checks the disk of a folder for the first time.
    pub fn new(folder: PathBuf, min_free: u64) -> Self {
        let monitor = Self {
            folder,
            min_free,
            checked: Mutex::new(Instant::now()),
            since: AtomicU64::new(0),
            short: AtomicBool::new(false),
        };
        monitor.check();
        monitor
    }

    /// The bytes that are free for this user; `None` if unknown.
    pub fn free(&self) -> Option<u64> {
        free_bytes(&self.folder).ok()
    }

    /// Whether calls must be refused. `bytes` have arrived since the last call: the disk is
    /// checked a few times a second, and earlier if many bytes arrive.
    pub fn is_short(&self, bytes: usize) -> bool {
        if self.min_free == 0 {
            return false;
        }
        let came = self.since.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if let Some(mut checked) = self.checked.try_lock()
            && (checked.elapsed() >= HOLDS || came > self.min_free / 16)
        {
            *checked = Instant::now();
            self.since.store(0, Ordering::Relaxed);
            self.check();
        }
        self.short.load(Ordering::Relaxed)
    }

    /// Why nothing is accepted, for the operator.
    pub fn shortage(&self) -> String {
        format!(
            "less than {} are free on the data's disk (--min-free)",
            ByteSize(self.min_free).display().iec()
        )
    }

    fn check(&self) {
        // If the free space is unknown, a write will fail.
        let Some(free) = self.free().filter(|_| self.min_free > 0) else {
            return;
        };
        let was = self.short.load(Ordering::Relaxed);
        let short = is_short(was, free, self.min_free);
        if self.short.swap(short, Ordering::Relaxed) == short {
            return;
        }
        let free = ByteSize(free).display().iec();
        if short {
            tracing::warn!(
                "only {free} are free on the data's disk, less than the {} of --min-free: every \
                 call is answered 503 until there is space. Prune the log, remove something else, or enlarge the disk; \
                 calls are then accepted again without a restart",
                ByteSize(self.min_free).display().iec()
            );
        } else {
            tracing::info!("{free} are free on the data's disk: calls are accepted again");
        }
    }
}

/// Whether space is short, given whether it was before.
const fn is_short(was: bool, free: u64, min_free: u64) -> bool {
    let more = if was { min_free / 16 } else { 0 };
    free < min_free.saturating_add(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_accepted_again_only_with_some_more_space() {
        let mib = |count: u64| count << 20;
        assert!(!is_short(false, mib(256), mib(256)));
        assert!(is_short(false, mib(256) - 1, mib(256)));
        assert!(is_short(true, mib(260), mib(256)));
        assert!(!is_short(true, mib(272), mib(256)));
        assert!(!is_short(false, 0, 0));
    }

    #[test]
    fn the_disk_is_checked_unless_nothing_is_to_stay_free() {
        let dir = tempfile::tempdir().unwrap();
        let is_short =
            |min_free| DiskSpaceMonitor::new(dir.path().to_owned(), min_free).is_short(0);
        assert!(!is_short(0));
        assert!(is_short(u64::MAX));
        assert!(!is_short(1));
    }
}
