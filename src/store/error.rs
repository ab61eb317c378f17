//! Why a data folder cannot be opened, or a question not be answered.

use std::io;
use std::path::PathBuf;

use super::folder::Holder;
use crate::log::LogError;

/// Why a data folder cannot be opened, or a question not be answered.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The folder is not there.
    #[error(
        "there is no data folder {}: start `profiletrail serve --data {}` to make one, \
         or name another with --data", .0.display(), .0.display()
    )]
    NoFolder(PathBuf),
    /// The folder holds something else.
    #[error(
        "{} is no profiletrail data folder, and it is not empty: name another with --data", .0.display()
    )]
    ForeignFolder(PathBuf),
    /// The folder is a backup.
    #[error(
        "{} is a backup: make a data folder of it with `profiletrail restore {} --data DIR`", .0.display(), .0.display()
    )]
    Backup(PathBuf),
    /// The folder holds a log, but not the file that tells whose it is.
    #[error(
        "{} has a log but no `format` file, without which the log cannot be read: put that file \
         back from the backup (it belongs to `log/`), or name another folder with --data", .0.display()
    )]
    FormatMissing(PathBuf),
    /// The folder belongs to another user.
    #[error(
        "the data folder {} belongs to the user with number {owner}, and files made by this user ({user}) \
         would lock that user out: run `sudo -u '#{owner}' profiletrail …`, or change the owner with \
         `chown -R`", path.display()
    )]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
        /// The number of the user that runs this program.
        user: u32,
    },
    /// The folder's format is not one that this program knows.
    #[error(
        "the data folder {} has format {found}, and this profiletrail knows formats up to {known}: \
         open it with the version that wrote it, or a newer one", path.display()
    )]
    Format {
        /// The folder.
        path: PathBuf,
        /// The format found.
        found: String,
        /// The last format known.
        known: u32,
    },
    /// The file that tells the folder's format makes no sense.
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
        /// Who holds its lock.
        holder: Holder,
    },
    /// The file system failed.
    #[error("{what} {}: {cause}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// How it failed.
        cause: io::Error,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index failed, past what a rebuild mends.
    #[error("the index: {0}")]
    Index(String),
}

impl TrailError {
    /// For `map_err`: the file system failed at this.
    pub fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { what, path, cause }
    }
}
