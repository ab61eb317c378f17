//! Errors of opening a data folder and of answering queries.

use std::io;
use std::path::PathBuf;

use super::folder::{FORMAT, Holder};
use crate::index::IndexUnavailable;
use crate::log::LogError;

/// Why a data folder cannot be opened, or a query cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The folder does not exist.
    #[error(
        "there is no data folder {}: start `profiletrail serve --data {}` to make one, \
         or name another with --data", .0.display(), .0.display()
    )]
    NoFolder(PathBuf),
    /// This user may not look into the folder.
    #[error(
        "this user may not read the data folder {}: run `sudo -u '#{owner}' profiletrail …`", path.display()
    )]
    NoPermission {
        /// The folder.
        path: PathBuf,
        /// The number of the user who owns it, or the nearest folder above that can be seen.
        owner: u32,
    },
    /// The folder holds other files.
    #[error(
        "{} is not a profiletrail data folder, and not empty: name another with --data", .0.display()
    )]
    ForeignFolder(PathBuf),
    /// The folder is a backup.
    #[error(
        "{} is a backup: make a data folder of it with `profiletrail restore {} --data DIR`", .0.display(), .0.display()
    )]
    Backup(PathBuf),
    /// The folder holds a log, but the `format` file with its log id is missing.
    #[error(
        "{} has a log but no `format` file, without which the log cannot be read: put that file \
         back from the backup (it belongs to `log/`), or name another folder with --data", .0.display()
    )]
    FormatMissing(PathBuf),
    /// The folder cannot be used: the reason and the solution.
    #[error("{0}")]
    Refused(String),
    /// The folder has an unknown format.
    #[error(
        "the data folder {} has format {found}, and this profiletrail knows formats up to {FORMAT}: \
         open it with the version that wrote it, or a newer one", path.display()
    )]
    Format {
        /// The folder.
        path: PathBuf,
        /// The format found.
        found: String,
    },
    /// The `format` file is malformed.
    #[error(
        "the file {} is damaged: put it back from a backup, or write it again with the line \
         {{\"profiletrail\":1,\"log_id\":\"ID\",\"salt_root\":\"SALT\"}}, where ID is what \
         `od -An -tx8 -j8 -N8` prints of a file log/*.log (of a log/*.log.zst after `zstd -d`), and \
         SALT what `head -c 32 /dev/urandom | base64` prints", .0.display()
    )]
    FormatDamaged(PathBuf),
    /// Another process uses the folder.
    #[error("the data folder {} is in use by {holder}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The holder of its lock.
        holder: Holder,
    },
    /// The log, or another file, cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index failed in a way that a rebuild does not fix.
    #[error(transparent)]
    Index(#[from] IndexUnavailable),
}

impl TrailError {
    /// For `map_err`: wraps an I/O error with the operation and the path.
    pub fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let failed = LogError::io(what, path);
        move |cause| Self::Log(failed(cause))
    }
}
