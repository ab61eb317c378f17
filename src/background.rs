//! Background threads that run until their handle is dropped, and the pace of long work.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// From so many events a second on the processor is left to calls.
const MANY: f64 = 1_000.0;

/// How long work rests on a busy server: this many times as long as it has worked, and at
/// most this long.
const REST: (u32, Duration) = (3, Duration::from_secs(1));

/// Over how short a step the rate of events is taken at least.
const STEP: Duration = Duration::from_millis(10);

/// A thread that works in the background. Dropping this stops it and waits for its end.
pub struct Background {
    name: &'static str,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// The stop signal of a background thread.
#[derive(Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Whether the thread is to stop.
    pub fn is_set(&self) -> bool {
        *self.stopped.lock()
    }

    /// Sleeps until it is set, but no longer than `time`. Returns whether it is set.
    pub fn wait(&self, time: Duration) -> bool {
        let mut stopped = self.stopped.lock();
        self.changed
            .wait_while_for(&mut stopped, |stopped| !*stopped, time);
        *stopped
    }
}

impl Background {
    /// Starts a thread that runs `work`, which returns soon after the stop is set.
    pub fn start(
        name: &'static str,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let of_thread = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&of_thread))?;
        Ok(Self {
            name,
            stop,
            thread: Some(thread),
        })
    }

    /// The same at the lowest priority, so that calls do not wait for it.
    pub fn start_idle(
        name: &'static str,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> io::Result<Self> {
        Self::start(name, move |stop| {
            lower_priority();
            work(stop);
        })
    }
}

/// The pace of long work on a busy server. A low priority alone is not enough, since calls also
/// share the disk and the memory bandwidth.
pub struct Pace {
    since: Instant,
    last_seq: u64,
}

impl Pace {
    /// Work begins; `last_seq` is the last event that the log has.
    pub fn new(last_seq: u64) -> Self {
        Self {
            since: Instant::now(),
            last_seq,
        }
    }

    /// How long to rest after a step, if many events arrived during it.
    pub fn rest(&self, last_seq: u64) -> Option<Duration> {
        let worked = self.since.elapsed();
        let came = last_seq.saturating_sub(self.last_seq) as f64;
        let is_busy = came >= MANY * worked.as_secs_f64().max(STEP.as_secs_f64());
        is_busy.then(|| (worked * REST.0).min(REST.1))
    }
}

/// Gives the calling thread, and those that it starts, the lowest priority, for good.
pub fn lower_priority() {
    // On Linux this affects the calling thread only.
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!("the priority of a thread could not be lowered: {error}");
    }
}

/// Lets the calling thread run only on an idle processor, for work that may fall behind while
/// the machine is busy. With only a low priority, Linux treats the processor as busy and wakes
/// threads that answer calls on another one.
pub fn run_when_idle() {
    #[cfg(target_os = "linux")]
    {
        let priority = libc::sched_param { sched_priority: 0 };
        #[expect(unsafe_code, reason = "no library here offers it")]
        // SAFETY: the pointer is to a value that outlives the call, which only reads it.
        let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
        if result != 0 {
            let error = io::Error::last_os_error();
            tracing::debug!("the policy of a thread could not be lowered: {error}");
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        *self.stop.stopped.lock() = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread {} panicked", self.name);
        }
    }
}
