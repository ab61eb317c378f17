//! `prune`: removes old events and keeps their baselines.

use super::{MaintenanceError, Output};
use crate::event::now_micros;
use crate::query::Answered;
use crate::store::{PruneOrder, Trail};

pub(super) fn run(
    trail: &Trail,
    before: i64,
    dry_run: bool,
    output: &mut Output<'_>,
) -> Result<Answered, MaintenanceError> {
    let report = trail.prune(PruneOrder {
        before,
        now: now_micros().div_euclid(1_000_000),
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
