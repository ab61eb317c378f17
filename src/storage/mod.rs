//! The narrow seam between the log and the file system.
//!
//! Two implementations: [`RealDisk`], and [`SimulatedDisk`], which loses what
//! was not synced, tears writes and fails on demand, so that the log's promise
//! is tested on every way in which a machine can die. All paths are absolute
//! or relative to the process; the log never looks at the file system past
//! these traits.

mod real;
mod simulated;
mod unsynced;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use real::RealDisk;
pub use simulated::{Fault, SimulatedDisk};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An existing file, to be read.
    Read,
    /// An existing file, to be read and written.
    Write,
    /// A file that must not exist yet, to be read and written. Its name is
    /// durable only after [`Storage::sync_dir`].
    CreateNew,
}

/// A file system.
pub trait Storage: Send + Sync {
    /// The names of the files in a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens a file. Files that are made are the owner's alone (mode 0600).
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StorageFile>>;
    /// Gives a file another name in the same directory, in the place of what
    /// has that name; durable only after [`Storage::sync_dir`], and whole or
    /// not at all. A directory takes the place of an empty one alone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name that must not exist yet; fails where that
    /// would lie on another file system. Durable as a new file's name is.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a directory, the owner's alone (mode 0700), where there is none.
    /// Its name is durable only after a [`Storage::sync_dir`] of its parent.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes a file's name away. Whoever has it open can still read it.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The same, where the file may be gone already.
    fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        match self.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
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
    /// Tells this file apart from any that has been at its place, or in a
    /// backup: another file, or this one after a change, has another stamp.
    fn stamp(&self) -> io::Result<String>;
    /// Reads up to `buffer.len()` bytes at an offset; fewer only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at an offset. After an error any part of them may
    /// have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error nothing is known of
    /// what was written since the last sync, even if a later sync succeeds.
    fn sync(&self) -> io::Result<()>;
}

/// Writes and syncs a file that is then to take the place of another by a
/// [`Storage::rename`]; what a crash has left of an earlier one goes.
pub fn write_aside(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<()> {
    storage.remove_if_there(path)?;
    let file = storage.open(path, Access::CreateNew)?;
    file.write_at(bytes, 0)?;
    file.sync()
}
