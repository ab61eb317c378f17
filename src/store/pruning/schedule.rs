//! Scheduled pruning in a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Months, TimeDelta, Utc};

use super::{PruneError, PruneOrder, PruneReport, YOUNGEST};
use crate::background::{Background, Stop};
use crate::event::now_seconds;
use crate::store::{Arrival, Outcome, Trail};

/// How often a server prunes.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause between two attempts to finish a removal.
const SOON: Duration = Duration::from_secs(60);

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionPeriod {
    /// A number of seconds.
    Seconds(u32),
    /// A number of days.
    Days(u32),
    /// A number of calendar months.
    Months(u32),
}

impl RetentionPeriod {
    /// The time this long before `moment`; both in Unix seconds. `None` if it is
    /// out of range.
    pub fn before(self, moment: i64) -> Option<i64> {
        let moment = DateTime::<Utc>::from_timestamp(moment, 0)?;
        let before = match self {
            Self::Seconds(seconds) => moment.checked_sub_signed(TimeDelta::seconds(seconds.into())),
            Self::Days(days) => moment.checked_sub_days(Days::new(days.into())),
            Self::Months(months) => moment.checked_sub_months(Months::new(months)),
        };
        before.map(|before| before.timestamp())
    }
}

impl Trail {
    /// Prunes events older than `keep`; `now` is in Unix seconds. If the newest events
    /// are older than `now`, the cutoff is computed from them (`Trail::witnessed_now`).
    pub fn keep(
        &self,
        keep: RetentionPeriod,
        now: i64,
        stop: &dyn Fn() -> bool,
    ) -> Result<PruneReport, PruneError> {
        let witnessed = self.witnessed_now(now)?;
        let Some(before) = keep.before(witnessed) else {
            return Ok(PruneReport::default());
        };
        self.prune(PruneOrder {
            before: before.min(witnessed.saturating_sub(YOUNGEST)),
            now,
            dry_run: false,
            stop,
            progress: &mut |_, _| (),
        })
    }
}

/// Starts the thread that prunes once a day and finishes interrupted removals and erasures;
/// without `keep` it only finishes these. An erasure closes the present segments and adds
/// its receipt through `append`.
pub fn start_retention(
    trail: Arc<Trail>,
    keep: Option<RetentionPeriod>,
    append: impl Fn(Vec<Arrival>) -> Vec<Outcome> + Send + 'static,
) -> std::io::Result<Background> {
    Background::start_idle("retention", move |stop| {
        let mut pruned: Option<Instant> = None;
        loop {
            match trail.finish_erasure(&append, &|| stop.is_set()) {
                Ok(removed) if removed.segments > 0 => {
                    tracing::info!("removed what was pruned or erased: {} bytes", removed.bytes);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("what was pruned or erased is still on the disk: {error}");
                }
            }
            if let Some(keep) = keep
                && pruned.is_none_or(|when| when.elapsed() >= DAY)
            {
                pruned = Some(Instant::now());
                prune_now(&trail, keep, stop);
            }
            if stop.wait(SOON) {
                return;
            }
        }
    })
}

/// Prunes, and logs the result.
fn prune_now(trail: &Trail, keep: RetentionPeriod, stop: &Stop) {
    let now = now_seconds();
    match trail.keep(keep, now, &|| stop.is_set()) {
        Ok(report) if report.events + report.rejected > 0 => tracing::info!(
            "pruned {} events and {} rejected calls before {}",
            report.events,
            report.rejected,
            report.before
        ),
        Ok(_) => tracing::debug!("nothing to prune"),
        Err(PruneError::Stopped) => {}
        Err(error) => tracing::error!("nothing was pruned: {error}"),
    }
}
