//! `backup` and `restore`: a second copy of the logs.
//!
//! A backup is a folder with the files of both logs, the data folder's
//! `format`, what is left of pruned events as `format` tells it, and a [`manifest`] with the checksum of each. What the manifest
//! does not name is no part of it. The index is left out: it is made anew.
//!
//! **Consistent.** The manifest names the files as they were together at one
//! moment, the active segment up to the last synced frame: exactly the events
//! up to its `last_event`. Nothing is held up meanwhile: what another form has
//! replaced before it was copied is looked for once more.
//!
//! **Incremental.** Closed and sealed segments never change, so those that the
//! backup has are left alone; new ones are linked where that is possible, as
//! long as copies are not asked for, or copied. The active segment is copied.
//!
//! **Whole at every moment.** A file that the last manifest names is never
//! written to: a new content goes to a second name. The new manifest is put in
//! the place of the old one once all it names is synced, and only then is
//! removed what it does not name. So an interrupted backup leaves the one before.

mod copying;
mod files;
mod manifest;
mod restore;
mod take;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use manifest::{Manifest, ManifestFile};
pub use restore::{Restored, check_backup, restore, restore_folder};
pub use take::{Source, back_up};

use super::{CareError, Told};
use crate::event::{micros_to_rfc3339, now_micros};
use crate::log::LogError;
use crate::query::Answered;
use crate::storage::RealDisk;
use crate::store::Trail;

/// The name of the file by which backups of one folder exclude each other.
const LOCK: &str = "backup.lock";

/// How a backup is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOrder {
    /// The backup's folder, an absolute path.
    pub dir: PathBuf,
    /// Whether every file is copied, even where a link would do.
    pub copy: bool,
}

/// What a backup tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BackupLine {
    /// A file that is new in it.
    File {
        /// Its path in the data folder.
        file: String,
        /// Its length.
        bytes: u64,
        /// Whether it shares its bytes with the data folder's.
        linked: bool,
    },
    /// The end: the backup is whole, and on stable storage.
    Done(BackupDone),
}

/// What a backup came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupDone {
    /// The backup's folder.
    pub backup: PathBuf,
    /// The `seq` of the last event in it.
    pub last_event: u64,
    /// The number of the last rejected call in it.
    pub last_rejected: u64,
    /// How many files it has.
    pub files: u64,
    /// Their length together.
    pub bytes: u64,
    /// How many files were copied now.
    pub copied_files: u64,
    /// Their length together.
    pub copied_bytes: u64,
    /// How many files were linked now.
    pub linked_files: u64,
    /// Their length together.
    pub linked_bytes: u64,
}

/// Why there is no backup, or none that can be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder holds something else.
    #[error("{} holds something that is no backup: name an empty folder, or a new one", .0.display())]
    Foreign(PathBuf),
    /// The folder is in the data folder.
    #[error("{} lies in the data folder, and would be lost with it: name a folder elsewhere", .0.display())]
    Inside(PathBuf),
    /// Another process is at it.
    #[error("{} is in use by another backup or restore: wait for its end", .0.display())]
    Busy(PathBuf),
    /// The backup is one of another data folder.
    #[error("{} is the backup of another data folder: name another folder", .0.display())]
    OtherFolder(PathBuf),
    /// The backup has what the data folder does not have.
    #[error(
        "the backup {} goes up to {what} {theirs}, and the data folder only up to {ours}: was it \
         put back from an older one? Name another folder, so that nothing of the backup is lost", dir.display()
    )]
    Older {
        /// The backup.
        dir: PathBuf,
        /// Of which log.
        what: &'static str,
        /// Up to where the backup goes.
        theirs: u64,
        /// Up to where the data folder goes.
        ours: u64,
    },
    /// The manifest cannot be used.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Files of the backup are not as they were written.
    #[error(
        "the backup {} is damaged, and nothing of it is restored: {}. Restore another one; or, where the data \
         folder is there still, remove what is damaged from the backup and make it again", dir.display(), files.join("; ")
    )]
    Damaged {
        /// The backup.
        dir: PathBuf,
        /// What is wrong, file by file.
        files: Vec<String>,
    },
    /// The place to restore to is taken.
    #[error("{} is there already and not empty{used}: move it away, or name another folder with --data", dir.display())]
    Taken {
        /// The place.
        dir: PathBuf,
        /// By whom it is used, for the message.
        used: String,
    },
    /// The place to restore to cannot be put in place whole.
    #[error("{} is where a file system is mounted: name a folder in it with --data", .0.display())]
    MountPoint(PathBuf),
    /// The log was rearranged again and again.
    #[error("the log's files were replaced faster than they could be copied: try again")]
    Restless,
    /// The file system failed.
    #[error("{what} {}: {cause}{}", path.display(), hint(cause))]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// How it failed.
        cause: io::Error,
    },
    /// The reader of what is told has gone.
    #[error("{0}")]
    Output(io::Error),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl BackupError {
    fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { what, path, cause }
    }
}

