//! The data folder: its format, its lock, and the names in it.
//!
//! `docs/storage-format.md` describes the layout, and [`FILES`] lists every file. In the
//! folders of the two logs, `*.torn-*` files are writes that a crash has cut short, and
//! `*.damaged-*` files are segments that a repair has replaced.
//!
//! Only the owner has access to the folder (mode 0700). The data folder itself may be a
//! symbolic link; its contents may not.

mod files;
mod format;
mod membership;

pub use files::{DataFile, FILES};
pub use format::FORMAT;
pub(super) use format::Format;
pub use membership::Membership;

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::StatVfsMountFlags;
use serde::{Deserialize, Serialize};

use super::error::TrailError;
use crate::storage::{
    Links, RealDisk, Storage, atomic_replace, found, make_dirs, open_or_create, open_regular,
};

/// How long to keep checking a lock file that names a server. It may be stale: a killed
/// server wrote it, and the new lock holder has not yet written its own entry.
const SETTLING: Duration = Duration::from_millis(200);

/// How long to wait for another process that creates the same folder.
const MAKING: Duration = Duration::from_secs(10);

/// The pause between two attempts to take the lock.
const PAUSE: Duration = Duration::from_millis(20);

/// A data folder that this process has locked.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Random; is in every frame of the folder's logs.
    pub log_id: u64,
    /// Its format when it was locked, without later prunes and erasures.
    pub(super) format: Format,
    /// The lock is the open file.
    _lock: File,
}

/// The holder of a folder's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process id; 0 if unknown.
    pub pid: u32,
    /// Whether it is a server, which keeps the lock, or a command, which ends soon.
    pub server: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.server { "a server" } else { "a command" };
        match self.pid {
            0 => write!(f, "another process"),
            pid => write!(f, "{what}, process {pid}"),
        }
    }
}

impl Folder {
    /// The Unix socket of a data folder.
    pub fn socket_of(path: &Path) -> PathBuf {
        path.join("socket")
    }

    /// The file that caches the keys of senders.
    pub fn keys_of(path: &Path) -> PathBuf {
        path.join("keys")
    }

    /// The folder of the events' log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The folder of the log of rejected calls.
    pub fn rejected(&self) -> PathBuf {
        self.path.join("rejected")
    }

    /// The folder of the baselines' log. Exists after the first prune.
    pub fn baselines(&self) -> PathBuf {
        self.path.join("baselines")
    }

    /// The folder of the proofs.
    pub fn proofs(&self) -> PathBuf {
        self.path.join("proofs")
    }

    /// Creates the folder of the baselines' log if it is missing.
    pub fn make_baselines(&self) -> Result<(), TrailError> {
        let path = self.baselines();
        make_dirs(&path)
            .map(drop)
            .map_err(TrailError::io("making", path))
    }

    /// The index's folder.
    pub fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    /// The data folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a data folder if it is missing. If several processes do so at once,
    /// one creates it and the others wait. A folder with a log but no `format` is
    /// refused: with another log id its log would be unreadable.
    pub fn make(path: &Path) -> Result<(), TrailError> {
        refuse_backup(path)?;
        make_dirs(path).map_err(TrailError::io("making the data folder", path))?;
        refuse_foreign_owner(path)?;
        refuse_links(path)?;
        let format = path.join("format");
        if format.exists() {
            return Ok(());
        }
        // Checked before locking, so that nothing is written to a foreign folder.
        if let Err(refused) = check_unmade(path) {
            // Another process may just have created it.
            return if format.exists() {
                Ok(())
            } else {
                Err(refused)
            };
        }
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(TrailError::io("closing to others", path))?;
        let name = path.join("lock");
        let mut lock = open_lock(&name, true).map_err(TrailError::io("opening", &name))?;
        let locked = wait_for_lock(&mut lock, path, |_| MAKING, || format.exists())?;
        if !locked || format.exists() {
            return Ok(());
        }
        check_unmade(path)?;
        Self::write_format(path).map_err(TrailError::io("making the data folder", path))?;
        // The folder's own name must be durable, too, even if it was created by a
        // process that did not finish.
        if let Some(parent) = path.canonicalize().ok().as_deref().and_then(Path::parent) {
            let synced = RealDisk.sync_dir(parent);
            synced.map_err(TrailError::io("syncing", parent))?;
        }
        Ok(())
    }

    /// The format file is written last, by a rename: it marks the folder as complete.
    fn write_format(path: &Path) -> io::Result<()> {
        for part in ["log", "rejected"] {
            RealDisk.make_dir(&path.join(part))?;
        }
        let text = Format::new()?.text();
        atomic_replace(&RealDisk, &path.join("format"), text.as_bytes())
    }

    /// Locks a data folder and reads its format. Waits up to `patience` for a
    /// command that holds the lock; it does not wait for a server.
    pub fn lock(path: &Path, server: bool, patience: Duration) -> Result<Self, TrailError> {
        refuse_backup(path)?;
        let format = path.join("format");
        if !format.exists() {
            return Err(absent(path));
        }
        refuse_foreign_owner(path)?;
        refuse_links(path)?;
        let name = path.join("lock");
        let mut lock = open_lock(&name, server).map_err(TrailError::io("opening", &name))?;
        let patience = |holder: &Holder| match holder.server {
            true => patience.min(SETTLING),
            false => patience,
        };
        wait_for_lock(&mut lock, path, patience, || false)?;
        // Informative only, so a failure to write it, as on a full disk, is ignored.
        let holder = Holder {
            pid: std::process::id(),
            server,
        };
        let _ = write_holder(&mut lock, &holder);
        let format = Format::read(path)?;
        Ok(Self {
            path: path.to_owned(),
            log_id: format.log_id,
            format,
            _lock: lock,
        })
    }

