//! Compares the log with its signed checkpoints: the last one, the anchors, and an old
//! one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::note::Checkpoint;
use super::prover::{ProofError, Prover};
use super::source::each_tile;
use super::tree::{Frontier, Hash};
use crate::event::seconds_to_rfc3339;
use crate::log::TILE;
use crate::storage::{Access, found};

/// The name of the last checkpoint in findings.
const LAST: &str = "the last checkpoint";

/// The name of the old checkpoint that the caller asked for.
const ASKED: &str = "the checkpoint";

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

impl Examined {
    const fn new((first_seq, last_seq): (u64, u64), result: Comparison, what: String) -> Self {
        Self {
            first_seq,
            last_seq,
            result,
            what,
        }
    }
}

/// A checkpoint that the log is compared with.
struct Target<'a> {
    name: String,
    checkpoint: &'a Checkpoint,
    /// The roots of its tiles, if they are known to be those that were signed.
    tiles: Option<&'a [Hash]>,
    /// The first tile that differs from them.
    differs: Option<u64>,
    /// The root by the log, if all that it needs is there.
    root: Option<Hash>,
}

impl<'a> Target<'a> {
    const fn new(name: String, checkpoint: &'a Checkpoint, tiles: Option<&'a [Hash]>) -> Self {
        Self {
            name,
            checkpoint,
            tiles,
            differs: None,
            root: None,
        }
    }

    fn is_same(&self) -> bool {
        self.root == Some(self.checkpoint.root)
    }

    /// The outcome in a log whose last event is `last`, and of which the first `agreed` are
    /// known to be as they were.
    fn outcome(&self, last: u64, agreed: u64) -> Examined {
        let Checkpoint { size, .. } = *self.checkpoint;
        let (name, whole) = (&self.name, size / TILE);
        if size > last {
            let what = format!("{name} has {size} events, and the log only {last}");
            return Examined::new((last + 1, size), Comparison::Differs, what);
        }
        if self.is_same() {
            let what = format!("the first {size} events are those of {name}");
            return Examined::new((1, size), Comparison::Same, what);
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
                Examined::new((1, size), Comparison::Unknown, what)
            }
            (_, Some((first, last))) => {
                let what = format!(
                    "events {first} to {last} are not those of {name}, the first that differ"
                );
                Examined::new((first, last), Comparison::Differs, what)
            }
            (Some(_), None) if agreed > 0 => {
                let first = agreed + 1;
                let what = format!(
                    "events {first} to {size} are not those of {name}, and the events before are those of an older one"
                );
                Examined::new((first, size), Comparison::Differs, what)
            }
            (Some(_), None) => {
                let what = format!(
                    "the first {size} events are not those of {name}; where they differ is not known: today's tiles \
                     agree with today's log, and no older ones are beside the checkpoint"
                );
                Examined::new((1, size), Comparison::Differs, what)
            }
        }
    }
}

/// The last checkpoint, and what it was made of.
#[derive(Default)]
struct Last {
    checkpoint: Option<Checkpoint>,
    tiles: Vec<Hash>,
    edge: Edge,
}

impl Last {
    /// Reads it. A checkpoint of another log is a finding.
    fn read(prover: &Prover, findings: &mut Vec<Examined>) -> Result<Self, ProofError> {
        let kept = prover.kept();
        let Some(kept) = kept.map_err(ProofError::io("reading", "checkpoint"))? else {
            return Ok(Self::default());
        };
        let note = String::from_utf8_lossy(&kept.checkpoint);
        let checkpoint = match prover.read_checkpoint(&note) {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                findings.push(differs(prover, format!("proofs/checkpoint: {why}")));
                return Ok(Self::default());
            }
        };
        let mut tiles = Vec::new();
        let file = prover.storage.open(&kept.tiles, Access::Read);
        let read = file.and_then(|file| {
            let whole = (file.len()? / 32).min(checkpoint.size / TILE);
            each_tile(file.as_ref(), 0, whole, |hash| tiles.push(hash))
        });
        found(read).map_err(ProofError::io("reading", "tiles"))?;
        Ok(Self {
            edge: Edge::signed(&kept.partial, &Frontier::of(&tiles), &checkpoint),
            checkpoint: Some(checkpoint),
            tiles,
        })
    }

    /// Its tiles, if they are those that were signed.
    fn signed_tiles(&self) -> Option<&[Hash]> {
        let checkpoint = self.checkpoint.as_ref()?;
        let is_whole = self.tiles.len() as u64 == checkpoint.size / TILE;
        let root = self.edge.root_after(&Frontier::of(&self.tiles));
        (is_whole && root == checkpoint.root).then_some(&self.tiles)
    }
}

/// A finding about all of the log.
fn differs(prover: &Prover, what: String) -> Examined {
    Examined::new((1, prover.log.last_seq()), Comparison::Differs, what)
}

