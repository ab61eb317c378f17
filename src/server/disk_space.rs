//! The room that is left on the data folder's disk.
//!
//! Below `--min-free` no more is taken, so that the disk is never full: a write
//! that fails would poison the log until a restart. What frees room in the end,
//! as sealing does, goes on. There is room again once there is a sixteenth more
//! than that, so that the answer does not flap.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bytesize::ByteSize;

/// How long a look at the disk holds, in milliseconds.
const HOLDS: u64 = 200;

/// Looks at the room on a disk now and then.
#[derive(Debug)]
pub(super) struct DiskSpaceMonitor {
    folder: PathBuf,
    /// In bytes; with 0 nothing is looked at.
    min_free: u64,
    begun: Instant,
    /// When it was last looked, in milliseconds from the beginning on.
    looked: AtomicU64,
    /// Bytes of calls that came since then.
    since: AtomicU64,
    short: AtomicBool,
}

impl DiskSpaceMonitor {
    /// Looks at the disk of a folder for the first time.
    pub fn new(folder: PathBuf, min_free: u64) -> Self {
        let disk = Self {
            folder,
            min_free,
            begun: Instant::now(),
            looked: AtomicU64::new(0),
            since: AtomicU64::new(0),
            short: AtomicBool::new(false),
        };
        disk.look();
        disk
    }

    /// The bytes that are free for this user; `None` where it is not known.
    pub fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Whether nothing may be taken. `bytes` is the length of what came: the
    /// disk is looked at some times a second, and sooner where much comes.
    pub fn is_short(&self, bytes: usize) -> bool {
        if self.min_free == 0 {
            return false;
        }
        let came = self.since.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        let due = now >= looked.saturating_add(HOLDS) || came > self.min_free / 16;
        let mine = || {
            let order = Ordering::Relaxed;
            let taken = self.looked.compare_exchange(looked, now, order, order);
            taken.is_ok()
        };
        if due && mine() {
            self.since.store(0, Ordering::Relaxed);
            self.look();
        }
        self.short.load(Ordering::Relaxed)
    }

    /// What the operator is told who asks why nothing is taken.
    pub fn shortage(&self) -> String {
        format!(
            "less than {} are free where the data is kept (--min-free)",
            ByteSize(self.min_free).display().iec()
        )
    }

    fn look(&self) {
        // Where it is not known, a write will tell.
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
                "only {free} are free where the data is kept, and {} are to stay free (--min-free): every call is \
                 answered 503 until there is disk. Prune the log, remove something else, or enlarge the disk; \
                 calls are then accepted again without a restart",
                ByteSize(self.min_free).display().iec()
            );
        } else {
            tracing::info!("{free} are free where the data is kept: calls are accepted again");
        }
    }
}

/// Whether the room is short, when it was or was not before.
const fn is_short(was: bool, free: u64, min_free: u64) -> bool {
    let more = if was { min_free / 16 } else { 0 };
    free < min_free.saturating_add(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_there_again_only_with_some_more() {
        let mib = |count: u64| count << 20;
        assert!(!is_short(false, mib(256), mib(256)));
        assert!(is_short(false, mib(256) - 1, mib(256)));
        assert!(is_short(true, mib(260), mib(256)));
        assert!(!is_short(true, mib(272), mib(256)));
        assert!(!is_short(false, 0, 0));
    }

    #[test]
    fn the_disk_is_looked_at_unless_nothing_is_to_stay_free() {
        let dir = tempfile::tempdir().unwrap();
        let disk = |min_free| DiskSpaceMonitor::new(dir.path().to_owned(), min_free).is_short(0);
        assert!(!disk(0));
        assert!(disk(u64::MAX));
        assert!(!disk(1));
    }
}
