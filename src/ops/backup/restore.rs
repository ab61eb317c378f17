//! Restores a data folder from a backup.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::copying::{copy, hash, list, remove};
use super::manifest::{BASELINES, Manifest, ManifestFile, PARTS};
use super::{BackupError, LOCK, lock};
use crate::storage::{Access, RealDisk, Storage, rename_durably};
use crate::store::Folder;

/// What was restored, or checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made, RFC 3339.
    pub made: String,
    /// The `seq` of the last event.
    pub last_event: u64,
    /// The number of the last rejected call.
    pub last_rejected: u64,
    /// How many files there are.
    pub files: u64,
    /// Their length together.
    pub bytes: u64,
    /// What could not be read when the backup was made.
    pub damage: Vec<String>,
}

impl From<Manifest> for Restored {
    fn from(manifest: Manifest) -> Self {
        Self {
            last_event: manifest.last_event,
            last_rejected: manifest.last_rejected,
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
            damage: manifest.damage(),
            made: manifest.made,
        }
    }
}

/// Reads a whole backup and compares it with its manifest; an error names every
/// file that differs. `progress` gets the bytes done and the total.
pub fn check_backup(
    storage: &dyn Storage,
    backup: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(storage, backup)?.ok_or_else(|| BackupError::Manifest {
        path: backup.to_owned(),
        reason: "there is no backup here, or it was never finished: it has no manifest.json"
            .to_owned(),
    })?;
    let (mut done, all) = (0, manifest.bytes());
    let mut wrong = Vec::new();
    for file in &manifest.files {
        let found = check_file(storage, backup, file, |count| progress(done + count, all))?;
        wrong.extend(found.map(|reason| format!("{} {reason}", file.stored)));
        done += file.bytes;
    }
    if wrong.is_empty() {
        Ok(manifest)
    } else {
        Err(BackupError::Damaged {
            dir: backup.to_owned(),
            files: wrong,
        })
    }
}

/// The fault of a file of a backup, if it has one.
fn check_file(
    storage: &dyn Storage,
    backup: &Path,
    file: &ManifestFile,
    mut progress: impl FnMut(u64),
) -> Result<Option<String>, BackupError> {
    let path = backup.join(&file.stored);
    let opened = match storage.open(&path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Some("is missing".to_owned()));
        }
        opened => opened.map_err(BackupError::io("opening", &path))?,
    };
    let len = opened.len().map_err(BackupError::io("reading", &path))?;
    if len != file.bytes {
        return Ok(Some(format!(
            "has {len} bytes, and {} were written",
            file.bytes
        )));
    }
    let mut read = 0;
    let hashed = hash(opened.as_ref(), len, |count| {
        read += count;
        progress(read);
    });
    Ok(match hashed {
        Ok(sha256) if sha256 == file.sha256 => None,
        Ok(_) => Some("does not match its checksum".to_owned()),
        Err(error) => Some(format!("cannot be read: {error}")),
    })
}

/// Copies a checked backup to a temporary folder and renames that to the target.
/// The parent must exist; the target must be missing or empty.
pub fn restore(
    storage: &dyn Storage,
    backup: &Path,
    manifest: &Manifest,
    target: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), BackupError> {
    let aside = aside_of(target);
    let make = |dir: &Path| {
        storage
            .make_dir(dir)
            .map_err(BackupError::io("making", dir))
    };
    make(&aside)?;
    let is_baseline = |file: &ManifestFile| file.path.starts_with(BASELINES);
    let pruned = manifest.files.iter().any(is_baseline).then_some(BASELINES);
    for part in PARTS.into_iter().chain(pruned) {
        make(&aside.join(part))?;
    }
    // Removes the rest of an interrupted restore.
    clear(storage, &aside)?;
    let (mut done, all) = (0, manifest.bytes());
    for file in &manifest.files {
        let (from, to) = (backup.join(&file.stored), aside.join(&file.path));
        let opened = storage.open(&from, Access::Read);
        let opened = opened.map_err(BackupError::io("opening", from))?;
        let sha256 = copy(opened.as_ref(), file.bytes, storage, &to, |count| {
            done += count;
            progress(done, all);
        })
        .map_err(BackupError::io("copying to", &to))?;
        if sha256 != file.sha256 {
            return Err(BackupError::Damaged {
                dir: backup.to_owned(),
                files: vec![format!("{} has changed while it was read", file.stored)],
            });
        }
    }
    let sync = |dir: &Path| {
        storage
            .sync_dir(dir)
            .map_err(BackupError::io("syncing", dir))
    };
    for part in PARTS.into_iter().chain(pruned) {
        sync(&aside.join(part))?;
    }
    sync(&aside)?;
    rename_durably(storage, &aside, target).map_err(BackupError::io("renaming to", target))
}

