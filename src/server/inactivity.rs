//! The silence alarm: no event for too long.
//!
//! Reckoned from the last event's receipt, which is read from the log's tail at
//! the start, or from the start where there is none. The beginning and the end
//! of a silence are logged once each; `/healthz` answers 503 meanwhile, as a
//! monitor that knows only the status must be woken. Calls are taken all the
//! same, and `/readyz` stays well: a load balancer asks that, since one that
//! took a silent receiver out would make the silence last.
//!
//! Leaves out why it is silent: nobody calls, or all calls are refused.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::event::{micros_to_rfc3339, now_micros};
use crate::log::record::EventRecord;
use crate::store::Trail;

/// How often the clock is looked at, which may have been set meanwhile.
const LOOK: Duration = Duration::from_secs(30);

/// How far from the log's end an event is looked for that can be read.
const TAIL: u64 = 64;

/// When the last event came; clones share it.
#[derive(Clone, Debug)]
pub(super) struct InactivityAlarm(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// After how long it is an alarm, in microseconds.
    after: Option<i64>,
    /// In Unix microseconds, as what follows.
    begun: i64,
    /// Of the last event; `i64::MIN` where there is none.
    last: AtomicI64,
    told: AtomicBool,
}

impl InactivityAlarm {
    /// From now on, with the events there are.
    pub fn new(after: Option<Duration>, trail: &Trail) -> Self {
        Self::at(after, last_received(trail), now_micros())
    }

    fn at(after: Option<Duration>, last: Option<i64>, now: i64) -> Self {
        Self(Arc::new(Shared {
            after: after.map(|after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
            begun: now,
            last: AtomicI64::new(last.unwrap_or(i64::MIN)),
            told: AtomicBool::new(false),
        }))
    }

    /// Events have come, the last of them at that moment.
    pub fn heard(&self, received: i64) {
        self.0.last.store(received, Ordering::Relaxed);
        if self.0.told.load(Ordering::Relaxed) && self.0.told.swap(false, Ordering::Relaxed) {
            tracing::info!("events come again");
        }
    }

    /// When the last event came, in Unix microseconds.
    pub fn last_event(&self) -> Option<i64> {
        Some(self.0.last.load(Ordering::Relaxed)).filter(|last| *last != i64::MIN)
    }

    /// Whether it has been silent for too long.
    pub fn is_alarm(&self) -> bool {
        self.left(now_micros()).is_some_and(|left| left <= 0)
    }

    /// The microseconds up to the alarm.
    fn left(&self, now: i64) -> Option<i64> {
        let since = self.last_event().unwrap_or(self.0.begun);
        Some(since.saturating_add(self.0.after?).saturating_sub(now))
    }

    /// Logs that it has become silent, if it has; tells when to look again.
    fn look(&self, now: i64) -> Option<Duration> {
        let left = self.left(now)?;
        let after = Duration::from_micros(self.0.after?.unsigned_abs());
        if left > 0 {
            let left = Duration::from_micros(left.unsigned_abs());
            return Some(left.min(LOOK));
        }
        if !self.0.told.swap(true, Ordering::Relaxed) {
            let since = match self.last_event() {
                Some(last) => format!("since {}", micros_to_rfc3339(last)),
                None => "since the start, and none before".to_owned(),
            };
            tracing::warn!(
                "no event has come {since}, for longer than --alert-after: see whether Copernica still calls, and \
                 whether its calls are refused; /healthz answers 503 until one comes"
            );
        }
        // It may have ended, and begun anew.
        Some(after.min(LOOK))
    }
}

/// When the last event was received that can be read.
fn last_received(trail: &Trail) -> Option<i64> {
    let last = trail.last_seq();
    let mut cursor = trail.events().cursor();
    (last.saturating_sub(TAIL).max(1)..=last)
        .rev()
        .find_map(|seq| {
            let record = EventRecord::decode(cursor.get(seq).ok()?).ok()?;
            // Nobody has called where a file was compared.
            let called = record.head.body_kind.seen().is_none();
            called.then_some(record.head.received)
        })
}

/// The thread that logs the beginning of a silence; it ends when this is dropped.
pub(super) struct InactivityWatch {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl InactivityWatch {
    /// Starts the thread, where there is an alarm.
    pub fn start(inactivity: InactivityAlarm) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let own = Arc::clone(&stop);
        let thread = inactivity.0.after.map(|_| {
            std::thread::Builder::new()
                .name("silence".to_owned())
                .spawn(move || watch(&inactivity, &own))
        });
        let thread = thread.transpose()?;
        Ok(Self { stop, thread })
    }
}

impl Drop for InactivityWatch {
    fn drop(&mut self) {
        let (stop, changed) = &*self.stop;
        *stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches for silence had panicked");
        }
    }
}

fn watch(inactivity: &InactivityAlarm, (stop, changed): &(Mutex<bool>, Condvar)) {
    let mut stopped = stop.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped && let Some(wait) = inactivity.look(now_micros()) {
        let waited = changed.wait_timeout_while(stopped, wait, |stop| !*stop);
        (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn an_alarm_is_reckoned_from_the_last_event_or_the_start() {
        let after = Some(Duration::from_secs(3_600));
        let inactivity = InactivityAlarm::at(after, None, 10 * HOUR);
        assert_eq!(inactivity.left(10 * HOUR), Some(HOUR));
        assert_eq!(inactivity.last_event(), None);
        let inactivity = InactivityAlarm::at(after, Some(2 * HOUR), 10 * HOUR);
        assert_eq!(inactivity.left(10 * HOUR), Some(-7 * HOUR));
        inactivity.heard(10 * HOUR);
        assert_eq!(inactivity.left(10 * HOUR + 1), Some(HOUR - 1));
        // A clock that was set back makes no alarm.
        assert_eq!(inactivity.left(3 * HOUR), Some(8 * HOUR));
        assert!(!InactivityAlarm::at(None, Some(0), 0).is_alarm());
    }

    #[test]
    fn it_is_told_once_and_looked_for_in_time() {
        let inactivity = InactivityAlarm::at(Some(Duration::from_secs(60)), None, 0);
        assert_eq!(inactivity.look(0), Some(LOOK));
        assert_eq!(inactivity.look(59_000_000), Some(Duration::from_secs(1)));
        assert!(!inactivity.0.told.load(Ordering::Relaxed));
        inactivity.look(60_000_000);
        assert!(inactivity.0.told.load(Ordering::Relaxed));
        inactivity.heard(61_000_000);
        assert!(!inactivity.0.told.load(Ordering::Relaxed));
        assert_eq!(InactivityAlarm::at(None, None, 0).look(HOUR), None);
    }
}
