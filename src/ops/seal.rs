//! `seal`: compresses all closed segments now.

use super::{MaintenanceError, Output};
use crate::query::Answered;
use crate::store::Trail;

pub(super) fn run(trail: &Trail, output: &mut Output<'_>) -> Result<Answered, MaintenanceError> {
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
