//! A thread that works in the background until its handle is dropped.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

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
            // On Linux this affects the calling thread only.
            if let Err(error) = rustix::process::nice(19) {
                tracing::debug!("the priority of the thread {name} could not be lowered: {error}");
            }
            work(stop);
        })
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
