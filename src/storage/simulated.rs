//! A disk in memory that does to the log what a dying machine does.
//!
//! Every change is kept twice: as the process sees it, and as a list of what
//! is not synced yet. [`SimulatedDisk::power_cut`] gives the disk as it may be
//! found afterwards: of the unsynced changes any subset is there, the writes
//! torn at any byte. A fault can be planned for any one operation.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, Storage, StorageFile};

/// What goes wrong at a planned operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails; a write may have done its first half, and a failed
    /// sync has lost what it should have made durable: a later sync succeeds
    /// without it, as on Linux.
    Error,
    /// From here on writes that need room fail: the disk is full. What is
    /// there can be read, cut and synced.
    Full,
    /// The machine loses power: this and all later operations fail.
    PowerCut,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug, Default)]
struct FileState {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Changes whose sync failed: seen by the process, never durable.
    lost: bool,
    seen: Vec<u8>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
}

#[derive(Clone, Debug, Default)]
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

/// A small deterministic generator (splitmix64); the simulation must not
/// differ from run to run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % (bound.max(1) as u64)) as usize
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                if let Some(place) = content.get_mut(*offset..end) {
                    place.copy_from_slice(bytes);
                }
            }
            Self::SetLen(len) => content.resize(*len, 0),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changing operations there were so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Plans a fault for the changing operation of that number (from 1).
    pub fn plan(&self, operation: u64, fault: Fault) {
        self.disk().plan.insert(operation, fault);
    }

    /// Gives a full disk room again.
    pub fn make_room(&self) {
        self.disk().full = false;
    }

    /// The disk as it may be found after the power was cut now. `seed` decides
    /// which of the unsynced changes have reached it.
    pub fn power_cut(&self, seed: u64) -> Self {
        let disk = self.disk();
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
        Self::from_parts(files, names)
    }

    /// The disk as the next process finds it when this one is killed: all that
    /// was written is there, whether synced or not.
    pub fn process_killed(&self) -> Self {
        let disk = self.disk();
        Self(Arc::new(Mutex::new(Disk {
            files: disk.files.clone(),
            durable_names: disk.durable_names.clone(),
            unsynced_names: disk.unsynced_names.clone(),
            names: disk.names.clone(),
            full: disk.full,
            ..Disk::default()
        })))
    }

    fn from_parts(files: Vec<FileState>, names: BTreeMap<PathBuf, usize>) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            files,
            durable_names: names.clone(),
            names,
            ..Disk::default()
        })))
    }
}

impl FileState {
    fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let mut content = self.durable.clone();
        for change in &self.unsynced {
            match (dice.below(3), change) {
                (0, _) => {}
                (1, Change::Write { offset, bytes }) => {
                    let torn = bytes.get(..dice.below(bytes.len())).unwrap_or_default();
                    // The length may have reached the disk before the content.
                    let end = content.len().max(if dice.below(2) == 0 {
                        offset + bytes.len()
                    } else {
                        0
                    });
                    Change::Write {
                        offset: *offset,
                        bytes: torn.to_vec(),
                    }
                    .apply(&mut content);
                    content.resize(content.len().max(end), 0);
                }
                _ => change.apply(&mut content),
            }
        }
        Self {
            durable: content.clone(),
            seen: content,
            ..Self::default()
        }
    }
}

impl Disk {
    /// Counts a changing operation and says what goes wrong with it.
    fn operate(&mut self) -> Result<Option<Fault>, io::Error> {
        self.operations += 1;
        let fault = self.plan.get(&self.operations).copied();
        match fault {
            Some(Fault::PowerCut) => self.dead = true,
            Some(Fault::Full) => self.full = true,
            _ => {}
        }
        if self.dead {
            Err(no_power())
        } else {
            Ok(fault)
        }
    }

    fn file(&mut self, number: usize) -> io::Result<&mut FileState> {
        self.files
            .get_mut(number)
            .ok_or_else(|| io::Error::other("no such file"))
    }
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

impl Storage for SimulatedDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk();
        let inside = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let mut disk = self.disk();
        let existing = disk.names.get(path).copied();
        let number = match (access, existing) {
            (Access::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Access::CreateNew, None) => {
                if disk.operate()?.is_some_and(|fault| fault == Fault::Error) {
                    return Err(failed());
                }
                if disk.full {
                    return Err(is_full());
                }
                let number = disk.files.len();
                disk.files.push(FileState::default());
                let change = NameChange::Create(path.to_owned(), number);
                change.apply(&mut disk.names);
                disk.unsynced_names.push(change);
                number
            }
            (_, Some(number)) => number,
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(SimulatedFile {
            disk: self.clone(),
            number,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.operate()?.is_some_and(|fault| fault == Fault::Error) {
            return Err(failed());
        }
        let change = NameChange::Rename(from.to_owned(), to.to_owned());
        change.apply(&mut disk.names);
        disk.unsynced_names.push(change);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.operate()?.is_some_and(|fault| fault == Fault::Error) {
            return Err(failed());
        }
        disk.durable_names = disk.names.clone();
        disk.unsynced_names.clear();
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
}

impl StorageFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.disk().file(self.number)?.seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.disk();
        if disk.dead {
            return Err(no_power());
        }
        let seen = &disk.file(self.number)?.seen;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|from| seen.get(from..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        let fault = match disk.operate() {
            Ok(fault) => fault,
            Err(error) => {
                // What the machine was writing when it died may be half there.
                record(disk.file(self.number)?, Change::write(offset, bytes)?);
                return Err(error);
            }
        };
        let full = disk.full;
        let file = disk.file(self.number)?;
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        if fault == Some(Fault::Error) {
            record(file, Change::write(offset, half)?);
            return Err(failed());
        }
        if full && offset as usize + bytes.len() > file.seen.len() {
            record(file, Change::write(offset, half)?);
            return Err(is_full());
        }
        record(file, Change::write(offset, bytes)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        if disk.operate()?.is_some_and(|fault| fault == Fault::Error) {
            return Err(failed());
        }
        record(disk.file(self.number)?, Change::SetLen(len as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.disk();
        let fault = disk.operate()?;
        let file = disk.file(self.number)?;
        if fault == Some(Fault::Error) {
            file.unsynced.clear();
            file.lost = true;
            return Err(failed());
        }
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

impl Change {
    fn write(offset: u64, bytes: &[u8]) -> io::Result<Self> {
        Ok(Self::Write {
            offset: usize::try_from(offset).map_err(io::Error::other)?,
            bytes: bytes.to_vec(),
        })
    }
}

fn record(file: &mut FileState, change: Change) {
    change.apply(&mut file.seen);
    file.unsynced.push(change);
}
