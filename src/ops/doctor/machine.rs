//! Checks of the machine: the data folder, its files, the disk, the limit on
//! open files, and the backup.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::finding::duration;
use super::{Facts, Finding};
use crate::format::{shell, size};
use crate::ops::backup::Manifest;
use crate::server::OWN_DESCRIPTORS;
use crate::storage::{RealDisk, free_bytes};
use crate::store::{FORMAT, Folder, TrailError};

/// The most files whose owner and mode are checked.
const MAX_FILES: usize = 100_000;

const DAY: i64 = 86_400;

/// How old a backup may be, in seconds.
const MAX_BACKUP_AGE: i64 = 2 * DAY;

/// Whether there is a data folder that this program can read.
pub(super) fn folder(facts: &Facts) -> Vec<Finding> {
    let shown = facts.data.display();
    match Folder::peek(&facts.data) {
        Ok(_) => Finding::ok(format!(
            "{shown} has format {FORMAT}, which this program reads"
        )),
        Err(TrailError::NoFolder(_)) => Finding::problem(
            format!("{shown} is not a data folder yet"),
            "systemctl start profiletrail creates it; or name another folder with --data",
        ),
        Err(TrailError::NoPermission { owner, .. }) => Finding::problem(
            format!("this user may not read {shown}"),
            format!("sudo -u '#{owner}' profiletrail doctor, with the same flags"),
        ),
        Err(error) => Finding::problem(
            error.to_string(),
            "name the right folder with --data, or restore a backup: profiletrail restore --help",
        ),
    }
}

/// Files with a fault: the first, and how many.
type Faulty = Option<(PathBuf, u64)>;

/// The faults of a folder's files.
#[derive(Debug, Default)]
struct Faults {
    /// Files with another owner than the folder.
    foreign: Faulty,
    /// Files that others than the owner may read or write.
    open: Faulty,
    /// A folder that this user may not list.
    closed: Option<PathBuf>,
}

fn faults(folder: &Path, uid: u32) -> Faults {
    let count = |fault: &mut Faulty, path: &Path| {
        fault.get_or_insert_with(|| (path.to_owned(), 0)).1 += 1;
    };
    let mut faults = Faults::default();
    let mut waiting = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(path) = waiting.pop() {
        seen += 1;
        // Files of the index may have been removed.
        let Ok(data) = fs::symlink_metadata(&path) else {
            continue;
        };
        if data.uid() != uid {
            count(&mut faults.foreign, &path);
        }
        if data.mode() & 0o077 != 0 && !data.is_symlink() {
            count(&mut faults.open, &path);
        }
        if data.is_dir() && seen < MAX_FILES {
            match fs::read_dir(&path) {
                Ok(entries) => waiting.extend(entries.flatten().map(|entry| entry.path())),
                Err(_) => faults.closed = Some(path),
            }
        }
    }
    faults
}

/// Whether all files belong to the folder's owner, and only the owner may use
/// them.
pub(super) fn files(facts: &Facts) -> Vec<Finding> {
    let Ok(data) = fs::metadata(&facts.data) else {
        return Vec::new();
    };
    let (uid, gid) = (data.uid(), data.gid());
    let faults = faults(&facts.data, uid);
    let place = &facts.data_word;
    if let Some((first, count)) = faults.foreign {
        let first = first.display();
        Finding::problem(
            format!(
                "{count} files have another owner than the folder (user {uid}), for example {first}: the server may fail on them"
            ),
            format!(
                "chown -R {uid}:{gid} {place}, and run commands as that user (sudo -u '#{uid}' profiletrail …)"
            ),
        )
    } else if let Some((first, count)) = faults.open {
        let first = first.display();
        Finding::warning(
            format!(
                "other users may access {count} files, for example {first}: this is personal data"
            ),
            format!("chmod -R go= {place}"),
        )
    } else if let Some(closed) = faults.closed {
        Finding::unknown(
            format!("this user may not list {}", closed.display()),
            format!("sudo -u '#{uid}' profiletrail doctor, with the same flags"),
        )
    } else {
        Finding::ok(format!("only their owner (user {uid}) may access them"))
    }
}

/// Whether the limit on open files leaves room for the connections.
pub(super) fn descriptors(facts: &Facts) -> Vec<Finding> {
    let Some(max_connections) = facts.settings.max_connections else {
        return Vec::new();
    };
    match facts.running() {
        Some(running) => limit(running.open_files, max_connections, true),
        None => {
            let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
            limit(own.unwrap_or(u64::MAX), max_connections, false)
        }
    }
}

fn limit(open_files: u64, max_connections: u64, running: bool) -> Vec<Finding> {
    let room = open_files.saturating_sub(OWN_DESCRIPTORS);
    let process = if running {
        "the server"
    } else {
        "a process of this shell"
    };
    let what = format!(
        "{process} may have {open_files} open files, which leaves {room} for connections; \
         --max-connections is {max_connections}"
    );
    if max_connections <= room {
        return Finding::ok(what);
    }
    let needed = max_connections.saturating_add(OWN_DESCRIPTORS);
    let fix = format!(
        "raise the limit to at least {needed}: LimitNOFILE in the systemd unit, or ulimit -n; or lower --max-connections"
    );
    match running {
        true => Finding::problem(what, fix),
        false => Finding::warning(what, fix),
    }
}

/// Whether there is disk space, and for how long.
pub(super) fn disk(facts: &Facts) -> Vec<Finding> {
    let Ok(free) = free_bytes(&facts.data) else {
        return Vec::new();
    };
    let growth = facts.log.as_ref().and_then(|log| log.growth);
    space(free, facts.settings.min_free.unwrap_or(0), growth)
}

