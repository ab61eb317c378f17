//! Sealing closed segments in the background.
//!
//! A server thread looks once a second for closed segments that are not sealed
//! and seals them, oldest first. It runs at the lowest priority and one block at
//! a time, so that calls do not wait for it. Under a load that leaves no CPU
//! time, segments stay unsealed until there is some.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::open::Trail;
use crate::log::record::{event_time, rejected_time};
use crate::log::{Log, NotSealed, SealedSegment};

/// The pause between two segments.
const TURN: Duration = Duration::from_millis(5);

/// The pause between two looks for unsealed segments.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause before the next try after an I/O error.
const RETRY: Duration = Duration::from_secs(60);

impl Trail {
    /// The log, first `seq` and length in bytes of each closed, unsealed segment
    /// of both logs.
    fn unsealed(&self) -> Vec<(Part, u64, u64)> {
        let of = |part: Part| {
            let segments = self.part(part).unsealed().into_iter();
            segments.map(move |(first_seq, bytes)| (part, first_seq, bytes))
        };
        of(Part::Events).chain(of(Part::Rejected)).collect()
    }

    /// The number of closed, unsealed segments of both logs.
    pub fn unsealed_segments(&self) -> usize {
        self.unsealed().len()
    }

    const fn part(&self, part: Part) -> &Log {
        match part {
            Part::Events => &self.events,
            Part::Rejected => &self.rejected,
        }
    }

    fn seal(
        &self,
        part: Part,
        first_seq: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<SealedSegment>, NotSealed> {
        let time_of: &dyn Fn(&[u8]) -> Option<i64> = match part {
            Part::Events => &event_time,
            Part::Rejected => &rejected_time,
        };
        self.part(part).seal(first_seq, time_of, stop)
    }

    /// Seals all closed segments now, and skips those that cannot be sealed. Calls
    /// `progress` after each segment with the result, the bytes done and the bytes
    /// in all; stops when it returns `false`.
    pub fn seal_all(
        &self,
        mut progress: impl FnMut(Result<SealedSegment, NotSealed>, u64, u64) -> bool,
    ) {
        let unsealed = self.unsealed();
        let all = unsealed.iter().map(|(.., bytes)| bytes).sum();
        let mut done = 0;
        for (part, first_seq, bytes) in unsealed {
            let sealed = self.seal(part, first_seq, &|| false).transpose();
            done += bytes;
            // None if the background thread has sealed it.
            if sealed.is_some_and(|sealed| !progress(sealed, done, all)) {
                return;
            }
        }
    }
}

/// The log that a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Events,
    Rejected,
}

/// The thread that seals in the background; it ends when this is dropped.
pub struct Sealer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    trail: Arc<Trail>,
    stop: Mutex<bool>,
    changed: Condvar,
}

impl Shared {
    fn stop(&self) -> MutexGuard<'_, bool> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sealer {
    /// Starts the thread.
    pub fn start(trail: Arc<Trail>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            trail,
            stop: Mutex::new(false),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sealer".to_owned())
            .spawn(move || run(&own))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        *self.shared.stop() = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sealer had panicked");
        }
    }
}

fn run(shared: &Shared) {
    // On Linux this affects the calling thread only.
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!("the sealer's priority could not be lowered: {error}");
    }
    let mut left_alone = HashSet::new();
    let mut refused: Option<Instant> = None;
    loop {
        if refused.is_none_or(|when| when.elapsed() >= RETRY) {
            refused = None;
            match seal_unsealed(shared, &mut left_alone) {
                Ok(()) => {}
                Err(NotSealed::Stopped) => return,
                Err(error) => {
                    tracing::warn!("a segment could not be sealed, and is as it was: {error}");
                    refused = Some(Instant::now());
                }
            }
        }
        let stop = shared.stop();
        let waited = shared
            .changed
            .wait_timeout_while(stop, PAUSE, |stop| !*stop);
        let (stop, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *stop {
            return;
        }
    }
}

/// Seals all unsealed segments. A segment that can never be sealed is logged once and
/// skipped from then on; after an I/O error the caller tries again.
fn seal_unsealed(shared: &Shared, left_alone: &mut HashSet<(Part, u64)>) -> Result<(), NotSealed> {
    for (part, first_seq, _) in shared.trail.unsealed() {
        if left_alone.contains(&(part, first_seq)) {
            continue;
        }
        let sealed = shared.trail.seal(part, first_seq, &|| *shared.stop());
        // Others that need the files to stay unchanged get their turn.
        std::thread::sleep(TURN);
        match sealed {
            Ok(Some(sealed)) => tracing::debug!(
                "sealed the segment from {first_seq} on: {} bytes are {} now",
                sealed.plain_bytes,
                sealed.sealed_bytes
            ),
            Ok(None) => {}
            Err(error @ (NotSealed::Stopped | NotSealed::Log(_))) => return Err(error),
            Err(error) => {
                tracing::error!("a segment is not sealed: {error}");
                left_alone.insert((part, first_seq));
            }
        }
    }
    Ok(())
}