/// Reads the log up to the last checkpoint, the anchors, and an old checkpoint, and compares
/// it with each. `tiles` are those that were kept with the old one. `progress` gets the number
/// of events read and in all.
pub fn examine(
    prover: &Prover,
    old: Option<(&Checkpoint, Option<&[Hash]>)>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Examined>, ProofError> {
    let mut findings = Vec::new();
    let own = Last::read(prover, &mut findings)?;
    let mut anchors = Vec::new();
    for time in prover.anchor_times()? {
        match prover.anchor(time) {
            Ok(anchor) => anchors.push(anchor),
            Err(error) => findings.push(differs(prover, error.to_string())),
        }
    }
    let mut targets = Vec::new();
    if let Some(checkpoint) = &own.checkpoint {
        targets.push(Target::new(LAST.to_owned(), checkpoint, own.signed_tiles()));
    }
    for anchor in &anchors {
        let name = format!("the anchor of {}", seconds_to_rfc3339(anchor.time));
        targets.push(Target::new(name, &anchor.checkpoint, None));
    }
    if let Some((checkpoint, tiles)) = old {
        targets.push(Target::new(ASKED.to_owned(), checkpoint, tiles));
    }
    let differing = compare(prover, &own, &mut targets, progress)?;
    let last = prover.log.last_seq();
    let mut has_named_anchor = false;
    for target in &targets {
        let older = targets.iter().filter(|other| other.is_same());
        let older = older.map(|other| other.checkpoint.size);
        let agreed = older.filter(|size| *size < target.checkpoint.size).max();
        let outcome = target.outcome(last, agreed.unwrap_or(0));
        let is_named = match target.name.as_str() {
            ASKED => true,
            // A log that equals the last checkpoint is correct.
            LAST => outcome.result != Comparison::Same,
            // If the first differs, so do the later ones.
            _ => {
                outcome.result == Comparison::Differs
                    && !std::mem::replace(&mut has_named_anchor, true)
            }
        };
        if is_named {
            findings.push(outcome);
        }
    }
    // The log equals the signed state, but the tiles do not.
    let is_log = own.checkpoint.is_some() && targets.first().is_some_and(Target::is_same);
    name_tiles(&differing, is_log, &mut findings);
    Ok(findings)
}

/// Compares the log with each target. Returns the tiles of the last checkpoint that it does
/// not have.
fn compare(
    prover: &Prover,
    own: &Last,
    targets: &mut [Target<'_>],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<u64>, ProofError> {
    let sizes = targets.iter().map(|target| target.checkpoint.size);
    let end = sizes.max().unwrap_or(0).min(prover.log.last_seq());
    let (mut tree, mut differing) = (Frontier::default(), Vec::new());
    let mut leaves = prover.leaves();
    for tile in 0..end.div_ceil(TILE).max(1) {
        let (begin, tile_end) = (tile * TILE, ((tile + 1) * TILE).min(end));
        let (mut found, mut missing) = (Vec::new(), None);
        let damage = leaves.each(
            (begin, tile_end),
            &Edge::default(),
            |index, leaf, has_own| {
                let signed = own.edge.get(index).filter(|_| !has_own);
                missing = missing.or((!has_own && signed.is_none()).then_some(index));
                found.push(signed.unwrap_or(leaf));
                Ok(())
            },
        )?;
        if damage.is_some() {
            missing = missing.or(Some(begin + found.len() as u64));
        }
        let kept = own.tiles.get(tile as usize).copied();
        let is_whole = tile_end - begin == TILE;
        let root = Frontier::of(&found).root();
        // Stand-ins are leaves, too, if the tile was made with them.
        let has_all = missing.is_none() || kept == Some(root);
        if has_all && is_whole && kept.is_some_and(|kept| kept != root) {
            differing.push(tile);
        }
        let effective = if has_all { root } else { kept.unwrap_or(root) };
        for target in &mut *targets {
            let size = target.checkpoint.size;
            let signed = target.tiles.and_then(|tiles| tiles.get(tile as usize));
            if is_whole && signed.is_some_and(|signed| *signed != effective) {
                target.differs.get_or_insert(tile);
            }
            // Its last leaf is in this tile, or it has none.
            if size.saturating_sub(1) / TILE == tile && size <= end {
                let in_order = missing.is_none_or(|at| at >= size);
                let rest = match found.get(..(size - begin) as usize) {
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
    Ok(differing)
}

/// Adds a finding for each tile that differs, unless one names it already.
fn name_tiles(differing: &[u64], is_log: bool, findings: &mut Vec<Examined>) {
    let named = findings
        .iter()
        .filter(|found| found.result == Comparison::Differs);
    let named: Vec<u64> = named.map(|found| found.first_seq).collect();
    for tile in differing.iter().take(MAX_NAMED) {
        let (first_seq, last_seq) = (tile * TILE + 1, (tile + 1) * TILE);
        if named.contains(&first_seq) {
            continue;
        }
        let what = match is_log {
            true => format!(
                "proofs/tiles is damaged where events {first_seq} to {last_seq} are: a start of the server makes it again"
            ),
            false => {
                format!("events {first_seq} to {last_seq} are not those that the tree has")
            }
        };
        findings.push(Examined::new(
            (first_seq, last_seq),
            Comparison::Differs,
            what,
        ));
    }
}
