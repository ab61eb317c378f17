//! `seal`: all closed segments, now.

use serde::{Deserialize, Serialize};

use super::{CareError, Told};
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

pub(super) fn carry_out(trail: &Trail, told: &mut Told<'_>) -> Result<Answered, CareError> {
    let mut answered = Answered::default();
    let mut written = Ok(());
    trail.seal_all(|sealed, done, all| {
        match sealed {
            Ok(sealed) => {
                answered.found = true;
                written = told.line(&SealLine {
                    first_seq: sealed.first_seq,
                    plain_bytes: sealed.plain_bytes,
                    sealed_bytes: sealed.sealed_bytes,
                });
            }
            Err(error) => answered.damage.push(error.to_string()),
        }
        (told.progress)(done, all);
        written.is_ok()
    });
    written?;
    Ok(answered)
}
