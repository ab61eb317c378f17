//! A disk in memory that loses data like a crashed machine.
//!
//! Every change is kept twice: as the process sees it, and in a list of unsynced changes.
//! [`SimulatedDisk::power_cut`] returns a possible disk afterwards: with any subset of
//! the unsynced changes, and with writes torn at any byte or with sectors missing. A
//! fault can be planned for any single operation.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::unsynced::{Change, FileState, NameChange};
use super::{Access, Storage, StorageFile};
use crate::dice::Dice;

/// The fault of a planned operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails; a write may have done its first half, and a failed sync has
    /// lost some or all of its data: a later sync succeeds without it, as on Linux.
    Error,
    /// The disk is full: from here on writes that need room fail. Existing files
    /// can be read, cut and synced.
    Full,
    /// The machine loses power: this and all later operations fail.
    PowerCut,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Disk {
    files: Vec<FileState>,
    durable_names: BTreeMap<PathBuf, usize>,
    unsynced_names: Vec<NameChange>,
    names: BTreeMap<PathBuf, usize>,
    operations: u64,
    plan: HashMap<u64, Fault>,
    full: bool,
    dead: bool,
}

/// A disk in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<Disk>>);

/// Whether both hold the same, synced and not, and will fail alike.
impl PartialEq for SimulatedDisk {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || *self.0.lock() == *other.0.lock()
    }
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of changing operations so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Plans a fault for the changing operation of a number (from 1).
    pub fn plan(&self, operation: u64, fault: Fault) {
        self.0.lock().plan.insert(operation, fault);
    }

    /// Ends [`Fault::Full`].
    pub fn make_room(&self) {
        self.0.lock().full = false;
    }

    /// The disk as it may be found after a power cut now. `seed` decides which of
    /// the unsynced changes reached it.
    pub fn power_cut(&self, seed: u64) -> Self {
        let disk = self.0.lock();
        let mut dice = Dice(seed);
        let files = disk
            .files
            .iter()
            .map(|file| file.after_power_cut(&mut dice))
            .collect();
        let mut names = disk.durable_names.clone();
        for change in &disk.unsynced_names {
            if dice.below(2) == 0 {
                change.apply(&mut names);
            }
        }
        Self(Arc::new(Mutex::new(Disk {
            files,
            durable_names: names.clone(),
            names,
            full: disk.full,
            ..Disk::default()
        })))
    }

    /// The disk as the next process finds it when this one is killed: with all
    /// that was written, synced or not.
    pub fn process_killed(&self) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            operations: 0,
            plan: HashMap::new(),
            dead: false,
            ..self.0.lock().clone()
        })))
    }
}

impl Disk {
    /// Counts a changing operation and returns its fault. The operation of a
    /// [`Fault::PowerCut`] may or may not be done: it is recorded, but not as
    /// durable, and ends with [`powered`].
    fn operate(&mut self) -> io::Result<Option<Fault>> {
        if self.dead {
            return Err(no_power());
        }
        self.operations += 1;
        let fault = self.plan.get(&self.operations).copied();
        match fault {
            Some(Fault::PowerCut) => self.dead = true,
            Some(Fault::Full) => self.full = true,
            Some(Fault::Error) | None => {}
        }
        Ok(fault)
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }

    fn named(&self, path: &Path) -> io::Result<usize> {
        let number = self.names.get(path).copied();
        number.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&mut self, number: usize) -> io::Result<&mut FileState> {
        self.files
            .get_mut(number)
            .ok_or_else(|| io::Error::other("no such file"))
    }
}

fn powered(fault: Option<Fault>) -> io::Result<()> {
    if fault == Some(Fault::PowerCut) {
        return Err(no_power());
    }
    Ok(())
}

fn no_power() -> io::Error {
    io::Error::other("the simulated machine has no power")
}

fn failed() -> io::Error {
    io::Error::other("simulated input/output error")
}

fn is_full() -> io::Error {
    io::Error::new(
        io::ErrorKind::StorageFull,
        "No space left on simulated disk",
    )
}