fn space(free: u64, min_free: u64, growth: Option<u64>) -> Vec<Finding> {
    let what = format!("{} free; --min-free is {}", size(free), size(min_free));
    let fix = "profiletrail prune --before '2 years ago' --dry-run says what pruning would free; or enlarge the disk";
    let Some(left) = free.checked_sub(min_free) else {
        return Finding::problem(what + ": every call is answered 503", fix);
    };
    let days = growth.and_then(|growth| left.checked_div(growth));
    let outlook = match (growth, days) {
        (Some(growth), Some(days)) => {
            let days = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY);
            format!(
                "it grows by {} a day: enough for {}",
                size(growth),
                duration(days)
            )
        }
        (Some(_), None) => "it does not grow".to_owned(),
        (None, _) => "its growth is not known yet".to_owned(),
    };
    let what = format!("{what}; {outlook}");
    match days.is_some_and(|days| days < 30) || left < min_free / 4 {
        true => Finding::warning(what, fix),
        false => Finding::ok(what),
    }
}

/// Whether files can be created.
pub(super) fn inodes(facts: &Facts) -> Vec<Finding> {
    let disk = rustix::fs::statvfs(&facts.data);
    disk.map_or_else(
        |_| Vec::new(),
        |disk| room_for_files(disk.f_favail, disk.f_files),
    )
}

fn room_for_files(free: u64, all: u64) -> Vec<Finding> {
    let fix = "df -i shows which file system has too many files: remove what is not needed";
    let what = format!("{free} of {all} inodes are free");
    match (free, all) {
        (_, 0) => Finding::ok("this file system has no fixed number of inodes"),
        (free, _) if free < 100 => Finding::problem(what, fix),
        (free, all) if free < all / 50 => Finding::warning(what, fix),
        _ => Finding::ok(what),
    }
}

/// The age of the backup.
pub(super) fn backup(facts: &Facts) -> Vec<Finding> {
    let Some(path) = &facts.backup else {
        return Finding::unknown(
            "no backup folder is given",
            "name it with --backup to have its age checked",
        );
    };
    let fix = format!(
        "profiletrail backup {} --data {}",
        shell(&path.to_string_lossy()),
        facts.data_word
    );
    let shown = path.display();
    let made = match Manifest::read(&RealDisk, path) {
        Ok(Some(manifest)) => manifest.made,
        Ok(None) => return Finding::warning(format!("{shown} has no backup"), fix),
        Err(error) => return Finding::problem(error.to_string(), fix),
    };
    let Ok(time) = DateTime::parse_from_rfc3339(&made) else {
        return Finding::problem(format!("{shown} has an invalid time: {made:?}"), fix);
    };
    let age = facts.now.saturating_sub(time.timestamp());
    let what = format!("{shown} was updated {} ago", duration(age));
    match age > MAX_BACKUP_AGE {
        true => Finding::warning(what, fix + ", once a day"),
        false => Finding::ok(what),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::{facts, one};
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_folder_is_readable_or_the_finding_says_why_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let found = one(folder(&facts(&path)));
        assert!(found.what.ends_with("is not a data folder yet"));
        Folder::make(&path).unwrap();
        let found = one(folder(&facts(&path)));
        assert_eq!(found.result, Verdict::Ok);
        assert!(found.what.contains(" has format "), "{found:?}");
        fs::write(path.join("format"), "{\"profiletrail\":9}").unwrap();
        let found = one(folder(&facts(&path)));
        assert_eq!(found.result, Verdict::Problem);
        assert!(found.what.contains('9'), "{found:?}");
    }

    #[test]
    fn files_of_another_owner_are_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let own = fs::metadata(dir.path()).unwrap().uid();
        assert_eq!(faults(dir.path(), own + 1).foreign.unwrap().1, 2);
        assert!(faults(dir.path(), own).foreign.is_none());
    }

    #[test]
    fn the_limit_must_allow_the_connections() {
        let result = |open, connections, running| one(limit(open, connections, running)).result;
        assert_eq!(result(1024, 512, true), Verdict::Ok);
        assert_eq!(result(1024, 625, true), Verdict::Problem);
        assert_eq!(result(1024, 625, false), Verdict::Warning);
        assert_eq!(result(10, 1, true), Verdict::Problem);
        let fix = one(limit(1024, 800, true)).fix.unwrap();
        assert!(fix.contains("to at least 1200"), "{fix}");
    }

    #[test]
    fn space_is_judged_by_min_free_and_by_growth() {
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
            let found = one(space(free, min_free, growth));
            assert_eq!(found.result, result, "{found:?}");
            assert_eq!(found.fix.is_some(), result > Verdict::Unknown);
        }
        let found = one(space(12 * GIB, 2 * GIB, Some(GIB / 100)));
        assert!(
            found.what.contains("10.2 MiB a day: enough for 2 years"),
            "{found:?}"
        );
    }

    #[test]
    fn inodes_are_judged_by_their_number() {
        let of = |free, all| one(room_for_files(free, all)).result;
        assert_eq!(of(0, 0), Verdict::Ok);
        assert_eq!(of(99, 1_000_000), Verdict::Problem);
        assert_eq!(of(19_999, 1_000_000), Verdict::Warning);
        assert_eq!(of(20_000, 1_000_000), Verdict::Ok);
    }

    #[test]
    fn a_missing_backup_is_found() {
        let data = Path::new("d");
        assert_eq!(one(backup(&facts(data))).result, Verdict::Unknown);
        let dir = tempfile::tempdir().unwrap();
        let mut facts = facts(data);
        facts.backup = Some(dir.path().to_owned());
        let found = one(backup(&facts));
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.what.ends_with("has no backup"), "{found:?}");
        fs::write(dir.path().join("manifest.json"), "{}").unwrap();
        assert_eq!(one(backup(&facts)).result, Verdict::Problem);
    }
}