    /// The log id of a folder; does not need the lock.
    pub fn peek(path: &Path) -> Result<u64, TrailError> {
        refuse_backup(path)?;
        let format = fs::symlink_metadata(path.join("format"));
        if matches!(found(format), Ok(None)) {
            return Err(absent(path));
        }
        Ok(Format::read(path)?.log_id)
    }

    /// Whether other users than the owner may list or change the folder.
    pub fn is_open_to_others(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|data| data.mode() & 0o077 != 0)
    }

    /// The holder of the lock of a folder, if any.
    pub fn holder(path: &Path) -> Option<Holder> {
        let mut lock = open_to_read(&path.join("lock")).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut lock)),
            _ => None,
        }
    }
}

/// The error for a folder without `format`.
fn absent(path: &Path) -> TrailError {
    let empty = fs::read_dir(path).map_or(true, |mut names| names.next().is_none());
    if empty {
        TrailError::NoFolder(path.to_owned())
    } else if has_log(path) {
        TrailError::FormatMissing(path.to_owned())
    } else {
        TrailError::ForeignFolder(path.to_owned())
    }
}

/// Fails if a folder is a backup, which must stay unchanged, or if this user may not read
/// it: everything would seem to be missing.
fn refuse_backup(path: &Path) -> Result<(), TrailError> {
    match fs::symlink_metadata(path.join("manifest.json")) {
        Ok(_) => Err(TrailError::Backup(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let mut found = path.ancestors().filter_map(|path| fs::metadata(path).ok());
            Err(TrailError::NoPermission {
                path: path.to_owned(),
                owner: found.next().map_or(0, |found| found.uid()),
            })
        }
        Err(_) => Ok(()),
    }
}

/// Fails if a folder belongs to another user and is writable: files that this process
/// creates in it, as the index, would be inaccessible to its owner.
fn refuse_foreign_owner(path: &Path) -> Result<(), TrailError> {
    let failed = |error| TrailError::io("looking at", path)(error);
    let owner = fs::metadata(path).map_err(failed)?.uid();
    let user = rustix::process::geteuid().as_raw();
    let mount = rustix::fs::statvfs(path).map_err(|error| failed(error.into()))?;
    if owner == user || mount.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    Err(TrailError::Refused(format!(
        "the data folder {} belongs to the user with number {owner}, and files made by this user ({user}) \
         would lock that user out: run `sudo -u '#{owner}' profiletrail …`, or change the owner with \
         `chown -R`",
        path.display()
    )))
}

/// Fails if a folder in a data folder is a symbolic link: a prune would remove the link
/// in place of the old index, and root would write wherever it points.
fn refuse_links(path: &Path) -> Result<(), TrailError> {
    let parts = ["log", "rejected", "baselines", "index", "proofs"].map(|part| path.join(part));
    match parts.into_iter().find(|part| part.is_symlink()) {
        Some(part) => Err(TrailError::Refused(format!(
            "{} is a symbolic link, which is not followed: put the folder itself in its place. To keep \
             data on another disk, move the whole data folder there (it may be a link itself), or mount \
             the disk in this place",
            part.display()
        ))),
        None => Ok(()),
    }
}

/// Whether one of the logs of a folder has files.
fn has_log(path: &Path) -> bool {
    ["log", "rejected"]
        .iter()
        .any(|part| fs::read_dir(path.join(part)).is_ok_and(|mut names| names.next().is_some()))
}

/// Fails if a folder without `format` is neither empty nor the rest of an interrupted
/// creation.
fn check_unmade(path: &Path) -> Result<(), TrailError> {
    if has_log(path) {
        return Err(TrailError::FormatMissing(path.to_owned()));
    }
    let mut names = fs::read_dir(path).map_err(TrailError::io("listing", path))?;
    let is_ours = |name: &str| matches!(name, "lock" | "log" | "rejected" | "format.new");
    if names.any(|entry| entry.is_ok_and(|e| !e.file_name().to_str().is_some_and(is_ours))) {
        return Err(TrailError::ForeignFolder(path.to_owned()));
    }
    Ok(())
}

/// Opens the lock file. Readers can lock it in a read-only folder, too.
fn open_lock(name: &Path, write: bool) -> io::Result<File> {
    match open_or_create(name) {
        Err(error) if !write && is_read_only(&error) => open_to_read(name).map_err(|_| error),
        opened => opened,
    }
}

fn open_to_read(name: &Path) -> io::Result<File> {
    open_regular(OpenOptions::new().read(true), name, Links::Refuse)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Takes the lock of a folder, for which its present holder decides how long to wait; `false` if
/// it is not needed any more.
fn wait_for_lock(
    lock: &mut File,
    path: &Path,
    patience: impl Fn(&Holder) -> Duration,
    is_needless: impl Fn() -> bool,
) -> Result<bool, TrailError> {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(TrailError::io("locking", path.join("lock"))(error));
            }
        }
        if is_needless() {
            return Ok(false);
        }
        let holder = read_holder(lock);
        if begun.elapsed() >= patience(&holder) {
            return Err(TrailError::InUse {
                path: path.to_owned(),
                holder,
            });
        }
        std::thread::sleep(PAUSE);
    }
}

fn read_holder(lock: &mut File) -> Holder {
    let mut text = String::new();
    let read = lock
        .rewind()
        .and_then(|()| lock.take(1000).read_to_string(&mut text));
    read.ok()
        .and_then(|_| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn write_holder(lock: &mut File, holder: &Holder) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(serde_json::to_string(holder)?.as_bytes())
}

#[cfg(test)]
mod tests;
