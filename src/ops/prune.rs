//! `prune`: events that are old enough go, and what they came to stays.

use serde::{Deserialize, Serialize};

use super::{CareError, Told};
use crate::event::{now_micros, seconds_to_rfc3339};
use crate::query::Answered;
use crate::store::{PruneOrder, PruneReport, Trail};

/// What a prune came to, or would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneLine {
    /// Events before this time go.
    pub before: String,
    /// Before which time they had gone already.
    pub already: Option<String>,
    /// Whether this only tells what would go.
    pub dry_run: bool,
    /// How many events go.
    pub events: u64,
    /// How many older ones stay: they stand in the newest segment, or arrived
    /// after the time.
    pub kept: u64,
    /// How many (sub)profiles lose events.
    pub profiles: u64,
    /// How many baselines there are then.
    pub baselines: u64,
    /// How many calls go that could not be read.
    pub rejected: u64,
    /// How many segments were written anew.
    pub segments: u64,
    /// How many bytes that gave back; of a dry run about how many it would.
    pub bytes: u64,
    /// Whether answers that began before are still given, so that the bytes are
    /// given back later.
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

pub(super) fn carry_out(
    trail: &Trail,
    before: i64,
    dry_run: bool,
    told: &mut Told<'_>,
) -> Result<Answered, CareError> {
    let report = trail.prune(PruneOrder {
        before,
        now: now_micros().div_euclid(1_000_000),
        dry_run,
        stop: &|| false,
        tell: told.progress,
    })?;
    told.line(&PruneLine::from(&report))?;
    Ok(Answered {
        found: report.events + report.rejected > 0,
        damage: report.damage,
        ..Answered::default()
    })
}
