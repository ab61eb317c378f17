//! `verify`: reads everything and reports damage.
//!
//! It reads every byte of both logs: checksums, gaps in the numbers, the content of every
//! record, and the footers of sealed segments. Then it compares the index with the log
//! ([`digest`]), and the log with its signed checkpoints ([`crate::proofs`]). It writes
//! nothing. While a server runs, it checks the records that were synced at its start.

mod digest;
mod files;
mod index;
mod lines;
mod logs;
mod lookup;
mod ranges;

pub use lines::{VerifyLine, VerifySummary};

use super::Output;
use crate::log::{LogError, TILE};
use crate::proofs::{Comparison, Examined, Hash, Old, ProofError, examine, hash_of};
use crate::query::Answered;
use crate::store::{Snapshot, Trail};
use digest::Digest;
use lines::{IndexLine, NoteLine};
use logs::{Part, check_log};

/// The most damages, of both logs together, that are listed one by one.
const MAX_DAMAGE_LINES: u64 = 10_000;

pub(super) fn run(
    trail: &Trail,
    old: Option<&Old>,
    output: &mut Output<'_>,
) -> anyhow::Result<Answered> {
    let digest = Digest::new();
    let snapshot = trail.snapshot();
    let all = snapshot.last_seq() + trail.rejected().last_seq();
    let mut summary = VerifySummary::default();
    let events = Part::events(&snapshot, &digest)?;
    let mut absent = check_log(&events, output, (0, all), &mut summary)?;
    let rejected = Part::rejected(&snapshot);
    check_log(&rejected, output, (events.last, all), &mut summary)?;
    absent.merge();
    let differences = index::compare(&snapshot, &digest, &absent, events.last, output)?;
    let lacking = lookup::check(&snapshot, output)?;
    for what in differences.into_iter().chain(lacking) {
        summary.damages += 1;
        output.line(&VerifyLine::Index(IndexLine { what }))?;
    }
    for found in compare_proofs(trail, old, output)? {
        summary.damages += u64::from(found.result != Comparison::Same);
        output.line(&VerifyLine::Proof(found))?;
    }
    for (file, what) in files::unexpected_files(trail) {
        let what = what.to_owned();
        output.line(&VerifyLine::Note(NoteLine { file, what }))?;
    }
    let unread = read_baselines(&snapshot).err();
    summary.damages += u64::from(unread.is_some());
    output.line(&VerifyLine::Summary(summary))?;
    let mut damage = match summary.damages {
        0 => Vec::new(),
        1 => vec!["1 damage was found".to_owned()],
        count => vec![format!("{count} damages were found")],
    };
    damage.extend(unread.map(|error| error.to_string()));
    Ok(Answered {
        found: true,
        damage,
        ..Answered::default()
    })
}

/// Reads all baselines.
fn read_baselines(snapshot: &Snapshot<'_>) -> Result<(), LogError> {
    let mut walk = snapshot.retention().walk_baselines();
    while walk.step()?.is_some() {}
    Ok(())
}

/// Compares the log with its last checkpoint, and with an old one.
fn compare_proofs(
    trail: &Trail,
    old: Option<&Old>,
    output: &mut Output<'_>,
) -> Result<Vec<Examined>, ProofError> {
    let checkpoint = old.map(|old| trail.prover().read_checkpoint(&old.note));
    let checkpoint = checkpoint.transpose().map_err(ProofError::Missing)?;
    let tiles: Option<Vec<Hash>> = old.and_then(|old| {
        let count = usize::try_from(checkpoint.as_ref()?.size / TILE).ok()?;
        let tiles = old.tiles.as_bytes().chunks(44).take(count);
        let tiles: Vec<Hash> = tiles
            .map(|text| hash_of(std::str::from_utf8(text).ok()?))
            .collect::<Option<_>>()?;
        (tiles.len() == count && !old.tiles.is_empty()).then_some(tiles)
    });
    let old = checkpoint.as_ref().map(|of| (of, tiles.as_deref()));
    let mut found = examine(trail.prover(), old, output.progress)?;
    // Without `--checkpoint`, only what is wrong is of interest; damage is reported as such.
    found.retain(|found| old.is_some() || found.result == Comparison::Differs);
    Ok(found)
}
