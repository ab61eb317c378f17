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

pub use lines::{VerifyLine, VerifySummary};

use super::{Output, proofs};
use crate::log::LogError;
use crate::proofs::{Comparison, Old};
use crate::query::Answered;
use crate::store::{Snapshot, Trail};
use digest::Digest;
use lines::{IndexLine, NoteLine};
use logs::{Part, check_log};

/// The most damages of a log that are listed one by one.
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
    let absent = check_log(&events, output, (0, all), &mut summary)?;
    let rejected = Part::rejected(&snapshot);
    check_log(&rejected, output, (events.last, all), &mut summary)?;
    let differences = index::compare(&snapshot, &digest, &absent, events.last, output)?;
    let lacking = lookup::check(&snapshot, output)?;
    for what in differences.into_iter().chain(lacking) {
        summary.damages += 1;
        output.line(&VerifyLine::Index(IndexLine { what }))?;
    }
    for found in proofs::compare(trail, old, output)? {
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
