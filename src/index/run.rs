//! A run: items of a part of the log in order, cut into blocks.
//!
//! Each run is a separate tree, written once from front to back and dropped when a merge
//! has replaced it.

use bincode::{Decode, Encode};
use sled::IVec;

use super::block::{BlockWriter, GroupReader, KeyGroup};
use super::error::IndexError;
use super::key::{IndexKey, Item};
use super::tree::{Blocks, Database, Tree};

/// The most blocks that are skipped one by one before a look-up in sled finds the right
/// one: about as many as can be read in the time of one look-up.
const MAX_STEPS: usize = 3;

/// The entry of a run in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct RunMeta {
    /// The number in the name of its tree; never reused.
    pub number: u64,
    /// How many items it holds.
    pub items: u64,
    /// The name of its last item.
    pub last: Vec<u8>,
    /// The first and the last time of its events, in Unix seconds; without
    /// events, the first is after the last.
    pub times: (i64, i64),
    /// How many of its items are looked-up values.
    pub values: u64,
}

/// A finished run.
#[derive(Clone)]
pub(super) struct Run {
    pub meta: RunMeta,
    tree: Tree,
}

/// The beginning of the names of runs' trees.
const TREE_PREFIX: &str = "run-";

fn tree_name(number: u64) -> String {
    format!("{TREE_PREFIX}{number:x}")
}

/// Drops the trees of all unlisted runs, which a crash left unfinished or not yet
/// dropped.
pub(super) fn drop_others(db: &Database, runs: &[RunMeta]) -> Result<(), IndexError> {
    for name in db.tree_names(TREE_PREFIX) {
        let is_listed = |run: &RunMeta| tree_name(run.number) == name;
        if !runs.iter().any(is_listed) {
            db.drop_tree(&name)?;
        }
    }
    Ok(())
}

/// Drops the tree of a run, of which nothing may be held any more.
pub(super) fn drop_run(db: &Database, number: u64) -> Result<(), IndexError> {
    db.drop_tree(&tree_name(number))
}

impl Run {
    /// A run that was finished before.
    pub fn open(db: &Database, meta: RunMeta) -> Result<Self, IndexError> {
        Ok(Self {
            tree: db.open_tree(&tree_name(meta.number))?,
            meta,
        })
    }

    /// The bytes of the blocks with looked-up values and of their names; reads all of
    /// them.
    pub fn value_bytes(&self) -> Result<u64, IndexError> {
        let mut blocks = self.tree.blocks_from(&IndexKey::FIRST_VALUE.name(0));
        let mut sum = 0;
        while let Some((name, bytes)) = blocks.next()? {
            sum += (name.len() + bytes.len()) as u64;
        }
        Ok(sum)
    }

    /// A reader at its first item.
    pub fn reader(&self) -> RunReader {
        RunReader {
            run: self.clone(),
            blocks: None,
            block: None,
            last_sought: None,
        }
    }
}

/// Writes a run. An unfinished run is dropped at the next opening.
pub(super) struct RunWriter {
    pub meta: RunMeta,
    tree: Tree,
    block: BlockWriter,
}

impl RunWriter {
    pub fn new(db: &Database, number: u64) -> Result<Self, IndexError> {
        Ok(Self {
            meta: RunMeta {
                number,
                items: 0,
                last: Vec::new(),
                times: (i64::MAX, i64::MIN),
                values: 0,
            },
            tree: db.open_tree(&tree_name(number))?,
            block: BlockWriter::new(&[]),
        })
    }

