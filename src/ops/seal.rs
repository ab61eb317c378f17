//! `seal`: compresses all closed segments now.

use serde::{Deserialize, Serialize};

use super::{MaintenanceError, Output};
use crate::query::Answered;
use crate::store::Trail;

/// A segment that was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealLine {
    /// `seq` of its first record.
    pub first_seq: u64,
    /// Its length before, in bytes.
    pub plain_bytes: u64,
    /// Its length now, in bytes.
    pub sealed_bytes: u64,
}

pub(super) fn run(trail: &Trail, output: &mut Output<'_>) -> Result<Answered, MaintenanceError> {
    let mut answered = Answered::default();
    let mut written = Ok(());
    trail.seal_all(|sealed, done, all| {
        match sealed {
            Ok(sealed) => {
                answered.found = true;
                written = output.line(&SealLine {
                    first_seq: sealed.first_seq,
                    plain_bytes: sealed.plain_bytes,
                    sealed_bytes: sealed.sealed_bytes,
                });
            }
            Err(error) => answered.damage.push(error.to_string()),
        }
        (output.progress)(done, all);
        written.is_ok()
    });
    written?;
    Ok(answered)
}
