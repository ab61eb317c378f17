//! The thread that indexes synced events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::discard;
use super::filling::{Failed, Filling};
use super::shared::{Replace, Shared};
use super::successor::Build;
use crate::log::LogError;

/// How long events are collected before they are indexed, unless a caller waits for
/// them; and how often it is looked whether another index is filled.
const GATHER: Duration = Duration::from_millis(5);

/// How long the thread sleeps at most, unless another index is being built. It is woken
/// when events arrive, and on every request; a waiter repeats a request that arrives just
/// before the thread sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// Progress is logged if the index lacks more events than this.
const LOGGED_CATCH_UP: u64 = 20_000;

/// How often progress is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// After how long a log that could not be read is read again.
const RETRY: Duration = Duration::from_secs(1);

/// The next task of the thread.
enum Work {
    Stop,
    Replace(Replace),
    /// The log has more than the index.
    CatchUp,
    /// A merge or the build of another index may continue.
    Background,
}

/// Records that the thread has ended, even by a panic.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.update(|state| state.ended = true);
    }
}

impl Shared {
    /// Runs until it is stopped.
    pub fn run(self: &Arc<Self>) {
        let _ended = Ended(self);
        let mut rebuilds = 0;
        if let Err(reason) = self.open() {
            self.replace(reason, &mut rebuilds);
        }
        let mut caught_up = Instant::now();
        let mut build = None;
        let mut busy = false;
        loop {
            let longest = match build {
                Some(_) => GATHER,
                None => MAX_SLEEP,
            };
            let done = match self.wait_for_work(busy, caught_up, longest) {
                Work::Stop => return,
                Work::Replace(reason) => Err(reason),
                Work::CatchUp => {
                    let done = self.catch_up();
                    caught_up = Instant::now();
                    done.map(|()| true)
                }
                Work::Background => self.background_step(&mut build),
            };
            busy = done.unwrap_or_else(|reason| {
                discard(build.take());
                self.replace(reason, &mut rebuilds);
                true
            });
        }
    }

    /// Waits until there is something to do; not at all while a merge or
    /// another index keeps the thread busy. `caught_up` is when it caught up last;
    /// `longest` is how long it waits for an event.
    fn wait_for_work(&self, busy: bool, caught_up: Instant, longest: Duration) -> Work {
        let mut waited = busy;
        loop {
            let (applied, wanted) = {
                let state = self.state.lock();
                if state.stop {
                    return Work::Stop;
                }
                if let Some(reason) = &state.replace {
                    return Work::Replace(reason.clone());
                }
                (state.applied, state.wanted)
            };
            let behind = self.log.last_seq() > applied;
            let gathering = GATHER.saturating_sub(caught_up.elapsed());
            if behind && (wanted > applied || gathering.is_zero()) {
                return Work::CatchUp;
            }
            if waited {
                return Work::Background;
            }
            if behind {
                self.changed.wait_for(&mut self.state.lock(), gathering);
            } else {
                self.log.notifier().wait_for_seq_after(applied, longest);
                waited = self.log.last_seq() <= applied;
            }
        }
    }

    /// A step of merging, or else of another index: whether there is more to do.
    fn background_step(self: &Arc<Self>, build: &mut Option<Build>) -> Result<bool, Replace> {
        let merged = match &*self.index.read() {
            Some(index) => index.compact_step()?,
            None => false,
        };
        if merged || !self.state.lock().is_ready() {
            return Ok(merged);
        }
        let built = self.build_successor(build);
        built.or_else(|failed| self.pause_or_replace(failed).map(|()| true))
    }

    /// Indexes the events of the log that the index lacks.
    fn catch_up(&self) -> Result<(), Replace> {
        let applied = self.state.lock().applied;
        let present = self.index.read();
        let filling = present.as_ref().map(|index| Filling::after(self, index));
        drop(present);
        let Some(mut filling) = filling else {
            return Ok(());
        };
        let last = filling.scan.last_seq;
        let logging = last.saturating_sub(applied) > LOGGED_CATCH_UP;
        if logging {
            tracing::info!("indexing {} events", last - applied);
        }
        let mut logged = Instant::now();
        while !self.state.lock().stop {
            let stepped = match &*self.index.read() {
                Some(index) => filling.step(self, index),
                None => return Ok(()),
            };
            let more = match stepped {
                Ok(more) => more,
                Err(failed) => return self.pause_or_replace(failed),
            };
            let mut state = self.state.lock();
            state.applied = filling.position.seq;
            state.min_visible_seq = state.min_visible_seq.max(filling.position.seq);
            drop(state);
            self.changed.notify_all();
            if !more {
                if logging {
                    tracing::info!("the index is complete: {last} events");
                }
                return Ok(());
            }
            if let Some(index) = &*self.index.read() {
                index.compact_step()?;
            }
            if logging && logged.elapsed() > LOG_INTERVAL {
                logged = Instant::now();
                tracing::info!("indexed {} of {last} events", filling.position.seq);
            }
        }
        Ok(())
    }

    /// Waits if the log could not be read. After any other failure the index must be replaced.
    fn pause_or_replace(&self, failed: Failed) -> Result<(), Replace> {
        match failed {
            Failed::Index(error) => Err(error.into()),
            Failed::Outdated(reason) => Err(Replace::Rebuild(reason)),
            Failed::Log(error) => {
                self.pause_after(&error);
                Ok(())
            }
        }
    }

    /// Those who wait get an error while the log cannot be read; it is read
    /// again after a while.
    pub(super) fn pause_after(&self, error: &LogError) {
        tracing::error!("the log cannot be read for the index: {error}");
        self.update(|state| state.failure = Some(error.to_string()));
        let begun = Instant::now();
        let mut state = self.state.lock();
        while !state.stop && begun.elapsed() < RETRY {
            self.changed.wait_for(&mut state, RETRY);
        }
        state.failure = None;
    }
}