impl SimulatedDisk {
    /// The disk, for an operation that changes nothing.
    fn powered(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.0.lock();
        if disk.dead { Err(no_power()) } else { Ok(disk) }
    }

    /// Counts a changing operation and does it, unless it is planned to fail.
    fn change<T>(&self, change: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.0.lock();
        let fault = disk.operate()?;
        if fault == Some(Fault::Error) {
            return Err(failed());
        }
        let done = change(&mut disk)?;
        powered(fault).map(|()| done)
    }
}

impl Storage for SimulatedDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.powered()?;
        let inside = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let existing = self.powered()?.named(path);
        let number = match (access, existing) {
            (Access::CreateNew, Ok(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Access::CreateNew, Err(_)) => self.change(|disk| {
                if disk.full {
                    return Err(is_full());
                }
                let file = disk.files.len();
                disk.files.push(FileState::default());
                let path = path.to_owned();
                disk.change_name(NameChange::Make { path, file });
                Ok(file)
            })?,
            (_, existing) => existing?,
        };
        Ok(Arc::new(SimulatedFile {
            disk: self.clone(),
            number,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change(|disk| {
            let is_in = |name: &PathBuf| name.starts_with(&from) && *name != from;
            if !disk.names.keys().any(is_in) {
                let file = disk.named(&from)?;
                disk.change_name(NameChange::Rename { from, to, file });
            } else if disk.names.keys().any(|name| name.starts_with(&to)) {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            } else {
                disk.change_name(NameChange::RenameDir { from, to });
            }
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|disk| {
            let file = disk.named(from)?;
            if disk.names.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let path = to.to_owned();
            disk.change_name(NameChange::Make { path, file });
            Ok(())
        })
    }

    /// Directories are not simulated: those in the files' paths exist.
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        self.change(|_| Ok(()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|disk| {
            disk.named(path)?;
            let path = path.to_owned();
            disk.change_name(NameChange::Remove { path });
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        let fault = disk.operate()?;
        if fault == Some(Fault::Error) {
            return Err(failed());
        }
        powered(fault)?;
        let disk = &mut *disk;
        for change in disk
            .unsynced_names
            .extract_if(.., |change| change.is_in(dir))
        {
            change.apply(&mut disk.durable_names);
        }
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
}

impl StorageFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let mut disk = self.disk.powered()?;
        Ok(disk.file(self.number)?.seen.len() as u64)
    }

    fn stamp(&self) -> io::Result<String> {
        let mut disk = self.disk.powered()?;
        let crc = crc32c::crc32c(&disk.file(self.number)?.seen);
        Ok(format!("{}-{crc:x}", self.number))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.powered()?;
        let seen = &disk.file(self.number)?.seen;
        let rest = seen.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.0.lock();
        let fault = disk.operate()?;
        let full = disk.full;
        let file = disk.file(self.number)?;
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        if fault == Some(Fault::Error) {
            file.record(Change::write(offset, half));
            return Err(failed());
        }
        if full && offset as usize + bytes.len() > file.seen.len() {
            file.record(Change::write(offset, half));
            return Err(is_full());
        }
        file.record(Change::write(offset, bytes));
        powered(fault)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change(|disk| {
            disk.file(self.number)?.record(Change::SetLen(len as usize));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.0.lock();
        let fault = disk.operate()?;
        let operation = disk.operations;
        let file = disk.file(self.number)?;
        if fault == Some(Fault::Error) {
            // All of it may be lost, or a part.
            if !operation.is_multiple_of(2) {
                file.durable = file.after_power_cut(&mut Dice(operation)).durable;
            }
            file.unsynced.clear();
            file.lost = true;
            return Err(failed());
        }
        powered(fault)?;
        if file.lost {
            for change in std::mem::take(&mut file.unsynced) {
                change.apply(&mut file.durable);
            }
        } else {
            file.durable = file.seen.clone();
            file.unsynced.clear();
        }
        Ok(())
    }
}