/// What to say beside an error of the file system.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            ". Make room there; a backup that was there before is still whole"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (where a server runs, it is the server that writes a backup, as its own user)"
        }
        _ => "",
    }
}

pub(super) fn carry_out(
    trail: &Trail,
    order: &BackupOrder,
    told: &mut Told<'_>,
) -> Result<Answered, CareError> {
    // Calls go first. On Linux this is the calling thread's alone, which ends
    // with the order.
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!("the backup's priority could not be lowered: {error}");
    }
    let dir = &order.dir;
    let _lock = prepare(dir, trail.folder().path())?;
    let mut damage = Vec::new();
    let (events, rejected) = trail.logs();
    // What is pruned from now on is in the backup, and stays until it is.
    let held = trail.retention();
    let done = loop {
        let (format, baselines) = trail.pruned_parts(&held)?;
        let source = Source {
            format,
            baselines,
            folder: trail.folder().path(),
            log_id: trail.folder().log_id,
            events,
            rejected,
            now: micros_to_rfc3339(now_micros()),
        };
        let done = back_up(&source, &RealDisk, order, &mut damage, told)?;
        // The first observed event may have come meanwhile: once in a folder's life.
        if trail.pruned_parts(&held)?.0 == source.format {
            break done;
        }
    };
    told.line(&BackupLine::Done(done))?;
    Ok(Answered {
        found: true,
        damage,
        ..Answered::default()
    })
}

/// Makes a backup's folder where there is none, and locks it. Nothing is put
/// into a folder that holds anything else.
fn prepare(dir: &Path, data: &Path) -> Result<File, BackupError> {
    let listing = || BackupError::io("listing", dir);
    let data = fs::canonicalize(data).map_err(BackupError::io("finding", data))?;
    let existing = dir.ancestors().find_map(|dir| fs::canonicalize(dir).ok());
    if existing.is_some_and(|existing| existing.starts_with(&data)) {
        return Err(BackupError::Inside(dir.to_owned()));
    }
    if !dir.exists() {
        let made = DirBuilder::new().mode(0o700).recursive(true).create(dir);
        made.map_err(BackupError::io("making", dir))?;
        if let Some(parent) = dir.parent() {
            let synced = File::open(parent).and_then(|parent| parent.sync_all());
            synced.map_err(BackupError::io("syncing", parent))?;
        }
    }
    let names = fs::read_dir(dir).map_err(listing())?;
    let names: io::Result<Vec<_>> = names
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect();
    let mut names = names.map_err(listing())?;
    names.retain(|name| name != "lost+found");
    let ours = |name| name == LOCK || name == manifest::NAME;
    if !names.is_empty() && !names.iter().any(ours) {
        return Err(BackupError::Foreign(dir.to_owned()));
    }
    lock(dir, true)?.ok_or_else(|| BackupError::Busy(dir.to_owned()))
}

/// Locks a backup, or shares the lock; `None` where another process has it.
fn lock(dir: &Path, write: bool) -> Result<Option<File>, BackupError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .create(write)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(BackupError::io("opening", &path))?;
    let locked = if write {
        file.try_lock()
    } else {
        file.try_lock_shared()
    };
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(BackupError::io("locking", path)(error)),
    }
}
