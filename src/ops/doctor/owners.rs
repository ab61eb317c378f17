//! Who owns the data folder's files, and who else may read them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Finding;
use super::words::shell;

/// The most files that are looked at.
const FILES: usize = 100_000;

/// What was found wrong in a folder.
#[derive(Debug, Default)]
struct Faults {
    /// Files of another owner than the folder's: the first, and how many.
    foreign: Option<(PathBuf, u64)>,
    /// Files that others than the owner may read or write.
    open: Option<(PathBuf, u64)>,
    /// A part that could not be looked at.
    closed: Option<PathBuf>,
}

fn count(fault: &mut Option<(PathBuf, u64)>, path: &Path) {
    fault.get_or_insert_with(|| (path.to_owned(), 0)).1 += 1;
}

fn look(folder: &Path, uid: u32) -> Faults {
    let mut faults = Faults::default();
    let mut waiting = vec![folder.to_owned()];
    let mut looked = 0;
    while let Some(path) = waiting.pop() {
        looked += 1;
        let Ok(data) = fs::symlink_metadata(&path) else {
            // It may have gone meanwhile, as files of the index do.
            continue;
        };
        if data.uid() != uid {
            count(&mut faults.foreign, &path);
        }
        if data.mode() & 0o077 != 0 && !data.is_symlink() {
            count(&mut faults.open, &path);
        }
        if !data.is_dir() || looked >= FILES {
            continue;
        }
        match fs::read_dir(&path) {
            Ok(entries) => waiting.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => faults.closed = Some(path),
        }
    }
    faults
}

/// Whether all files are the folder's owner's, and his alone.
pub(super) fn files(folder: &Path) -> Option<Finding> {
    const CHECK: &str = "files";
    let data = fs::metadata(folder).ok()?;
    let (uid, gid) = (data.uid(), data.gid());
    let faults = look(folder, uid);
    let place = shell(&folder.to_string_lossy());
    Some(if let Some((first, count)) = faults.foreign {
        Finding::problem(
            CHECK,
            format!(
                "{count} are not the folder's owner's ({uid}), as {}: the server may fail on them",
                first.display()
            ),
            format!(
                "chown -R {uid}:{gid} {place}, and run commands as that user (sudo -u '#{uid}' profiletrail …)"
            ),
        )
    } else if let Some((first, count)) = faults.open {
        Finding::warning(
            CHECK,
            format!(
                "others than the owner may get at {count}, as {}: this is personal data",
                first.display()
            ),
            format!("chmod -R go= {place}"),
        )
    } else if let Some(closed) = faults.closed {
        Finding::unknown(
            CHECK,
            format!("this user may not look into {}", closed.display()),
            Some(format!(
                "sudo -u '#{uid}' profiletrail doctor, with the same flags"
            )),
        )
    } else {
        Finding::ok(CHECK, format!("all are their owner's ({uid}) alone"))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Verdict;
    use super::*;

    #[test]
    fn files_that_others_may_read_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir(folder.join("log")).unwrap();
        fs::write(folder.join("log/a"), "").unwrap();
        mode(folder, 0o700);
        mode(&folder.join("log"), 0o700);
        mode(&folder.join("log/a"), 0o600);
        assert_eq!(files(folder).unwrap().result, Verdict::Ok);
        mode(&folder.join("log/a"), 0o640);
        let found = files(folder).unwrap();
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.what.contains("log/a"), "{found:?}");
        assert!(found.fix.unwrap().starts_with("chmod -R go= "));
        assert!(files(&folder.join("none")).is_none());
    }

    #[test]
    fn files_of_another_owner_are_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let own = fs::metadata(dir.path()).unwrap().uid();
        let faults = look(dir.path(), own + 1);
        assert_eq!(faults.foreign.unwrap().1, 2);
        assert!(look(dir.path(), own).foreign.is_none());
    }
}
