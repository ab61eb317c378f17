//! The data folder: that it is there, and in a format that is known.

use std::io;
use std::path::Path;

use super::Finding;
use super::words::shell;
use crate::store::{Folder, TrailError};

/// Whether there is a data folder that this program reads.
pub(super) fn format(path: &Path) -> Finding {
    const CHECK: &str = "folder";
    let shown = path.display();
    match Folder::peek(path) {
        Ok((number, _)) => Finding::ok(
            CHECK,
            format!("{shown} is of format {number}, which is known"),
        ),
        Err(TrailError::NoFolder(_)) => Finding::problem(
            CHECK,
            format!("{shown} is no data folder yet"),
            "systemctl start profiletrail makes one; or name another with --data",
        ),
        Err(TrailError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Finding::problem(
                CHECK,
                format!("this user may not read {shown}"),
                format!(
                    "sudo -u \"$(stat -c %U {})\" profiletrail doctor, with the same flags",
                    shell(&path.to_string_lossy())
                ),
            )
        }
        Err(error) => Finding::problem(
            CHECK,
            error.to_string(),
            "name the right folder with --data, or put a backup in its place: profiletrail restore --help",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_folder_is_read_or_told_why_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        assert!(format(&path).what.ends_with("is no data folder yet"));
        Folder::make(&path).unwrap();
        let found = format(&path);
        assert_eq!(found.result, Verdict::Ok);
        assert!(
            found.what.ends_with("is of format 2, which is known"),
            "{found:?}"
        );
        std::fs::write(path.join("format"), "{\"profiletrail\":9}").unwrap();
        let found = format(&path);
        assert_eq!(found.result, Verdict::Problem);
        assert!(found.what.contains('9'), "{found:?}");
    }
}
