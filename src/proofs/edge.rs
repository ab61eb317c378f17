//! The leaves after the last complete tile, as they were signed.
//!
//! | bytes | content (little-endian) |
//! | --- | --- |
//! | 8 | index of the first leaf |
//! | 32 each | the leaves |

use super::note::Checkpoint;
use super::tree::{Frontier, Hash};
use crate::log::TILE;

/// Leaves of a tree, and the index of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edge {
    pub first: u64,
    pub leaves: Vec<Hash>,
}

impl Edge {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        [
            self.first.to_le_bytes().as_slice(),
            self.leaves.as_flattened(),
        ]
        .concat()
    }

    /// Reads the file of a checkpoint; ignores it unless it yields the signed root together with
    /// the tiles.
    pub fn signed(bytes: &[u8], tiles: &Frontier, checkpoint: &Checkpoint) -> Self {
        let mut edge = Self::decode(bytes).unwrap_or_default();
        // It is written before the checkpoint, so it may be of a later one.
        let count = checkpoint.size.saturating_sub(edge.first);
        edge.leaves.truncate(count as usize);
        match edge.first == tiles.len() * TILE && edge.root_after(tiles) == checkpoint.root {
            true => edge,
            false => Self::default(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk()?;
        let (leaves, []) = rest.as_chunks() else {
            return None;
        };
        Some(Self {
            first: u64::from_le_bytes(*first),
            leaves: leaves.to_vec(),
        })
    }

    /// The root of the tree that tiles and these leaves make.
    pub fn root_after(&self, tiles: &Frontier) -> Hash {
        tiles.root_with(&Frontier::of(&self.leaves))
    }

    /// The leaf of an index, if it is one of these.
    pub fn get(&self, index: u64) -> Option<Hash> {
        let place = index.checked_sub(self.first)?;
        self.leaves.get(place as usize).copied()
    }
}
