//! Comparing the log with what was signed: today's tree, and an old checkpoint.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::note::Checkpoint;
use super::prover::{ProofError, Prover};
use super::source::each_tile;
use super::tree::{Frontier, Hash};
use crate::log::TILE;

/// What the last checkpoint is called.
const LAST: &str = "the last checkpoint";

/// The most tiles that differ and are named one by one.
const MAX_NAMED: usize = 100;

/// An old checkpoint, and the tiles that were kept with it, if they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Old {
    /// The signed note.
    pub note: String,
    /// Its tiles, as base64; empty if they were not kept.
    pub tiles: String,
}

/// How events compare with what was signed of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// They are the same.
    Same,
    /// They are not the same.
    Differs,
    /// It is not known.
    Unknown,
}

/// What was found of some events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Examined {
    /// `seq` of the first.
    pub first_seq: u64,
    /// `seq` of the last.
    pub last_seq: u64,
    /// How they compare.
    pub result: Comparison,
    /// The same for people.
    pub what: String,
}

/// A checkpoint that the log is compared with.
struct Target<'a> {
    name: &'static str,
    checkpoint: &'a Checkpoint,
    /// The roots of its tiles, if they are known to be those that were signed.
    tiles: Option<&'a [Hash]>,
    /// The first tile that differs from them.
    differs: Option<u64>,
    /// The root by the log, if all that it needs is there.
    root: Option<Hash>,
}

impl Target<'_> {
    /// Whether its last leaf is in a tile, or before the first.
    const fn ends_in(&self, tile: u64) -> bool {
        match self.checkpoint.size.checked_sub(1) {
            Some(last) => last / TILE == tile,
            None => tile == 0,
        }
    }

    fn outcome(&self) -> Examined {
        let Checkpoint { size, .. } = *self.checkpoint;
        let (name, whole) = (self.name, size / TILE);
        let outcome = |(first_seq, last_seq), result, what| Examined {
            first_seq,
            last_seq,
            result,
            what,
        };
        let events = |(first, last): (u64, u64)| format!("events {first} to {last}");
        if self.root == Some(self.checkpoint.root) {
            let what = format!("the first {size} events are those of {name}");
            return outcome((1, size), Comparison::Same, what);
        }
        let place = match (self.differs, &self.tiles) {
            (Some(tile), _) => Some((tile * TILE + 1, (tile + 1) * TILE)),
            (None, Some(_)) if size % TILE > 0 => Some((whole * TILE + 1, size)),
            _ => None,
        };
        match (self.root, place) {
            (None, None) => {
                let what = format!(
                    "whether the first {size} events are those of {name} is not known: of its last {}, some are \
                     pruned, lost or cannot be read",
                    size % TILE
                );
                outcome((1, size), Comparison::Unknown, what)
            }
            (_, Some(place)) => {
                let what = format!(
                    "{} are not those of {name}, the first that differ",
                    events(place)
                );
                outcome(place, Comparison::Differs, what)
            }
            (Some(_), None) => {
                let what = format!(
                    "the first {size} events are not those of {name}; where they differ is not known: today's tiles \
                     agree with today's log, and no older ones are beside the checkpoint"
                );
                outcome((1, size), Comparison::Differs, what)
            }
        }
    }
}

