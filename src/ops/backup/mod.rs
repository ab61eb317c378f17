//! `backup` and `restore`: a second copy of the logs.
//!
//! A backup is a folder with the files of both logs, the data folder's `format`, its baselines, its
//! signed checkpoints, and a [`manifest`] with the checksum of each. A file that the manifest does
//! not name is not part of it. The index is left out: it is rebuilt.
//!
//! **Consistent.** The manifest has the files of one moment, with the active segment up to the last
//! synced frame: exactly the events up to its `last_event`. Appending continues, but no segment is
//! sealed or pruned.
//!
//! **Incremental.** Closed and sealed segments never change, so those that the
//! backup has are kept. New ones are hard-linked if that is possible and copies
//! are not requested, else copied. The active segment is copied.
//!
//! **Complete at every moment.** A file that the last manifest names is never
//! written to: new content gets a second name. The new manifest replaces the old
//! one after all files that it names are synced, and only then are other files
//! removed. So an interrupted backup leaves the previous one intact.

mod copying;
mod manifest;
mod restore;
mod take;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use manifest::{Manifest, ManifestFile};
pub use restore::{beside, check_target, read_backup, restore_folder};
pub use take::{Source, back_up};

use super::Output;
use crate::background::lower_priority;
use crate::event::{micros_to_rfc3339, now_micros};
use crate::query::Answered;
use crate::storage::{RealDisk, make_dirs};
use crate::store::Trail;

/// The lock file of a backup.
const LOCK: &str = "backup.lock";

/// How to make a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOrder {
    /// The backup's folder, an absolute path.
    pub dir: PathBuf,
    /// Whether to copy every file, even if it could be linked.
    pub copy: bool,
}

/// A line of `backup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BackupLine {
    /// A new file in the backup.
    File {
        /// Its path in the data folder.
        file: String,
        /// Its length.
        bytes: u64,
        /// Whether it is a hard link to the data folder's file.
        linked: bool,
    },
    /// The end: the backup is complete and on stable storage.
    Done(BackupDone),
}

/// The result of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// An error that says what failed, and what to do about it.
fn failed(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> anyhow::Error {
    let path = path.into();
    move |cause| anyhow!("{what} {}: {cause}{}", path.display(), hint(&cause))
}

/// Advice for an error of the file system.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => ". Free space there; a previous backup is still complete",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (if a server runs, the server writes the backup, as its own user)"
        }
        _ => "",
    }
}

pub(super) fn run(
    trail: &Trail,
    order: &BackupOrder,
    output: &mut Output<'_>,
) -> anyhow::Result<Answered> {
    // Calls have priority. This thread ends with the request.
    lower_priority();
    let dir = &order.dir;
    let _lock = prepare(dir, trail.folder().path())?;
    let mut damage = Vec::new();
    let (events, rejected) = (trail.events(), trail.rejected());
    // So that the backup shows the state of the log; a prune keeps everything that is not
    // signed.
    if let Err(error) = trail.prover().sign(&|| false) {
        tracing::warn!("the backup is made without a new checkpoint: {error}");
    }
    let proofs = trail.prover().kept();
    let proofs = proofs.map_err(failed("reading", trail.folder().proofs()))?;
    // While this is held, pruned events are not removed from the files.
    let held = trail.retention();
    let (format, baselines) = trail.pruned_parts(&held)?;
    let source = Source {
        format,
        baselines,
        proofs,
        log_id: trail.folder().log_id,
        events,
        rejected,
        now: micros_to_rfc3339(now_micros()),
    };
    let done = back_up(&source, &RealDisk, order, &mut damage, output)?;
    output.line(&BackupLine::Done(done))?;
    Ok(Answered {
        found: true,
        damage,
        ..Answered::default()
    })
}

/// Creates a backup's folder if necessary, and locks it. A folder with other
/// content is refused.
fn prepare(dir: &Path, data: &Path) -> anyhow::Result<File> {
    let listing = || failed("listing", dir);
    if is_within(dir, data) {
        let why = "is inside the data folder, and would be lost with it: name a folder elsewhere";
        bail!("{} {why}", dir.display());
    }
    if !dir.exists() {
        make_dirs(dir).map_err(failed("making", dir))?;
    }
    let names = fs::read_dir(dir).map_err(listing())?;
    let names: io::Result<Vec<_>> = names
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect();
    let mut names = names.map_err(listing())?;
    names.retain(|name| name != "lost+found");
    let ours = |name| name == LOCK || name == manifest::NAME;
    if !names.is_empty() && !names.iter().any(ours) {
        let why = "contains something other than a backup: name an empty folder, or a new one";
        bail!("{} {why}", dir.display());
    }
    lock(dir, LOCK, true)
}

/// Whether a place, which need not exist, is in a folder.
fn is_within(place: &Path, folder: &Path) -> bool {
    let existing = place.ancestors().find_map(|path| path.canonicalize().ok());
    existing
        .zip(folder.canonicalize().ok())
        .is_some_and(|(existing, folder)| existing.starts_with(folder))
}

/// Locks a folder by a file in it, or shares the lock.
fn lock(dir: &Path, name: &str, write: bool) -> anyhow::Result<File> {
    let path = dir.join(name);
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .create(write)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed("opening", &path))?;
    let locked = if write {
        file.try_lock()
    } else {
        file.try_lock_shared()
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let why = "is in use by another backup or restore: wait for its end";
            bail!("{} {why}", dir.display())
        }
        Err(TryLockError::Error(error)) => Err(failed("locking", path)(error)),
    }
}
