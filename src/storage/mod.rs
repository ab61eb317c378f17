//! The interface between the log and the file system.
//!
//! Two implementations: [`RealDisk`], and, only for tests, `SimulatedDisk`, which loses
//! unsynced data, tears writes and fails on demand, so that the log is tested against
//! every kind of crash. Paths are absolute or relative to the process. The log accesses
//! the file system only through these traits; code that opens files safely belongs in
//! [`RealDisk`].

mod real;
mod regular;
mod replace;
#[cfg(any(test, feature = "fuzzing"))]
mod simulated;
#[cfg(any(test, feature = "fuzzing"))]
mod unsynced;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

pub use real::{RealDisk, give_to_owner, make_dirs, replace_for_owner};
pub use regular::{FileIdentity, Links, identity, open_or_create, open_regular, read_small};
pub use replace::{atomic_replace, name_of_new, rename_durably, write_new};
#[cfg(any(test, feature = "fuzzing"))]
pub use simulated::{Fault, SimulatedDisk};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read an existing file.
    Read,
    /// Read and write an existing file.
    Write,
    /// Read and write a file that must not exist yet. Its name is durable only
    /// after [`Storage::sync_dir`].
    CreateNew,
}

/// A file system.
pub trait Storage: Send + Sync {
    /// The names of the files in a directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens a file. New files have mode 0600.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StorageFile>>;
    /// Renames a file within its directory, atomically replacing a file of that
    /// name; durable only after [`Storage::sync_dir`]. A directory can replace
    /// only an empty one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Adds a hard link, whose name must not exist yet; fails across file
    /// systems. Durable only after [`Storage::sync_dir`].
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Creates a directory (mode 0700) unless it exists. Its name is durable
    /// only after a [`Storage::sync_dir`] of its parent.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes a file's name. An open file can still be read.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a file's name, if it exists.
    fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        found(self.remove(path)).map(drop)
    }
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Offsets and lengths are in bytes.
pub trait StorageFile: Send + Sync {
    /// The length as the process sees it, synced or not.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// A stamp that differs between files and changes when the content does, so
    /// that a backup recognises a file that it already has.
    fn stamp(&self) -> io::Result<String>;
    /// Reads up to `buffer.len()` bytes at an offset; fewer only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Up to `len` bytes from an offset; fewer only at the end.
    fn read_up_to(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let rest = self.len()?.saturating_sub(offset);
        let mut bytes = vec![0; len.min(usize::try_from(rest).unwrap_or(usize::MAX))];
        let read = self.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }
    /// Writes all of `bytes` at an offset. After an error any part of them may
    /// have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error the state of all writes since the
    /// last sync is unknown, even if a later sync succeeds.
    fn sync(&self) -> io::Result<()>;
}

/// Returns `None` if there is no such file, and any other result unchanged.
pub fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// The first `most` bytes of a file.
pub fn read_start(storage: &dyn Storage, path: &Path, most: usize) -> io::Result<Vec<u8>> {
    storage.open(path, Access::Read)?.read_up_to(0, most)
}

/// The free bytes for this user on the disk of a folder.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The disk space of a folder with everything in it, in bytes. A file that
/// cannot be examined counts as empty.
pub fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_of(&entry.path()),
            Ok(data) => data.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
