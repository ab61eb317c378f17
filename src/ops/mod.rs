//! Operations on a data folder other than adding events and asking questions.
//!
//! A [`Maintenance`] request travels as JSON to a running server or is run on the
//! folder, both by [`run`]. Its output is JSON lines, from which the command line
//! makes tables.

pub mod backup;
pub mod demo;
pub mod doctor;
mod repair;
mod verify;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use backup::BackupOrder;
pub use repair::{Repair, RepairLine};
pub use verify::{VerifyLine, VerifySummary};

use crate::event::now_seconds;
use crate::proofs::Old;
use crate::query::Answered;
use crate::store::{Append, EraseOrder, PruneOrder, Trail};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Maintenance {
    /// Seal all closed segments now.
    Seal,
    /// Update a backup.
    Backup(BackupOrder),
    /// Read everything, report damage, and compare it with what was signed.
    Verify {
        /// An old checkpoint to compare with, too.
        old: Option<Old>,
    },
    /// Erase persons.
    Erase(EraseOrder),
    /// Prune.
    Prune {
        /// Remove events before this time, in Unix seconds.
        before: i64,
        /// Only report what would be removed.
        dry_run: bool,
    },
}

/// The output of a request.
pub struct Output<'a> {
    /// Takes lines of JSON.
    pub out: &'a mut dyn Write,
    /// Takes the progress and the total, in a unit that the request chooses.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

impl Output<'_> {
    /// Writes a line.
    pub fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.out.write_all(&bytes)
    }
}

/// Runs a request. Faults that it finds are in the answer's damage.
pub fn run(
    trail: &Trail,
    request: &Maintenance,
    append: Append<'_>,
    output: &mut Output<'_>,
) -> anyhow::Result<Answered> {
    match request {
        Maintenance::Seal => seal(trail, output),
        Maintenance::Backup(order) => backup::run(trail, order, output),
        Maintenance::Verify { old } => verify::run(trail, old.as_ref(), output),
        Maintenance::Erase(order) => erase(trail, order, append, output),
        Maintenance::Prune { before, dry_run } => prune(trail, *before, *dry_run, output),
    }
}

/// Compresses all closed segments now.
fn seal(trail: &Trail, output: &mut Output<'_>) -> anyhow::Result<Answered> {
    let mut answered = Answered::default();
    let mut written = Ok(());
    trail.seal_all(|sealed, done, all| {
        match sealed {
            Ok(sealed) => {
                answered.found = true;
                written = output.line(&sealed);
            }
            Err(error) => answered.damage.push(error.to_string()),
        }
        (output.progress)(done, all);
        written.is_ok()
    });
    written?;
    Ok(answered)
}

/// Erases persons.
fn erase(
    trail: &Trail,
    order: &EraseOrder,
    append: Append<'_>,
    output: &mut Output<'_>,
) -> anyhow::Result<Answered> {
    let lines = trail.erase(order, append, &|| false, output.progress)?;
    for line in &lines {
        output.line(line)?;
    }
    Ok(Answered {
        found: !lines.is_empty(),
        ..Answered::default()
    })
}

/// Removes old events and keeps their baselines.
fn prune(
    trail: &Trail,
    before: i64,
    dry_run: bool,
    output: &mut Output<'_>,
) -> anyhow::Result<Answered> {
    let report = trail.prune(PruneOrder {
        before,
        now: now_seconds(),
        dry_run,
        stop: &|| false,
        progress: output.progress,
    })?;
    output.line(&report)?;
    Ok(Answered {
        found: report.events + report.rejected > 0,
        damage: report.damage,
        ..Answered::default()
    })
}
