//! Operations on a data folder: what is done to it beyond adding events and asking.
//!
//! A [`Care`] travels as JSON to a running server or is carried out on the
//! folder, by the same [`carry_out`]; what it came to is lines of JSON, from
//! which the command line makes what people see.

pub mod backup;
pub mod demo;
pub mod doctor;
mod parallel;
mod prune;
mod repair;
mod seal;
mod stats;
mod verify;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use backup::{BackupError, BackupOrder};
pub use prune::PruneLine;
pub use repair::{Repair, RepairLine};
pub use seal::SealLine;
pub use stats::{Count, StatsLine, bytes_of};
pub use verify::{DamageLine, IndexLine, LostLine, NoteLine, VerifyLine, VerifySummary};

use crate::log::LogError;
use crate::log::repair::RepairError;
use crate::query::{Answered, Span};
use crate::store::{PruneError, Trail, TrailError};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Care {
    /// Seal all closed segments now.
    Seal,
    /// Bring a backup up to date.
    Backup(BackupOrder),
    /// Read everything and tell what is not as it should be.
    Verify,
    /// Tell what there is in a span of time.
    Stats(Span),
    /// Prune.
    Prune {
        /// Events before this time go, in Unix seconds.
        before: i64,
        /// Only tell what would go.
        dry_run: bool,
    },
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// The reader of the lines has gone.
    #[error("{0}")]
    Output(#[from] io::Error),
    /// The folder cannot be used.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is no backup.
    #[error(transparent)]
    Backup(BackupError),
    /// The log cannot be repaired.
    #[error(transparent)]
    Repair(#[from] RepairError),
    /// Pruning failed.
    #[error(transparent)]
    Prune(#[from] PruneError),
}

impl From<BackupError> for CareError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Output(error) => Self::Output(error),
            error => Self::Backup(error),
        }
    }
}

/// Where that goes which is told of the work.
pub struct Told<'a> {
    /// Lines of JSON.
    pub out: &'a mut dyn Write,
    /// How much is done, and of how much; in the work's own unit.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

impl Told<'_> {
    /// Writes a line.
    pub fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.out.write_all(&bytes)
    }
}

/// Does it. What is not found to be well is told as damage.
pub fn carry_out(trail: &Trail, care: &Care, told: &mut Told<'_>) -> Result<Answered, CareError> {
    match care {
        Care::Seal => seal::carry_out(trail, told),
        Care::Backup(order) => backup::carry_out(trail, order, told),
        Care::Verify => verify::carry_out(trail, told),
        Care::Stats(span) => stats::carry_out(trail, *span, told),
        Care::Prune { before, dry_run } => prune::carry_out(trail, *before, *dry_run, told),
    }
}