    /// Adds items, which sort after those before.
    pub fn push(&mut self, key: IndexKey, mut items: &[Item]) -> Result<(), IndexError> {
        self.meta.items += items.len() as u64;
        match key {
            IndexKey::Events(_) => {
                let (first, last) = &mut self.meta.times;
                for (_, time) in items {
                    (*first, *last) = (*time.min(first), *time.max(last));
                }
            }
            IndexKey::Owner(_) => {}
            IndexKey::Value(_) => self.meta.values += 1,
        }
        while !items.is_empty() {
            items = self.block.push(key, items);
            if self.block.is_full() {
                self.end_block()?;
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), IndexError> {
        let block = std::mem::replace(&mut self.block, BlockWriter::new(&[]));
        if let Some((name, bytes)) = block.finish() {
            self.tree.insert(&name, bytes)?;
            self.block = BlockWriter::new(&name);
            self.meta.last = name;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Run, IndexError> {
        self.end_block()?;
        Ok(Run {
            meta: self.meta,
            tree: self.tree,
        })
    }
}

/// Reads a run: on from a key, or the items of single keys.
///
/// Keys that are sought in ascending order are found in one pass: each block
/// that holds one of them is fetched once, and nothing between them is decoded.
/// A missing block is an error.
pub(super) struct RunReader {
    run: Run,
    /// Reads the blocks after the present one; `None` before the first is fetched.
    blocks: Option<Blocks>,
    block: Option<Block>,
    last_sought: Option<IndexKey>,
}

impl RunReader {
    /// Goes to the first item of a key, or of those after it.
    pub fn seek(&mut self, key: IndexKey) -> Result<(), IndexError> {
        if self.last_sought >= Some(key) {
            (self.blocks, self.block) = (None, None);
        }
        self.last_sought = Some(key);
        let from = key.name(0);
        if from > self.run.meta.last {
            (self.blocks, self.block) = (None, None);
            return Ok(());
        }
        self.go_to_block(&from)?;
        let groups = &mut self.block.as_mut().ok_or(IndexError::Entry)?.groups;
        while groups.key()?.is_some_and(|own| own < key) {
            groups.skip()?;
        }
        Ok(())
    }

    /// The next group; `None` at the end.
    pub fn next(&mut self) -> Result<Option<KeyGroup>, IndexError> {
        while let Some(block) = &mut self.block {
            if let Some(group) = block.groups.group()? {
                return Ok(Some(group));
            }
            if block.name.as_ref() == self.run.meta.last.as_slice() {
                self.block = None;
            } else {
                self.next_block()?;
            }
        }
        Ok(None)
    }

    /// Passes the items of a key to `each`, in their order.
    pub fn find(&mut self, key: IndexKey, mut each: impl FnMut(Item)) -> Result<(), IndexError> {
        self.seek(key)?;
        let name = key.name(0);
        let key_name = name.get(..name.len() - 8);
        while let Some(block) = &mut self.block {
            while block.groups.key()? == Some(key) {
                block.groups.items(&mut each)?;
            }
            // The block's name is that of its last item.
            let continues = block.name.len() == name.len()
                && block.name.get(..name.len() - 8) == key_name
                && block.name.as_ref() != self.run.meta.last.as_slice();
            if !continues {
                break;
            }
            self.next_block()?;
        }
        Ok(())
    }

    /// Fetches the first block that ends at or after a name.
    fn go_to_block(&mut self, from: &[u8]) -> Result<(), IndexError> {
        for step in 0..=MAX_STEPS {
            match &self.block {
                Some(block) if from <= block.name.as_ref() => return Ok(()),
                Some(_) if step < MAX_STEPS => self.next_block()?,
                _ => break,
            }
        }
        let mut blocks = self.run.tree.blocks_from(from);
        self.block = Some(Block::new(blocks.next()?, |before| before < from)?);
        self.blocks = Some(blocks);
        Ok(())
    }

    fn next_block(&mut self) -> Result<(), IndexError> {
        let blocks = self.blocks.as_mut().ok_or(IndexError::Entry)?;
        let last = self.block.as_ref().map(|block| block.name.as_ref());
        let next = Block::new(blocks.next()?, |before| Some(before) == last)?;
        self.block = Some(next);
        Ok(())
    }
}

struct Block {
    name: IVec,
    /// The groups that were not passed over yet.
    groups: GroupReader<IVec>,
}

impl Block {
    /// A block, if `follows` accepts the name of the last item before it.
    fn new(
        entry: Option<(IVec, IVec)>,
        follows: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Self, IndexError> {
        let (name, bytes) = entry.ok_or(IndexError::Entry)?;
        let groups = GroupReader::new(bytes)?;
        match follows(groups.before()) {
            true => Ok(Self { name, groups }),
            false => Err(IndexError::Entry),
        }
    }
}
