//! The room on the data folder's disk.

use std::io;
use std::path::Path;

use super::Finding;
use super::words::{size, span};

/// What is free on a disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk {
    /// Bytes for this program's user.
    pub free: u64,
    /// Files that can be made, and that there can be at all; 0 where the file
    /// system has no such number.
    pub files: (u64, u64),
}

impl Disk {
    pub fn of(folder: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(Self {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            files: (disk.f_favail, disk.f_files),
        })
    }
}

/// Whether there is room, and for how long at `growth` bytes a day.
pub(super) fn room(disk: Disk, min_free: u64, growth: Option<u64>) -> Finding {
    const CHECK: &str = "disk";
    let free = disk.free;
    let mut what = format!("{} are free, {} are to stay so", size(free), size(min_free));
    let way = "profiletrail prune --before '2 years ago' --dry-run tells what pruning would give; or enlarge the disk";
    if free < min_free {
        return Finding::problem(CHECK, what + ": every call is answered 503", way);
    }
    let left = free - min_free;
    let days = match growth {
        Some(0) | None => None,
        Some(growth) => Some(left / growth),
    };
    match (growth, days) {
        (_, Some(days)) => {
            let lasts = span(
                i64::try_from(days)
                    .unwrap_or(i64::MAX / 86_400)
                    .saturating_mul(86_400),
            );
            let growth = size(growth.unwrap_or_default());
            what.push_str(&format!("; it grows by {growth} a day: enough for {lasts}"));
        }
        (Some(_), None) => what.push_str("; it does not grow"),
        (None, None) => what.push_str("; how fast it grows is not known yet"),
    }
    if days.is_some_and(|days| days < 30) || left < min_free / 4 {
        return Finding::warning(CHECK, what, way);
    }
    Finding::ok(CHECK, what)
}

/// Whether files can be made.
pub(super) fn files(disk: Disk) -> Finding {
    const CHECK: &str = "inodes";
    let way = "df -i shows which file system is full of files: remove what is not needed";
    match disk.files {
        (_, 0) => Finding::ok(CHECK, "this file system has no fixed number of them"),
        (free, _) if free < 100 => {
            Finding::problem(CHECK, format!("{free} files can be made"), way)
        }
        (free, all) if free < all / 50 => {
            Finding::warning(CHECK, format!("{free} of {all} files can be made"), way)
        }
        (free, _) => Finding::ok(CHECK, format!("{free} files can be made")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    const GIB: u64 = 1 << 30;

    fn disk(free: u64) -> Disk {
        Disk {
            free,
            files: (0, 0),
        }
    }

    #[test]
    fn room_is_judged_by_what_must_stay_free_and_by_growth() {
        let cases = [
            (GIB, 2 * GIB, None, Verdict::Problem),
            (2 * GIB, 2 * GIB, None, Verdict::Warning),
            (3 * GIB, 2 * GIB, None, Verdict::Ok),
            (3 * GIB, 2 * GIB, Some(0), Verdict::Ok),
            (3 * GIB, 2 * GIB, Some(GIB / 29), Verdict::Warning),
            (3 * GIB, 2 * GIB, Some(GIB / 31), Verdict::Ok),
            (3 * GIB, 0, Some(1), Verdict::Ok),
            (u64::MAX, 0, Some(1), Verdict::Ok),
            (0, 0, None, Verdict::Ok),
        ];
        for (free, min_free, growth, result) in cases {
            let found = room(disk(free), min_free, growth);
            assert_eq!(found.result, result, "{found:?}");
            assert_eq!(found.fix.is_some(), result > Verdict::Unknown);
        }
        let found = room(disk(12 * GIB), 2 * GIB, Some(GIB / 100));
        assert!(
            found.what.contains("10.2 MiB a day: enough for 2 years"),
            "{found:?}"
        );
    }

    #[test]
    fn files_are_judged_by_their_number() {
        let of = |free, all| {
            files(Disk {
                free: 0,
                files: (free, all),
            })
            .result
        };
        assert_eq!(of(0, 0), Verdict::Ok);
        assert_eq!(of(99, 1_000_000), Verdict::Problem);
        assert_eq!(of(19_999, 1_000_000), Verdict::Warning);
        assert_eq!(of(20_000, 1_000_000), Verdict::Ok);
    }
}
