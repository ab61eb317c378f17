//! A run: items of some stretch of the log in order, cut into blocks.
//!
//! Each run is a sled tree of its own, written once from front to back and
//! dropped when a merge has made another of it.

use std::marker::PhantomData;

use super::block::{BlockWriter, Piece, decode};
use super::error::IndexError;
use super::slot::Item;
use super::slotted::Slotted;

/// How many times more a block is read where another leaf is looked up.
///
/// sled reckons with a leaf that was read, and lets others go for it, only when
/// the shard that the leaf is of, one of 256, has had 64 reads: 16,384 leaves, of
/// some ten blocks, can be held beside the cache, whatever its size. Reads that
/// count sixteen times make that 1,024. In a server with ten million events, in
/// blocks of half the size, `changes` of two hours and two days left 81 MiB
/// resident without, 60 with this many, at the same processor time: what is read
/// again is at hand.
const TOUCHES: usize = 15;

/// The same of each block after it: a leaf is read but once for all of its
/// blocks. `stats` three times, which walks over the whole index, left 118 MiB
/// resident without, 63 with this, at the same processor time.
const TOUCHES_AFTER: usize = 1;

/// What is known of a run without its tree, as the manifest keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// By which its tree is named; none is used twice.
    pub number: u64,
    /// How many items it holds.
    pub items: u64,
    /// The name of its last item.
    pub last: Vec<u8>,
    /// The first and the last time of its events, in Unix seconds; where it has
    /// none, the first is after the last.
    pub times: (i64, i64),
}

/// A whole run.
#[derive(Clone)]
pub(super) struct Run<S> {
    pub shape: Shape,
    tree: sled::Tree,
    of: PhantomData<S>,
}

/// The name of a run's tree.
fn tree_name<S: Slotted>(number: u64) -> String {
    format!("{}{number:x}", S::TREES)
}

/// Drops the trees of all runs of a kind but some: what a crash has left of runs that
/// were not finished, or not dropped yet.
pub(super) fn drop_others<S: Slotted>(db: &sled::Db, runs: &[Run<S>]) -> Result<(), IndexError> {
    for name in db.tree_names() {
        let of_run = name.starts_with(S::TREES.as_bytes());
        let known = |run: &Run<S>| run.tree.name() == name;
        if of_run && !runs.iter().any(known) {
            db.drop_tree(name)?;
        }
    }
    Ok(())
}

impl<S: Slotted> Run<S> {
    /// A run that was finished before.
    pub fn open(db: &sled::Db, shape: Shape) -> Result<Self, IndexError> {
        Ok(Self {
            tree: db.open_tree(tree_name::<S>(shape.number))?,
            shape,
            of: PhantomData,
        })
    }

    /// How many bytes its blocks have, with their names.
    pub fn bytes_len(&self) -> Result<u64, IndexError> {
        let mut blocks = self.blocks_from(&[]);
        let mut sum = 0;
        while let Some((name, bytes)) = blocks.next()? {
            sum += (name.len() + bytes.len()) as u64;
        }
        Ok(sum)
    }

    /// Drops its tree; nobody may read it any more.
    pub fn drop_from(self, db: &sled::Db) -> Result<(), IndexError> {
        let Self { shape, tree, .. } = self;
        drop(tree);
        db.drop_tree(tree_name::<S>(shape.number))?;
        Ok(())
    }

    /// The names and bytes of its blocks from the first that ends at or after a
    /// name.
    pub fn blocks_from(&self, from: &[u8]) -> Blocks {
        Blocks {
            iter: self.tree.range(from..),
            tree: self.tree.clone(),
            touches: TOUCHES,
        }
    }

    /// Its items from a slot on.
    pub fn read_from(&self, slot: S) -> RunReader<S> {
        let from = slot.name(0);
        RunReader {
            blocks: (from <= self.shape.last).then(|| self.blocks_from(&from)),
            from,
            before: None,
            last: self.shape.last.clone(),
            slot,
            pieces: Vec::new().into_iter(),
        }
    }
}