/// Removes the files of a restore that was not finished.
fn clear(storage: &dyn Storage, aside: &Path) -> Result<(), BackupError> {
    let parts = PARTS.into_iter().chain([BASELINES]);
    for part in parts.map(|part| aside.join(part)) {
        let names = list(storage, &part).map_err(BackupError::io("listing", &part))?;
        for path in names.iter().map(|name| part.join(name)) {
            remove(storage, &path).map_err(BackupError::io("removing", path))?;
        }
    }
    let format = aside.join("format");
    remove(storage, &format).map_err(BackupError::io("removing", format))
}

/// Where a restore puts its files before they are complete.
fn aside_of(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    target.with_file_name(name)
}

/// Checks a backup and restores it to the target, an absolute path, if there is
/// one. `progress` gets the step, the bytes done and the total.
pub fn restore_folder(
    backup: &Path,
    target: Option<&Path>,
    mut progress: impl FnMut(&'static str, u64, u64),
) -> Result<Restored, BackupError> {
    if let Some(target) = target {
        check_target(target)?;
        if is_within(target, backup) {
            return Err(BackupError::Within(backup.to_owned()));
        }
    }
    // A backup on a read-only medium may have no lock file.
    let _shared = match backup.join(LOCK).exists() {
        true => lock(backup, false)?
            .ok_or_else(|| BackupError::Busy(backup.to_owned()))
            .map(Some)?,
        false => None,
    };
    let checked = check_backup(&RealDisk, backup, |done, all| {
        progress("checking", done, all)
    })?;
    if let Some(target) = target {
        let lock = begin(target)?;
        let restored = restore(&RealDisk, backup, &checked, target, |done, all| {
            progress("restoring", done, all);
        });
        if let Err(error) = restored {
            // The next one would do so, too; this gives the room back.
            let aside = aside_of(target);
            if let Err(error) = fs::remove_dir_all(&aside) {
                tracing::debug!("{} could not be removed: {error}", aside.display());
            }
            return Err(error);
        }
        drop(lock);
    }
    Ok(checked.into())
}

/// Whether a place, which need not exist, is in a folder.
fn is_within(place: &Path, folder: &Path) -> bool {
    let existing = place.ancestors().find_map(|path| path.canonicalize().ok());
    existing
        .zip(folder.canonicalize().ok())
        .is_some_and(|(existing, folder)| existing.starts_with(folder))
}

/// An error where nothing may be restored to a place.
fn check_target(target: &Path) -> Result<(), BackupError> {
    let mut names = match fs::read_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed.map_err(BackupError::io("listing", target))?,
    };
    if names.next().is_some() {
        let used = Folder::holder(target);
        return Err(BackupError::Taken {
            dir: target.to_owned(),
            used: used.map_or_else(String::new, |holder| format!(", and in use by {holder}")),
        });
    }
    let device = |path: &Path| fs::metadata(path).map(|data| data.dev());
    let parent = target.parent().unwrap_or(target);
    let [own, above] = [device(target), device(parent)];
    if own.ok() != above.ok() || parent == target {
        return Err(BackupError::MountPoint(target.to_owned()));
    }
    Ok(())
}

/// Makes the folder aside, which must be what a restore left or not be there,
/// and locks it as a data folder is locked, which it becomes.
fn begin(target: &Path) -> Result<File, BackupError> {
    let aside = aside_of(target);
    if let Some(parent) = target.parent() {
        let made = DirBuilder::new().mode(0o700).recursive(true).create(parent);
        made.map_err(BackupError::io("making", parent))?;
    }
    let known = |name: &str| matches!(name, "lock" | "format" | BASELINES) || PARTS.contains(&name);
    let names = list(&RealDisk, &aside).map_err(BackupError::io("listing", &aside))?;
    if !names.iter().all(|name| known(name)) {
        return Err(BackupError::Taken {
            dir: aside,
            used: String::new(),
        });
    }
    RealDisk
        .make_dir(&aside)
        .map_err(BackupError::io("making", &aside))?;
    let path = aside.join("lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(BackupError::io("opening", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => Err(BackupError::Busy(aside)),
    }
}