/// Reads the log up to the last checkpoint, and up to an old one, and compares it with
/// both. `tiles` are those that were kept with the old one. `progress` gets the number
/// of events read and in all.
pub fn examine(
    prover: &Prover,
    old: Option<(&Checkpoint, Option<&[Hash]>)>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Examined>, ProofError> {
    let mut examined = Vec::new();
    let kept = prover
        .kept()
        .map_err(ProofError::io("reading", "checkpoint"))?;
    let own = kept.as_ref().map(|kept| {
        let note = String::from_utf8_lossy(&kept.checkpoint);
        let read = prover.read_checkpoint(&note);
        read.map_err(|why| format!("proofs/checkpoint: {why}"))
    });
    let own = match own.transpose() {
        Ok(own) => own,
        Err(what) => {
            let (first_seq, last_seq) = (1, prover.log().last_seq());
            let result = Comparison::Differs;
            examined.push(Examined {
                first_seq,
                last_seq,
                result,
                what,
            });
            None
        }
    };
    let (mut own_tiles, mut edge) = (Vec::new(), Edge::default());
    if let (Some(own), Some(kept)) = (&own, &kept) {
        let read = prover.open_tiles().and_then(|file| {
            let whole = (file.len()? / 32).min(own.size / TILE);
            each_tile(file.as_ref(), 0, whole, |hash| own_tiles.push(hash))
        });
        match read {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ProofError::io("reading", "tiles")(error));
            }
            _ => {}
        }
        let decoded = Edge::decode(&kept.partial)
            .unwrap_or_default()
            .up_to(own.size);
        let whole = Frontier::of(&own_tiles);
        if decoded.first == whole.len() * TILE && decoded.root_after(&whole) == own.root {
            edge = decoded;
        }
    }
    let own_known = own.as_ref().is_some_and(|own| {
        own_tiles.len() as u64 == own.size / TILE
            && edge.root_after(&Frontier::of(&own_tiles)) == own.root
    });
    let mut targets = Vec::new();
    if let Some(own) = &own {
        targets.push(Target {
            name: LAST,
            checkpoint: own,
            tiles: own_known.then_some(own_tiles.as_slice()),
            differs: None,
            root: None,
        });
    }
    if let Some((checkpoint, tiles)) = old {
        targets.push(Target {
            name: "the checkpoint",
            checkpoint,
            tiles,
            differs: None,
            root: None,
        });
    }
    let sizes = targets.iter().map(|target| target.checkpoint.size);
    let last = prover.log().last_seq();
    let end = sizes.max().unwrap_or(0).min(last);
    let (mut tree, mut differing) = (Frontier::default(), Vec::new());
    let mut leaves = prover.leaves();
    for tile in 0..end.div_ceil(TILE).max(1) {
        let (begin, tile_end) = (tile * TILE, ((tile + 1) * TILE).min(end));
        let (mut found, mut missing) = (Vec::new(), None);
        let damage = leaves.each((begin, tile_end), &Edge::default(), |index, leaf, own| {
            let signed = edge.get(index).filter(|_| !own);
            missing = missing.or((!own && signed.is_none()).then_some(index));
            found.push(signed.unwrap_or(leaf));
            Ok(true)
        })?;
        if damage.is_some() {
            missing = missing.or(Some(begin + found.len() as u64));
        }
        let kept = usize::try_from(tile)
            .ok()
            .and_then(|tile| own_tiles.get(tile))
            .copied();
        let is_whole = tile_end - begin == TILE;
        let root = Frontier::of(&found).root();
        // Stand-ins are leaves, too, if the tile was made with them.
        let has_all = missing.is_none() || kept == Some(root);
        if has_all && is_whole && kept.is_some_and(|kept| kept != root) {
            differing.push(tile);
        }
        let effective = if has_all { root } else { kept.unwrap_or(root) };
        for target in &mut targets {
            let size = target.checkpoint.size;
            let of_target = target
                .tiles
                .as_ref()
                .and_then(|tiles| tiles.get(usize::try_from(tile).ok()?));
            if is_whole
                && target.differs.is_none()
                && of_target.is_some_and(|hash| *hash != effective)
            {
                target.differs = Some(tile);
            }
            if target.ends_in(tile) && size <= end {
                let count = usize::try_from(size - begin).unwrap_or(usize::MAX);
                let in_order = missing.is_none_or(|at| at >= size);
                let rest = match found.get(..count) {
                    Some(_) if size == tile_end && is_whole => Some(Frontier::of(&[effective])),
                    Some(rest) if in_order || has_all => Some(Frontier::of(rest)),
                    _ => None,
                };
                target.root = rest.map(|rest| tree.root_with(&rest));
            }
        }
        if is_whole {
            tree.push(effective);
        }
        progress(tile_end, end);
    }
    for target in &targets {
        let (name, size) = (target.name, target.checkpoint.size);
        if size > last {
            let what = format!("{name} has {size} events, and the log only {last}");
            let result = Comparison::Differs;
            examined.push(Examined {
                first_seq: last + 1,
                last_seq: size,
                result,
                what,
            });
        } else {
            let outcome = target.outcome();
            // That the log is what was signed last is as it should be.
            if target.name != LAST || outcome.result != Comparison::Same {
                examined.push(outcome);
            }
        }
    }
    // The outcome of the last checkpoint names the first of them, if it knows the place.
    let named = examined
        .iter()
        .filter(|found| found.result == Comparison::Differs);
    let named: Vec<u64> = named.map(|found| found.first_seq).collect();
    // The log has what was signed, and the tiles do not.
    let is_log = targets
        .first()
        .is_some_and(|own| own.root == Some(own.checkpoint.root));
    for tile in differing.into_iter().take(MAX_NAMED) {
        let (first_seq, last_seq) = (tile * TILE + 1, (tile + 1) * TILE);
        if !named.contains(&first_seq) {
            let what = match is_log {
                true => format!(
                    "proofs/tiles is damaged where events {first_seq} to {last_seq} are: a start of the server makes it again"
                ),
                false => {
                    format!("events {first_seq} to {last_seq} are not those that the tree has")
                }
            };
            let result = Comparison::Differs;
            examined.push(Examined {
                first_seq,
                last_seq,
                result,
                what,
            });
        }
    }
    Ok(examined)
}
