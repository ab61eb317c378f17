//! `checkpoint` and `prove`: the signed state of the log, and the proof of one event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Lines, QueryError};
use super::request::EventQuery;
use crate::event::{micros_to_rfc3339, seconds_to_rfc3339};
use crate::log::Erasure;
use crate::log::record::{EventHead, is_pruned, tombstone_leaf};
use crate::proofs::{ProofError, base64, is_consistent, pruned};
use crate::store::Snapshot;

/// A signed checkpoint of now.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointQuery {
    /// Prove that the log only grew since this checkpoint: the text of the signed note
    #[arg(long, value_name = "NOTE")]
    pub since: Option<String>,
}

/// The checkpoints that others have signed, too.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorsQuery {}

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

/// A line of `checkpoint --anchors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnchorLine {
    /// When it was kept.
    pub time: String,
    /// Whose log it is.
    pub origin: String,
    /// How many events it has.
    pub size: u64,
    /// The root of their tree, in base64.
    pub root: String,
    /// The moment of the time stamp; `null` without one.
    pub stamped: Option<String>,
    /// The names of the witnesses that have signed.
    pub witnesses: Vec<String>,
    /// The signed note, with the signatures of the witnesses.
    pub note: String,
    /// The time stamp, in base64; `null` without one.
    pub stamp: Option<String>,
}

/// Writes the anchors, in the order of time.
pub(super) fn anchors(snapshot: &Snapshot<'_>, lines: &mut Lines<'_>) -> Result<bool, QueryError> {
    let prover = snapshot.trail().prover();
    let anchors = prover.anchors()?;
    for anchor in &anchors {
        let read = prover.anchor(anchor.time)?;
        lines.put(&AnchorLine {
            time: seconds_to_rfc3339(anchor.time),
            origin: anchor.origin.clone(),
            size: anchor.size,
            root: base64(&read.checkpoint.root),
            stamped: anchor.stamped.map(seconds_to_rfc3339),
            witnesses: anchor.witnesses.clone(),
            note: read.checkpoint.note,
            stamp: read.stamp.map(|stamp| base64(&stamp.der)),
        })?;
    }
    if anchors.is_empty() {
        let why = "nobody else has signed a checkpoint: see serve --timestamp and --witness";
        lines.hints.push(why.to_owned());
    }
    Ok(!anchors.is_empty())
}

/// Signs a checkpoint, and compares it with an older one. `false` if the log does not begin
/// with that; then without a line if it is no checkpoint of this log.
pub(super) fn checkpoint(
    snapshot: &Snapshot<'_>,
    query: &CheckpointQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let prover = snapshot.trail().prover();
    let old = query.since.as_deref();
    let old = match old.map(|note| prover.read_checkpoint(note)).transpose() {
        Ok(old) => old,
        Err(why) => {
            lines.hints.push(why);
            return Ok(false);
        }
    };
    let now = prover.sign(&|| false)?;
    let mut is_found = true;
    let since = match old {
        None => None,
        Some(old) => {
            let (proof, root) = prover.consistency(old.size, &now)?;
            let consistent = is_consistent((old.size, old.root), (now.size, now.root), &proof)
                && root == old.root;
            if !consistent {
                is_found = false;
                lines.hints.push(format!(
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
    lines.put(&CheckpointLine {
        size: now.size,
        root: base64(&now.root),
        vkey: prover.vkey()?.to_string(),
        origin: now.origin,
        note: now.note,
        since,
    })?;
    Ok(is_found)
}

/// Writes the files that prove an event.
pub(super) fn prove(
    snapshot: &Snapshot<'_>,
    query: &EventQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let (seq, trail) = (query.seq, snapshot.trail());
    let retention = snapshot.retention();
    let mut cursor = trail.events().cursor();
    let record = cursor.get(seq).ok();
    let is_removed = record.is_some_and(is_pruned) || retention.erasing.contains(seq);
    let is_hidden = record.is_some_and(|record| {
        EventHead::decode(record).is_ok() && retention.hides_record(seq, record)
    });
    let files = match is_removed.then(|| trail.erasure_of(seq)).transpose()? {
        Some(Some(erasure)) => Err(ProofError::Missing(erased(&erasure, seq, record))),
        _ if is_hidden => Err(pruned(seq)),
        _ => trail.prover().prove(seq),
    };
    let files = match files {
        Err(ProofError::Missing(why)) => {
            lines.hints.push(why);
            return Ok(false);
        }
        files => files?,
    };
    for file in files {
        lines.put(&file)?;
    }
    Ok(true)
}

/// What is left of an erased event, whose record is a tombstone.
fn erased(erasure: &Erasure, seq: u64, record: Option<&[u8]>) -> String {
    let leaf = record.and_then(tombstone_leaf);
    let leaf = leaf.map_or_else(String::new, |leaf| {
        format!("; its leaf hash is {}", base64(&leaf))
    });
    let when = micros_to_rfc3339(erasure.until);
    let receipt = erasure.receipt.map_or_else(String::new, |receipt| {
        format!("; the receipt is made by: prove {receipt} --out DIR")
    });
    format!("event {seq} was erased on {when}{leaf}{receipt}")
}
