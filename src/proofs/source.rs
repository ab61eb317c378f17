//! The roots of subtrees, from the tiles and the log.

use std::io;

use super::edge::Edge;
use super::prover::ProofError;
use super::tree::{Frontier, Hash, Subtrees};
use crate::log::salt::Salts;
use crate::log::{Log, Scanned, TILE, leaf_of, stand_in};
use crate::storage::StorageFile;

/// How many tiles are read at once.
const CHUNK: u64 = 256;

/// The height of a tile: it has `1 << TILE_LEVEL` leaves.
const TILE_LEVEL: u32 = TILE.trailing_zeros();

/// Hands over the roots of the tiles from `begin` to `end`.
pub(super) fn each_tile(
    file: &dyn StorageFile,
    begin: u64,
    end: u64,
    mut each: impl FnMut(Hash),
) -> io::Result<()> {
    let mut at = begin;
    while at < end {
        let mut hashes = vec![[0; 32]; (end - at).min(CHUNK) as usize];
        let bytes = hashes.as_flattened_mut();
        if file.read_at(bytes, at * 32)? < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += hashes.len() as u64;
        hashes.into_iter().for_each(&mut each);
    }
    Ok(())
}

/// The source of leaves.
pub(super) struct Leaves<'a> {
    pub log: &'a Log,
    pub salts: Salts,
}

impl Leaves<'_> {
    /// Passes on the leaves of the records from the index `begin` to `end`, each with its
    /// index, and whether the record still has it. Otherwise the leaf is that of `edge`,
    /// or a stand-in. Stops at damage, which it returns.
    pub fn each(
        &mut self,
        (begin, end): (u64, u64),
        edge: &Edge,
        mut each: impl FnMut(u64, Hash, bool) -> Result<(), ProofError>,
    ) -> Result<Option<String>, ProofError> {
        if begin >= end {
            return Ok(None);
        }
        let mut scan = self.log.scan_range(begin + 1, end);
        while let Some(found) = scan.step()? {
            let records = match found {
                Scanned::Records(records) => records,
                Scanned::Damage(damage) => return Ok(Some(damage.to_string())),
            };
            for (seq, record) in records {
                let index = seq - 1;
                let own = leaf_of(seq, record, &mut self.salts);
                let leaf = match (own, edge.get(index)) {
                    (Some(own), Some(signed)) if own != signed => {
                        return Err(ProofError::Refused(format!(
                            "event {seq} is not the one that was signed"
                        )));
                    }
                    (own, signed) => own.or(signed).unwrap_or_else(|| stand_in(record)),
                };
                each(index, leaf, own.is_some())?;
            }
        }
        Ok(None)
    }
}

/// The tree of a log.
pub(super) struct Source<'a> {
    pub tiles: &'a dyn StorageFile,
    /// The number of complete tiles.
    pub whole: u64,
    /// The leaves after them.
    pub rest: &'a [Hash],
    pub edge: &'a Edge,
    pub leaves: Leaves<'a>,
    /// The leaves of the tile that was read last.
    pub tile: Option<(u64, Vec<Hash>)>,
}

impl Source<'_> {
    /// Reads the leaves of a complete tile; they must have the tile's root.
    fn tile(&mut self, tile: u64) -> Result<Vec<Hash>, ProofError> {
        if let Some((_, leaves)) = self.tile.as_ref().filter(|(read, _)| *read == tile) {
            return Ok(leaves.clone());
        }
        if tile >= self.whole {
            return Ok(self.rest.to_vec());
        }
        let (begin, end) = (tile * TILE, (tile + 1) * TILE);
        let (mut leaves, mut whole) = (Vec::new(), true);
        let damage = self.leaves.each((begin, end), self.edge, |_, leaf, own| {
            leaves.push(leaf);
            whole &= own;
            Ok(())
        })?;
        let mut root = Hash::default();
        each_tile(self.tiles, tile, tile + 1, |hash| root = hash)
            .map_err(ProofError::io("reading", "tiles"))?;
        let events = format!("events {} to {end}", begin + 1);
        if let Some(damage) = damage {
            return Err(ProofError::Missing(format!(
                "of {events}, not all can be read: {damage}"
            )));
        }
        if leaves.len() as u64 == TILE && Frontier::of(&leaves).root() == root {
            self.tile = Some((tile, leaves.clone()));
            return Ok(leaves);
        }
        Err(match whole {
            true => ProofError::Differs(begin + 1, end),
            false => ProofError::Missing(format!(
                "of {events}, some are pruned or lost, and so are the hashes that this proof needs"
            )),
        })
    }
}

impl Subtrees for Source<'_> {
    type Error = ProofError;

    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let mut frontier = Frontier::default();
        if let Some(above) = level.checked_sub(TILE_LEVEL) {
            let (begin, end) = (index << above, (index + 1) << above);
            each_tile(self.tiles, begin, end, |hash| frontier.push(hash))
                .map_err(ProofError::io("reading", "tiles"))?;
            return Ok(frontier.root());
        }
        let begin = index << level;
        let leaves = self.tile(begin / TILE)?;
        let (skipped, count) = (begin % TILE, 1 << level);
        let found = leaves.into_iter().skip(skipped as usize).take(count);
        found.for_each(|leaf| frontier.push(leaf));
        match frontier.len() == count as u64 {
            true => Ok(frontier.root()),
            false => Err(ProofError::Missing(format!(
                "event {} is not in the tree",
                begin + 1
            ))),
        }
    }
}
