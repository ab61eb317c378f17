//! Sealing closed segments in the background.
//!
//! A server thread looks once a second for closed segments that are not sealed
//! and seals them, oldest first. It runs at the lowest priority and one block at
//! a time, so that calls do not wait for it. It also empties the oldest segments of
//! rejected calls beyond their limit (`--max-rejected`), since strangers may be able to cause them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::open::Trail;
use crate::background::{Background, Stop};
use crate::log::record::{event_time, rejected_time};
use crate::log::{Log, NotSealed, Rewriting, SealedSegment};

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

    /// The number of closed, unsealed segments of both logs. They stay unsealed while other
    /// work takes all processor time.
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

    /// Empties the oldest closed segments of rejected calls while these have more than `most` bytes.
    fn limit_rejected(&self, most: u64, stop: &dyn Fn() -> bool) -> Result<(), NotSealed> {
        if self.rejected.bytes()? <= most {
            return Ok(());
        }
        let emptied = Rewriting {
            time_of: &rejected_time,
            replace: &|_, _| Some(Vec::new()),
            stop,
        };
        for (first_seq, _) in self.rejected.older_than(i64::MAX, u64::MAX)? {
            match self.rejected.prune(first_seq, &emptied) {
                Ok(_) if self.rejected.bytes()? <= most => return Ok(()),
                // Damage is for `repair` to remove.
                Ok(_) | Err(NotSealed::Damaged { .. } | NotSealed::Differs(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
            // `None` if the background thread has sealed it.
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

/// Starts the thread that seals in the background, and keeps the rejected calls to a number of
/// bytes.
pub fn start_sealer(trail: Arc<Trail>, max_rejected: u64) -> std::io::Result<Background> {
    Background::start_idle("sealer", move |stop| {
        let mut left_alone = HashSet::new();
        // The last rejected call when their bytes were last looked at.
        let mut limited_to = 0;
        loop {
            let last = trail.rejected.last_seq();
            let limited = || match last == limited_to {
                true => Ok(()),
                false => trail.limit_rejected(max_rejected, &|| stop.is_set()),
            };
            let pause = match seal_unsealed(&trail, &mut left_alone, stop).and_then(|()| limited())
            {
                Ok(()) => {
                    limited_to = last;
                    PAUSE
                }
                Err(NotSealed::Stopped) => return,
                Err(error) => {
                    tracing::warn!("a segment could not be sealed, and is as it was: {error}");
                    RETRY
                }
            };
            if stop.wait(pause) {
                return;
            }
        }
    })
}

/// Seals all unsealed segments. A segment that can never be sealed is logged once and
/// skipped from then on; after an I/O error the caller tries again.
fn seal_unsealed(
    trail: &Trail,
    left_alone: &mut HashSet<(Part, u64)>,
    stop: &Stop,
) -> Result<(), NotSealed> {
    for (part, first_seq, _) in trail.unsealed() {
        if left_alone.contains(&(part, first_seq)) {
            continue;
        }
        let sealed = trail.seal(part, first_seq, &|| stop.is_set());
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
