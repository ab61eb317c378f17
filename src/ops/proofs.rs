//! The findings of `verify` about proofs.

use super::Output;
use crate::proofs::{Comparison, Examined, Hash, Old, ProofError, examine, hash_of};
use crate::store::Trail;

/// Compares the log with its last checkpoint, and with an old one.
pub(super) fn compare(
    trail: &Trail,
    old: Option<&Old>,
    output: &mut Output<'_>,
) -> Result<Vec<Examined>, ProofError> {
    let checkpoint = old.map(|old| trail.prover().read_checkpoint(&old.note));
    let checkpoint = checkpoint.transpose().map_err(ProofError::Missing)?;
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
    // Without `--checkpoint`, only faults are reported, as damage.
    let asked = old.is_some();
    let kept = found.into_iter();
    Ok(kept
        .filter(|found| asked || found.result == Comparison::Differs)
        .collect())
}
