//! The items of many slots in one run, in one ordered pass.
//!
//! The slots are asked for in their order, so each block that holds one of them
//! is fetched once, and of what lies between the slots nothing is decoded. A
//! slot that comes soon after the one before is found by going on; else sled is
//! asked anew.
//!
//! What decided it: of the changes of a day, 1.7 million sealed events of
//! 150,000 profiles being spread over 62 days, 38 % of the processor time were
//! the index's when a merge of all runs was made for each (sub)profile
//! ([`super::run::RunReader`]), most of it the decoding of whole blocks. It is
//! 3 % now; what is left is, for the most part, the decompression of a block of
//! the log for each event before the span. Both programs side by side on a busy
//! machine, in processor time with the start of the process (40 ms):
//!
//! | `changes --field` of | a merge for each | a pass for all |
//! | --- | --- | --- |
//! | an hour (1,135 lines) | 225 ms | 167 ms |
//! | a day (27,219 lines) | 2.86 s | 1.73 s |

use super::block::{PiecePlace, PieceReader};
use super::error::IndexError;
use super::run::{Blocks, Run};
use super::slot::Item;
use super::slotted::Slotted;

/// So many blocks are passed over before sled is asked for the right one:
/// about so many of the next ones take as long as finding one.
const STEPS: usize = 3;

/// Finds slots in a run.
pub(super) struct Finder<'r, S: Slotted> {
    run: &'r Run<S>,
    blocks: Option<Blocks>,
    block: Option<Block<S::Base>>,
    /// The slot that was asked for last.
    last: Option<S>,
}

/// A block at hand.
struct Block<B> {
    name: sled::IVec,
    bytes: sled::IVec,
    /// Where the pieces begin that were not passed over yet.
    place: PiecePlace<B>,
}

impl<'r, S: Slotted> Finder<'r, S> {
    /// A finder that has not begun.
    pub const fn new(run: &'r Run<S>) -> Self {
        Self {
            run,
            blocks: None,
            block: None,
            last: None,
        }
    }

    /// Hands over the items of a slot in their order. Slots that come in order
    /// are found much quicker than others. A block that is missing is an error.
    pub fn find(&mut self, slot: S, mut each: impl FnMut(Item)) -> Result<(), IndexError> {
        if self.last >= Some(slot) {
            (self.blocks, self.block) = (None, None);
        }
        self.last = Some(slot);
        let from = slot.name(0);
        if from > self.run.shape.last {
            return Ok(());
        }
        self.go_to(&from)?;
        loop {
            let block = self.block.as_mut().ok_or(IndexError::Entry)?;
            block.find(slot, &mut each).ok_or(IndexError::Entry)?;
            // The name is that of the block's last item.
            let goes_on = block.name.as_ref() != self.run.shape.last.as_slice()
                && block.name.len() == from.len()
                && block.name.get(..from.len() - 8) == from.get(..from.len() - 8);
            if !goes_on {
                return Ok(());
            }
            self.step()?;
        }
    }

    /// Makes the first block that ends at or after a name the one at hand.
    fn go_to(&mut self, from: &[u8]) -> Result<(), IndexError> {
        for _ in 0..STEPS {
            match &self.block {
                Some(block) if from <= block.name.as_ref() => return Ok(()),
                Some(_) => self.step()?,
                None => break,
            }
        }
        if let Some(block) = &self.block
            && from <= block.name.as_ref()
        {
            return Ok(());
        }
        let mut blocks = self.run.blocks_from(from);
        let (name, bytes) = blocks.next()?.ok_or(IndexError::Entry)?;
        let (before, reader) = PieceReader::<S>::new(&bytes).ok_or(IndexError::Entry)?;
        if before >= from {
            return Err(IndexError::Entry);
        }
        let place = reader.place();
        self.blocks = Some(blocks);
        self.block = Some(Block { name, bytes, place });
        Ok(())
    }

    /// Makes the next block the one at hand.
    fn step(&mut self) -> Result<(), IndexError> {
        let blocks = self.blocks.as_mut().ok_or(IndexError::Entry)?;
        let (name, bytes) = blocks.next()?.ok_or(IndexError::Entry)?;
        let (before, reader) = PieceReader::<S>::new(&bytes).ok_or(IndexError::Entry)?;
        let follows = self.block.as_ref().map(|block| block.name.as_ref()) == Some(before);
        if !follows {
            return Err(IndexError::Entry);
        }
        let place = reader.place();
        self.block = Some(Block { name, bytes, place });
        Ok(())
    }
}

impl<B: Copy> Block<B> {
    /// Hands over the items of a slot, and passes over all before them; `None`
    /// where the bytes make no sense.
    fn find<S: Slotted<Base = B>>(&mut self, slot: S, each: &mut impl FnMut(Item)) -> Option<()> {
        let mut reader = PieceReader::<S>::resume(&self.bytes, self.place)?;
        while !reader.is_at_end() {
            let begin = reader.place();
            let (own, count) = reader.head()?;
            if own > slot {
                self.place = begin;
                return Some(());
            }
            if own == slot {
                reader.items(count, &mut *each)?;
            } else {
                reader.skip(count)?;
            }
        }
        self.place = reader.place();
        Some(())
    }
}
