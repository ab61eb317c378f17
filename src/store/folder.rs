//! The data folder: its format, its lock, and the names in it.
//!
//! | name | content |
//! | --- | --- |
//! | `format` | the format's number, the log id and the salts' secret, as JSON; what is pruned, if anything is |
//! | `lock` | locked by the process that uses the folder; tells which |
//! | `socket` | the running server's Unix socket |
//! | `log/` | the events: segments `<first seq>.log`, sealed ones `<first seq>.log.zst` |
//! | `rejected/` | the calls that could not be read |
//! | `baselines/` | what is left of pruned events, once any were ([`crate::store::retention`]) |
//! | `index/` | sled; can be deleted while nothing runs |
//! | `tokens`, `tokens.lock` | the tokens of the query API ([`crate::auth::tokens`]), once any were made |
//!
//! In the two logs' folders, `*.torn-*` are writes that a crash has cut short,
//! and `*.damaged-*` segments in the place of which a repair has put others.
//!
//! The folder is the owner's alone (mode 0700).

mod format;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::StatVfsMountFlags;
use serde::{Deserialize, Serialize};

use self::format::Format;
use super::error::TrailError;
use crate::log::salt::SaltRoot;
use crate::store::retention::Pruned;

/// How long the word that a server holds the lock is doubted: it may be what a
/// server left behind that was killed, while another has the lock already and
/// has not written its own yet.
const SETTLING: Duration = Duration::from_millis(200);

/// How long the making of a folder waits for another process that makes it.
const MAKING: Duration = Duration::from_secs(10);

/// The pause between two looks at the lock.
const PAUSE: Duration = Duration::from_millis(20);

/// A data folder that this process has locked.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Random; stands in every frame of the folder's logs.
    pub log_id: u64,
    /// The secret from which salts are derived.
    pub salt_root: SaltRoot,
    /// What was pruned when it was locked, if anything was.
    pub pruned: Option<Pruned>,
    /// The lock is the open file.
    _lock: File,
}

/// Who holds a folder's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process's number; 0 where it is not known.
    pub pid: u32,
    /// Whether it is a server, which stays, or a command, which ends soon.
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

    /// The file in which keys of senders are remembered.
    pub fn keys_of(path: &Path) -> PathBuf {
        path.join("keys")
    }

    /// The folder of the events' log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The folder of the log of calls that could not be read.
    pub fn rejected(&self) -> PathBuf {
        self.path.join("rejected")
    }

    /// The folder of the baselines' log, which is there once something was pruned.
    pub fn baselines(&self) -> PathBuf {
        self.path.join("baselines")
    }

    /// Makes the folder of the baselines' log, if it is not there.
    pub fn make_baselines(&self) -> Result<(), TrailError> {
        let path = self.baselines();
        make_folders(&path)
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

    /// Makes a data folder where there is none. Where several processes do so
    /// at once, one makes it and the others wait for that. A log without its
    /// `format` is left alone: with another log id it would be unreadable.
    pub fn make(path: &Path) -> Result<(), TrailError> {
        refuse_backup(path)?;
        make_folders(path).map_err(TrailError::io("making the data folder", path))?;
        refuse_foreign_owner(path)?;
        let format = path.join("format");
        if format.exists() {
            return Ok(());
        }
        // Before the lock is taken: nothing is put into a stranger's folder.
        if let Err(refused) = check_unmade(path) {
            // Another process may just have made it.
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
        let begun = Instant::now();
        while !try_lock(&lock, &name)? {
            if format.exists() {
                return Ok(());
            }
            if begun.elapsed() >= MAKING {
                return Err(TrailError::InUse {
                    path: path.to_owned(),
                    holder: read_holder(&mut lock),
                });
            }
            std::thread::sleep(PAUSE);
        }
        if format.exists() {
            return Ok(());
        }
        check_unmade(path)?;
        Self::write_format(path).map_err(TrailError::io("making the data folder", path))?;
        // The folder's own name must survive a power cut, too, even where it
        // was made by a process that did not get further.
        if let Some(parent) = path.canonicalize().ok().as_deref().and_then(Path::parent) {
            sync_folder(parent).map_err(TrailError::io("syncing", parent))?;
        }
        Ok(())
    }

    /// The format file comes last, by a rename: with it the folder is whole.
    fn write_format(path: &Path) -> io::Result<()> {
        for part in ["log", "rejected"] {
            DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(path.join(part))?;
        }
        Format::new()?.write(path)
    }

    /// Locks a data folder and reads its format. Waits up to `patience` for a
    /// command that holds the lock; a server is not waited for.
    pub fn lock(path: &Path, server: bool, patience: Duration) -> Result<Self, TrailError> {
        refuse_backup(path)?;
        let format = path.join("format");
        if !format.exists() {
            return Err(absent(path));
        }
        refuse_foreign_owner(path)?;
        let name = path.join("lock");
        let mut lock = open_lock(&name, server).map_err(TrailError::io("opening", &name))?;
        let begun = Instant::now();
        while !try_lock(&lock, &name)? {
            let holder = read_holder(&mut lock);
            let patience = if holder.server {
                patience.min(SETTLING)
            } else {
                patience
            };
            if begun.elapsed() >= patience {
                return Err(TrailError::InUse {
                    path: path.to_owned(),
                    holder,
                });
            }
            std::thread::sleep(PAUSE);
        }
        // Who it is helps a person; on a full or read-only disk it is not said.
        let holder = Holder {
            pid: std::process::id(),
            server,
        };
        let _ = write_holder(&mut lock, &holder);
        let Format {
            log_id,
            salt_root,
            pruned,
        } = Format::read(path)?;
        Ok(Self {
            path: path.to_owned(),
            log_id,
            salt_root,
            pruned,
            _lock: lock,
        })
    }

    /// The text of the `format` file once so much is pruned.
    pub fn format_text(&self, pruned: Option<Pruned>) -> String {
        let format = Format {
            log_id: self.log_id,
            salt_root: self.salt_root,
            pruned,
        };
        format.text()
    }

    /// The log id of a folder, without its lock.
    pub fn peek(path: &Path) -> Result<u64, TrailError> {
        refuse_backup(path)?;
        let format = path.join("format");
        match fs::symlink_metadata(&format) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent(path)),
            _ => {}
        }
        Ok(Format::read(path)?.log_id)
    }

    /// Who holds the lock of a folder, if anyone.
    pub fn holder(path: &Path) -> Option<Holder> {
        let mut lock = File::open(path.join("lock")).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut lock)),
            _ => None,
        }
    }
}