/// Reads the blocks of a run in a row, so that sled reckons with their leaves
/// before there are many.
pub(super) struct Blocks {
    iter: sled::Iter,
    tree: sled::Tree,
    /// How many times more the next block is read.
    touches: usize,
}

impl Blocks {
    /// The name and the bytes of the next block; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(sled::IVec, sled::IVec)>, IndexError> {
        let Some((name, bytes)) = self.iter.next().transpose()? else {
            return Ok(None);
        };
        for _ in 0..self.touches {
            self.tree.get(&name)?;
        }
        self.touches = TOUCHES_AFTER;
        Ok(Some((name, bytes)))
    }
}

/// Writes a run. What is not finished is dropped at the next opening.
pub(super) struct RunWriter<S: Slotted> {
    shape: Shape,
    tree: sled::Tree,
    block: BlockWriter<S>,
}

impl<S: Slotted> RunWriter<S> {
    pub fn new(db: &sled::Db, number: u64) -> Result<Self, IndexError> {
        Ok(Self {
            shape: Shape {
                number,
                items: 0,
                last: Vec::new(),
                times: (i64::MAX, i64::MIN),
            },
            tree: db.open_tree(tree_name::<S>(number))?,
            block: BlockWriter::new(&[]),
        })
    }

    /// Adds items, which sort after those before.
    pub fn push(&mut self, slot: S, mut items: &[Item]) -> Result<(), IndexError> {
        self.shape.items += items.len() as u64;
        for time in items.iter().filter_map(|item| slot.time(*item)) {
            let (first, last) = &mut self.shape.times;
            (*first, *last) = (time.min(*first), time.max(*last));
        }
        while !items.is_empty() {
            items = self.block.push(slot, items);
            if self.block.is_full() {
                self.end_block()?;
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), IndexError> {
        let block = std::mem::replace(&mut self.block, BlockWriter::new(&[]));
        if let Some(block) = block.finish() {
            self.tree.insert(&block.name, block.bytes)?;
            self.block = BlockWriter::new(&block.name);
            self.shape.last = block.name;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Run<S>, IndexError> {
        self.end_block()?;
        Ok(Run {
            shape: self.shape,
            tree: self.tree,
            of: PhantomData,
        })
    }

    /// Drops what is written.
    pub fn discard(self, db: &sled::Db) -> Result<(), IndexError> {
        let number = self.shape.number;
        drop(self);
        db.drop_tree(tree_name::<S>(number))?;
        Ok(())
    }
}

/// Reads a run's pieces in order. A block that is missing is an error.
pub(super) struct RunReader<S> {
    /// `None` at the end.
    blocks: Option<Blocks>,
    /// The name from which it reads.
    from: Vec<u8>,
    /// The name of the block before, once there was one.
    before: Option<Vec<u8>>,
    /// The name of the run's last block.
    last: Vec<u8>,
    slot: S,
    pieces: std::vec::IntoIter<Piece<S>>,
}

impl<S: Slotted> RunReader<S> {
    /// The next piece.
    pub fn next(&mut self) -> Result<Option<Piece<S>>, IndexError> {
        loop {
            // The first block may begin with slots before the one asked for.
            if let Some(piece) = self.pieces.find(|(slot, _)| *slot >= self.slot) {
                return Ok(Some(piece));
            }
            let Some(blocks) = &mut self.blocks else {
                return Ok(None);
            };
            let (name, bytes) = blocks.next()?.ok_or(IndexError::Entry)?;
            let (before, pieces) = decode(&bytes).ok_or(IndexError::Entry)?;
            let follows = match &self.before {
                Some(last) => before == last.as_slice(),
                None => before < self.from.as_slice(),
            };
            if !follows {
                return Err(IndexError::Entry);
            }
            if name.as_ref() == self.last.as_slice() {
                self.blocks = None;
            }
            self.before = Some(name.to_vec());
            self.pieces = pieces.into_iter();
        }
    }
}
