//! The storage of runs: sled, or memory if sled cannot be written.
//!
//! The index in memory exists until the next start and has no look-ups. Its
//! blocks are the same, so nothing else in this folder differs.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use sled::IVec;

use super::error::IndexError;
use crate::storage::found;

/// How often the first block of a walk is read again, and each later one: sled then
/// evicts leaves sooner (`docs/index-design.md`). A leaf is read once for all its blocks,
/// so later blocks of a walk need fewer reads.
const EXTRA_READS: usize = 15;
const EXTRA_READS_AFTER: usize = 1;

/// How long to wait until sled has closed a database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) enum Database {
    Sled(sled::Db),
    Memory,
}

/// Waits until sled's own threads have closed a database that was dropped: until then
/// they may write to its folder.
pub(super) fn wait_until_closed(path: &Path) -> io::Result<()> {
    let Some(file) = found(File::open(path.join("db")))? else {
        return Ok(());
    };
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < CLOSE_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Database {
    /// Opens or makes a database in a folder. `cache` is sled's, in bytes.
    pub fn open(path: &Path, cache: u64) -> Result<Self, IndexError> {
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(cache)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(Some(2_000))
            .open()?;
        Ok(Self::Sled(db))
    }

    /// Whether it has no manifest.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Sled(db) => db.is_empty(),
            Self::Memory => true,
        }
    }

    pub fn get(&self, name: &[u8]) -> Result<Option<IVec>, IndexError> {
        match self {
            Self::Sled(db) => Ok(db.get(name)?),
            Self::Memory => Ok(None),
        }
    }

    pub fn insert(&self, name: &[u8], bytes: Vec<u8>) -> Result<(), IndexError> {
        if let Self::Sled(db) = self {
            db.insert(name, bytes)?;
        }
        Ok(())
    }

    pub fn open_tree(&self, name: &str) -> Result<Tree, IndexError> {
        Ok(match self {
            Self::Sled(db) => Tree::Sled(db.open_tree(name)?),
            Self::Memory => Tree::Memory(Arc::default()),
        })
    }

    pub fn drop_tree(&self, name: &str) -> Result<(), IndexError> {
        if let Self::Sled(db) = self {
            db.drop_tree(name)?;
        }
        Ok(())
    }

    /// The names of the trees that begin so.
    pub fn tree_names(&self, prefix: &str) -> Vec<String> {
        let Self::Sled(db) = self else {
            return Vec::new();
        };
        let names = db.tree_names().into_iter();
        names
            .filter_map(|name| String::from_utf8(name.to_vec()).ok())
            .filter(|name| name.starts_with(prefix))
            .collect()
    }

    /// Hands everything to the operating system.
    pub fn flush(&self) -> Result<(), IndexError> {
        if let Self::Sled(db) = self {
            db.flush()?;
        }
        Ok(())
    }
}

/// The blocks of a run.
#[derive(Clone)]
pub(super) enum Tree {
    Sled(sled::Tree),
    Memory(Arc<RwLock<BTreeMap<IVec, IVec>>>),
}

impl Tree {
    pub fn insert(&self, name: &[u8], bytes: Vec<u8>) -> Result<(), IndexError> {
        match self {
            Self::Sled(tree) => drop(tree.insert(name, bytes)?),
            Self::Memory(blocks) => {
                let mut blocks = blocks.write();
                blocks.insert(name.into(), bytes.into());
            }
        }
        Ok(())
    }

    /// The blocks from the first that ends at or after a name.
    pub fn blocks_from(&self, from: &[u8]) -> Blocks {
        match self {
            Self::Sled(tree) => Blocks::Sled {
                iter: Box::new(tree.range(from..)),
                tree: tree.clone(),
                extra_reads: EXTRA_READS,
            },
            Self::Memory(blocks) => Blocks::Memory {
                blocks: Arc::clone(blocks),
                next: Bound::Included(from.into()),
            },
        }
    }
}

/// Blocks in the order of their names.
pub(super) enum Blocks {
    Sled {
        iter: Box<sled::Iter>,
        tree: sled::Tree,
        extra_reads: usize,
    },
    Memory {
        blocks: Arc<RwLock<BTreeMap<IVec, IVec>>>,
        next: Bound<IVec>,
    },
}

impl Blocks {
    /// The name and the bytes of the next block; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(IVec, IVec)>, IndexError> {
        match self {
            Self::Sled {
                iter,
                tree,
                extra_reads,
            } => {
                let Some((name, bytes)) = iter.next().transpose()? else {
                    return Ok(None);
                };
                for _ in 0..*extra_reads {
                    tree.get(&name)?;
                }
                *extra_reads = EXTRA_READS_AFTER;
                Ok(Some((name, bytes)))
            }
            Self::Memory { blocks, next } => {
                let blocks = blocks.read();
                let found = blocks.range((next.clone(), Bound::Unbounded)).next();
                let found = found.map(|(name, bytes)| (name.clone(), bytes.clone()));
                if let Some((name, _)) = &found {
                    *next = Bound::Excluded(name.clone());
                }
                Ok(found)
            }
        }
    }
}