/// What a folder without `format` is.
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

/// An error where a folder is a backup, which must stay as it is.
fn refuse_backup(path: &Path) -> Result<(), TrailError> {
    match path.join("manifest.json").exists() {
        true => Err(TrailError::Backup(path.to_owned())),
        false => Ok(()),
    }
}

/// An error if a folder belongs to another user and can be written: files of this
/// process in it, as the index's, would lock its owner out.
fn refuse_foreign_owner(path: &Path) -> Result<(), TrailError> {
    let failed = |error| TrailError::io("looking at", path)(error);
    let owner = fs::metadata(path).map_err(failed)?.uid();
    let user = rustix::process::geteuid().as_raw();
    let mount = rustix::fs::statvfs(path).map_err(|error| failed(error.into()))?;
    if owner == user || mount.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    Err(TrailError::ForeignOwner {
        path: path.to_owned(),
        owner,
        user,
    })
}

/// Makes a folder and those above it, and syncs each folder in which a name
/// was made. Tells which those are.
fn make_folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = path.ancestors().take_while(|folder| !folder.exists());
    let parents: Vec<PathBuf> = missing
        .filter_map(Path::parent)
        .map(|parent| match parent.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => parent.to_owned(),
        })
        .collect();
    DirBuilder::new().mode(0o700).recursive(true).create(path)?;
    for parent in &parents {
        sync_folder(parent)?;
    }
    Ok(parents)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether a folder has something in one of its logs.
fn has_log(path: &Path) -> bool {
    ["log", "rejected"]
        .iter()
        .any(|part| fs::read_dir(path.join(part)).is_ok_and(|mut names| names.next().is_some()))
}

/// An error where a folder without `format` is not empty, nor what a crash
/// leaves while one is made.
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

/// Opens the lock file. Whoever does not write can lock it on a read-only
/// folder as well.
fn open_lock(name: &Path, write: bool) -> io::Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(name);
    match opened {
        Err(error) if !write && is_read_only(&error) => File::open(name).map_err(|_| error),
        opened => opened,
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Whether the lock was free, and is now ours.
fn try_lock(lock: &File, name: &Path) -> Result<bool, TrailError> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(TrailError::io("locking", name)(error)),
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
