//! Scheduled pruning in a server.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Months, TimeDelta, Utc};

use super::bounds::not_younger;
use super::{PruneError, PruneOrder, PruneReport};
use crate::event::{now_micros, seconds_to_rfc3339};
use crate::store::Trail;

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
    /// Prunes what is older than `keep`; `now` is in Unix seconds. If the newest
    /// events are older than `now`, the cutoff is computed from them
    /// (`Trail::witnessed_now`).
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
            before: not_younger(witnessed, before),
            now,
            dry_run: false,
            stop,
            progress: &mut |_, _| (),
        })
    }
}

/// The thread that prunes once a day and finishes interrupted removals. It ends
/// when this is dropped.
pub struct RetentionTask {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    trail: Arc<Trail>,
    keep: Option<RetentionPeriod>,
    stop: Mutex<bool>,
    changed: Condvar,
}

impl Shared {
    fn stop(&self) -> MutexGuard<'_, bool> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RetentionTask {
    /// Starts the thread. Without `keep` it only finishes interrupted removals.
    pub fn start(trail: Arc<Trail>, keep: Option<RetentionPeriod>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            trail,
            keep,
            stop: Mutex::new(false),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || run(&own))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

impl Drop for RetentionTask {
    fn drop(&mut self) {
        *self.shared.stop() = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper had panicked");
        }
    }
}

fn run(shared: &Shared) {
    // On Linux this affects the calling thread only.
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!("the keeper's priority could not be lowered: {error}");
    }
    let stop = || *shared.stop();
    let mut pruned: Option<Instant> = None;
    loop {
        match shared.trail.finish_removal(&stop) {
            Ok(removed) if removed.segments > 0 => {
                tracing::info!("removed what was pruned: {} bytes", removed.bytes);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("what was pruned is still on the disk: {error}"),
        }
        if let Some(keep) = shared.keep
            && pruned.is_none_or(|when| when.elapsed() >= DAY)
        {
            pruned = Some(Instant::now());
            let now = now_micros().div_euclid(1_000_000);
            match shared.trail.keep(keep, now, &stop) {
                Ok(report) if report.events + report.rejected > 0 => tracing::info!(
                    "pruned {} events and {} rejected calls before {}",
                    report.events,
                    report.rejected,
                    seconds_to_rfc3339(report.before)
                ),
                Ok(_) => tracing::debug!("nothing to prune"),
                Err(PruneError::Stopped) => return,
                Err(error) => tracing::error!("nothing was pruned: {error}"),
            }
        }
        let waited = shared
            .changed
            .wait_timeout_while(shared.stop(), SOON, |stop| !*stop);
        let (stop, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *stop {
            return;
        }
    }
}
