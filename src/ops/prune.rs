//! `prune`: removes old events and keeps their baselines.

use serde::{Deserialize, Serialize};

use super::{MaintenanceError, Output};
use crate::event::{now_micros, seconds_to_rfc3339};
use crate::query::Answered;
use crate::store::{PruneOrder, PruneReport, Trail};

/// The result of a prune, or of a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneLine {
    /// Events before this time are removed.
    pub before: String,
    /// Before which time they had been removed already.
    pub already: Option<String>,
    /// Whether this was a dry run.
    pub dry_run: bool,
    /// How many events are removed.
    pub events: u64,
    /// How many older ones stay: they are in the newest segment, or arrived after
    /// the time.
    pub kept: u64,
    /// How many (sub)profiles lose events.
    pub profiles: u64,
    /// How many baselines there are afterwards.
    pub baselines: u64,
    /// How many rejected calls are removed.
    pub rejected: u64,
    /// How many segments were rewritten.
    pub segments: u64,
    /// How many bytes that freed; for a dry run an estimate.
    pub bytes: u64,
    /// Whether answers still use the old files, so that the bytes are freed later.
    pub waiting: bool,
}

impl From<&PruneReport> for PruneLine {
    fn from(report: &PruneReport) -> Self {
        Self {
            before: seconds_to_rfc3339(report.before),
            already: report.already.map(seconds_to_rfc3339),
            dry_run: report.dry_run,
            events: report.events,
            kept: report.kept,
            profiles: report.profiles,
            baselines: report.baselines,
            rejected: report.rejected,
            segments: report.segments,
            bytes: report.bytes,
            waiting: report.waiting,
        }
    }
}

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
    output.line(&PruneLine::from(&report))?;
    Ok(Answered {
        found: report.events + report.rejected > 0,
        damage: report.damage,
        ..Answered::default()
    })
}
