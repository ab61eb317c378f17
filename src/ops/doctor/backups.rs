//! The age of a backup.

use std::path::Path;

use chrono::DateTime;

use super::Finding;
use super::words::{shell, span};
use crate::ops::backup::Manifest;
use crate::storage::RealDisk;

/// How old a backup may be, in seconds.
const OLD: i64 = 2 * 86_400;

/// When a backup was made last; `None` where none was named.
pub(super) fn age(backup: Option<&Path>, data: &str, now: i64) -> Finding {
    const CHECK: &str = "backup";
    let Some(path) = backup else {
        return Finding::unknown(
            CHECK,
            "it is not known where backups are",
            Some("name the folder with --backup, to have its age checked".to_owned()),
        );
    };
    let order = format!(
        "profiletrail backup {} --data {}",
        shell(&path.to_string_lossy()),
        shell(data)
    );
    let shown = path.display();
    let made = match Manifest::read(&RealDisk, path) {
        Ok(Some(manifest)) => manifest.made,
        Ok(None) => return Finding::warning(CHECK, format!("{shown} holds no backup"), order),
        Err(error) => return Finding::problem(CHECK, error.to_string(), order),
    };
    let Ok(time) = DateTime::parse_from_rfc3339(&made) else {
        return Finding::problem(
            CHECK,
            format!("{shown} was made at {made:?}, which is no time"),
            order,
        );
    };
    let ago = now.saturating_sub(time.timestamp());
    let what = format!("{shown} was brought up to date {} ago", span(ago));
    if ago > OLD {
        Finding::warning(CHECK, what, order + ", once a day")
    } else {
        Finding::ok(CHECK, what)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_backup_that_is_not_there_is_told() {
        assert_eq!(age(None, "d", 0).result, Verdict::Unknown);
        let dir = tempfile::tempdir().unwrap();
        let found = age(Some(dir.path()), "d", 0);
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.what.ends_with("holds no backup"), "{found:?}");
        std::fs::write(dir.path().join("manifest.json"), "{}").unwrap();
        assert_eq!(age(Some(dir.path()), "d", 0).result, Verdict::Problem);
    }
}
