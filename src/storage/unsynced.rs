//! The unsynced changes of a simulated disk, and their state after a power cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dice::Dice;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileState {
    pub durable: Vec<u8>,
    pub unsynced: Vec<Change>,
    /// Whether a sync failed: the process sees its data, but it is never durable.
    pub lost: bool,
    pub seen: Vec<u8>,
}

/// A change of the names in one directory. Files are identified by number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NameChange {
    Make {
        path: PathBuf,
        file: usize,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
    /// A directory with everything in it.
    RenameDir {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
}

/// The unit in bytes that a disk writes as a whole.
const SECTOR: usize = 512;

impl Change {
    pub fn write(offset: u64, bytes: &[u8]) -> Self {
        Self::Write {
            offset: offset as usize,
            bytes: bytes.to_vec(),
        }
    }

    pub fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(content, *offset, bytes),
            Self::SetLen(len) => {
                content.truncate(*len);
                grow(content, *len);
            }
        }
    }
}

/// Adds zeros to a content that is shorter than this. (`resize` adds each byte by itself in a
/// build without optimisation; a segment has 64 KiB of filler.)
fn grow(content: &mut Vec<u8>, len: usize) {
    let missing = len.saturating_sub(content.len());
    content.extend_from_slice(&vec![0; missing]);
}

/// Writes bytes into a content, which grows if necessary.
fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    grow(content, end);
    if let Some(place) = content.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

impl NameChange {
    /// Whether a sync of a directory makes it durable.
    pub fn is_in(&self, dir: &Path) -> bool {
        let (Self::Make { path, .. }
        | Self::Rename { to: path, .. }
        | Self::RenameDir { to: path, .. }
        | Self::Remove { path }) = self;
        path.parent() == Some(dir)
    }

    pub fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Make { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Rename { from, to, file } => {
                // A file that was created and renamed may be durable only under its last
                // name.
                names.retain(|path, number| path != from || number != file);
                names.insert(to.clone(), *file);
            }
            Self::RenameDir { from, to } => {
                let moved = |path: PathBuf| match path.strip_prefix(from) {
                    Ok(rest) => to.join(rest),
                    Err(_) => path,
                };
                let all = std::mem::take(names).into_iter();
                names.extend(all.map(|(path, file)| (moved(path), file)));
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }
}

impl FileState {
    /// Makes a change that the process sees and that is not durable yet.
    pub fn record(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }

    /// The file as it may be found after a power cut.
    pub fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let mut content = self.durable.clone();
        for change in &self.unsynced {
            match (dice.below(4), change) {
                (0, _) => {}
                (1, Change::Write { offset, bytes }) => {
                    // Any sectors of a write may be durable.
                    let end = offset + bytes.len();
                    grow(&mut content, end);
                    let mut from = *offset;
                    while from < end {
                        let to = end.min((from / SECTOR + 1) * SECTOR);
                        if dice.below(2) == 0 {
                            let part = bytes.get(from - offset..to - offset);
                            put(&mut content, from, part.unwrap_or_default());
                        }
                        from = to;
                    }
                }
                (2, Change::Write { offset, bytes }) => {
                    let torn = bytes
                        .get(..dice.below(bytes.len() as u64) as usize)
                        .unwrap_or_default();
                    // The length may have reached the disk before the content.
                    let is_longer = dice.below(2) == 0;
                    put(&mut content, *offset, torn);
                    if is_longer {
                        grow(&mut content, offset + bytes.len());
                    }
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
