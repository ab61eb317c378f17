//! `checkpoint` and `prove`, and what `verify` says of proofs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MaintenanceError, Output};
use crate::event::micros_to_rfc3339;
use crate::log::Erasure;
use crate::log::record::{EventHead, is_pruned, tombstone_leaf};
use crate::proofs::{
    Checkpoint, Comparison, Examined, Hash, Old, ProofError, base64, examine, hash_of,
    is_consistent, pruned,
};
use crate::query::Answered;
use crate::store::Trail;

/// A line of `checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointLine {
    /// Whose log it is.
    pub origin: String,
    /// How many events it has.
    pub size: u64,
    /// The root of their tree, in base64.
    pub root: String,
    /// The key that verifies the note.
    pub vkey: String,
    /// The signed note.
    pub note: String,
    /// The comparison with `--since`.
    pub since: Option<SinceLine>,
}

/// A comparison with an older checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinceLine {
    /// How many events the older one has.
    pub size: u64,
    /// Its root.
    pub root: String,
    /// Whether this log begins with its events.
    pub consistent: bool,
    /// The consistency proof, in base64, if it does.
    pub proof: Vec<String>,
}

fn nothing(why: String) -> Answered {
    Answered {
        hints: vec![why],
        ..Answered::default()
    }
}

/// Signs a checkpoint, and compares it with an older one.
pub(super) fn checkpoint(
    trail: &Trail,
    since: Option<&str>,
    output: &mut Output<'_>,
) -> Result<Answered, MaintenanceError> {
    let prover = trail.prover();
    let old = since.map(|note| read(trail, note)).transpose()?;
    let mut now = prover.sign(&|| false)?;
    let mut answered = Answered {
        found: true,
        ..Answered::default()
    };
    let since = match old {
        None => None,
        Some(old) => {
            let (proof, root, signed) = prover.consistency(old.size)?;
            now = signed;
            let consistent = is_consistent((old.size, old.root), (now.size, now.root), &proof)
                && root == old.root;
            if !consistent {
                answered = nothing(format!(
                    "the log does not begin with the events of the older checkpoint: that one is {old}, this one \
                     is {now}, and the first {} events have the root {} now",
                    old.size.min(now.size),
                    base64(&root)
                ));
            }
            let proof = proof.iter().filter(|_| consistent);
            Some(SinceLine {
                size: old.size,
                root: base64(&old.root),
                consistent,
                proof: proof.map(|hash| base64(hash)).collect(),
            })
        }
    };
    output.line(&CheckpointLine {
        size: now.size,
        root: base64(&now.root),
        vkey: prover.vkey()?.to_string(),
        origin: now.origin,
        note: now.note,
        since,
    })?;
    Ok(answered)
}

fn read(trail: &Trail, note: &str) -> Result<Checkpoint, ProofError> {
    let read = trail.prover().read_checkpoint(note);
    read.map_err(ProofError::Missing)
}

/// Writes the files that prove an event.
pub(super) fn prove(
    trail: &Trail,
    seq: u64,
    output: &mut Output<'_>,
) -> Result<Answered, MaintenanceError> {
    let retention = trail.retention();
    let is_hidden = trail.events().cursor().get(seq).is_ok_and(|record| {
        EventHead::decode(record).is_ok() && retention.hides_record(seq, record)
    });
    let is_removed = trail.events().cursor().get(seq).is_ok_and(is_pruned);
    if (is_removed || retention.is_erasing(seq))
        && let Some(erasure) = trail.erasure_of(seq)?
    {
        return Ok(nothing(erased(&erasure, seq, trail)));
    }
    let files = match is_hidden {
        true => Err(pruned(seq)),
        false => trail.prover().prove(seq),
    };
    let files = match files {
        Err(ProofError::Missing(why)) => return Ok(nothing(why)),
        files => files?,
    };
    for file in files {
        output.line(&file)?;
    }
    Ok(Answered {
        found: true,
        ..Answered::default()
    })
}

/// What is left of an erased event.
fn erased(erasure: &Erasure, seq: u64, trail: &Trail) -> String {
    let leaf = trail
        .events()
        .cursor()
        .get(seq)
        .ok()
        .and_then(tombstone_leaf);
    let leaf = leaf.map_or_else(String::new, |leaf| {
        format!("; its leaf hash is {}", base64(&leaf))
    });
    let when = micros_to_rfc3339(erasure.until);
    let receipt = erasure.receipt.map_or_else(String::new, |receipt| {
        format!("; the receipt is made by: prove {receipt} --out DIR")
    });
    format!("event {seq} was erased on {when}{leaf}{receipt}")
}

/// Compares the log with its last checkpoint, and with an old one.
pub(super) fn compare(
    trail: &Trail,
    old: Option<&Old>,
    output: &mut Output<'_>,
) -> Result<Vec<Examined>, ProofError> {
    let checkpoint = old.map(|old| read(trail, &old.note)).transpose()?;
    let tiles: Option<Vec<Hash>> = old.and_then(|old| {
        let count = usize::try_from(checkpoint.as_ref()?.size / crate::log::TILE).ok()?;
        let tiles = old.tiles.as_bytes().chunks(44).take(count);
        let tiles: Vec<Hash> = tiles
            .map(|text| hash_of(std::str::from_utf8(text).ok()?))
            .collect::<Option<_>>()?;
        (tiles.len() == count && !old.tiles.is_empty()).then_some(tiles)
    });
    let old = checkpoint.as_ref().map(|of| (of, tiles.as_deref()));
    let found = examine(trail.prover(), old, output.progress)?;
    // Without `--checkpoint`, only what is wrong is of interest; damage is reported as such.
    let asked = old.is_some();
    let kept = found.into_iter();
    Ok(kept
        .filter(|found| asked || found.result == Comparison::Differs)
        .collect())
}
