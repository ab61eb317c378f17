//! Reports to systemd (`Type=notify`, see sd_notify(3)) that the server is ready, its status and
//! that it is stopping; and at intervals that it is alive (`WatchdogSec=`).
//!
//! It reports the last only while the committer works: a process whose committer is stuck, in the
//! kernel or in a deadlock, answers no call, and only a restart can help. With a failed log or a
//! full disk it still reports: calls are answered 503, and the status has the reason.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::committer::Health;
use crate::background::Background;
use crate::store::Trail;

/// How often the status is sent without a watchdog.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// A group that the committer works on for longer than this part of the watchdog's period is stuck.
const STUCK_AFTER: u32 = 2;

/// How many keep-alive messages are sent in a period of the watchdog.
const SIGNS: u32 = 4;

fn notify(states: &[NotifyState<'_>]) {
    // A supervisor that does not listen changes nothing for the callers.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot notify the supervisor: {error}");
    }
}

/// Reports that the server is ready, and then its status; `None` without a supervisor.
pub(super) fn start(
    address: SocketAddr,
    health: Arc<Health>,
    trail: Arc<Trail>,
) -> io::Result<Option<Background>> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(None);
    }
    let period = sd_notify::watchdog_enabled();
    let every = period.map_or(STATUS_EVERY, |period| period / SIGNS);
    let stuck_after = period.map(|period| period / STUCK_AFTER);
    let thread = Background::start("supervisor", move |stop| {
        notify(&[NotifyState::Ready]);
        loop {
            let stuck = stuck_after.is_some_and(|after| health.is_stuck(Instant::now(), after));
            let status = match (stuck, health.trouble()) {
                (true, _) => "the committer is stuck: waiting for the watchdog".to_owned(),
                (false, Some(trouble)) => format!("calls are answered 503: {trouble}"),
                (false, None) => format!("listening on {address}; {} events", trail.last_seq()),
            };
            let status = NotifyState::Status(&status);
            match period.is_some() && !stuck {
                true => notify(&[status, NotifyState::Watchdog]),
                false => notify(&[status]),
            }
            if stop.wait(every) {
                return notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
            }
        }
    });
    thread.map(Some)
}
