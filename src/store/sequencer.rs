//! Assigns numbers to encoded records.
//!
//! [`Appender`](super::Appender) decides the kind of a call's record; a [`Sequencer`]
//! assigns its number. With [`Local`] that is the next number of the own log.

use std::sync::Arc;
use std::time::Duration;

use super::open::Trail;
use crate::log::{AppendError, Writer};

/// The most records in one frame: beyond that a larger group gains nothing,
/// and reading one event reads its frame.
pub const FRAME_RECORDS: usize = 256;

/// About how many bytes a frame grows to.
pub const FRAME_BYTES: usize = 256 * 1024;

/// The least size at which a segment of rejected calls is closed.
const MIN_REJECTED_SEGMENT: u64 = 64 * 1024;

/// How far the index may fall behind before appending waits for it.
const MAX_LAG: u64 = 100_000;

/// How long a group waits for an index that is too far behind.
const LAG_PATIENCE: Duration = Duration::from_millis(200);

/// Encoded records, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Records of events, and control records.
    pub events: Vec<Vec<u8>>,
    /// Records of rejected calls.
    pub rejected: Vec<Vec<u8>>,
    /// The [`Sequencer::position`] that the records depend on, as the profile of a
    /// subprofile was looked up; `None` if they are right at any place.
    pub after: Option<u64>,
}

/// The number of each record of a group, or the reason for a missing one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// For the events.
    pub events: Vec<Result<u64, AppendError>>,
    /// For the rejected calls.
    pub rejected: Vec<Result<u64, AppendError>>,
}

impl Placed {
    /// The same error for each record of a group.
    pub fn failed(group: &Group, error: &AppendError) -> Self {
        Self {
            events: vec![Err(error.clone()); group.events.len()],
            rejected: vec![Err(error.clone()); group.rejected.len()],
        }
    }
}

/// The place that a group depends on was given to others: its records must be decided
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved;

/// Appends groups, one at a time.
pub trait Sequencer: Send {
    /// The position up to which the order is applied to the own log; `None` if nobody
    /// else appends to it.
    fn position(&self) -> Option<u64> {
        None
    }

    /// Appends a group. Records that have a number when this returns are on stable
    /// storage.
    fn append(&mut self, group: &Group) -> Result<Placed, Moved>;

    /// Closes the present segments of both logs, so that their records can be rewritten.
    fn close_segments(&mut self) -> Result<(), AppendError>;

    /// Closes the segments of rejected calls early enough to keep their total below this
    /// many bytes. By default nothing: a sequencer that wraps the local one leaves that to it.
    fn limit_rejected(&mut self, _most: u64) {}

    /// Why nothing is accepted: a write or sync failed, or the folder belongs to a cluster.
    fn poison(&self) -> Option<String>;
}

/// The order of arrival at this process: records go directly to its two logs.
pub struct Local {
    trail: Arc<Trail>,
    events: Writer,
    rejected: Writer,
    /// Whether the index has been complete once; from then on appending waits for it.
    indexed_once: bool,
    /// The position of the index at the last check.
    last_applied: u64,
}

impl Local {
    pub(super) const fn new(trail: Arc<Trail>, events: Writer, rejected: Writer) -> Self {
        Self {
            trail,
            events,
            rejected,
            indexed_once: false,
            last_applied: 0,
        }
    }

    /// Keeps the index from falling behind without bound, since queries wait
    /// for it. While one is being built, events do not wait.
    fn wait_for_slow_index(&mut self) {
        let progress = self.trail.index().progress();
        let lag = progress.last.saturating_sub(progress.applied);
        let rebuilt = progress.applied < self.last_applied;
        self.indexed_once = (self.indexed_once && !rebuilt) || lag < MAX_LAG / 2;
        self.last_applied = progress.applied;
        if self.indexed_once && lag > MAX_LAG {
            let target = progress.last - MAX_LAG / 2;
            let waited = self
                .trail
                .indexer
                .wait_for(target, Some(LAG_PATIENCE), |_| ());
            if let Err(error) = waited {
                tracing::debug!("appending did not wait for the index: {error}");
            }
        }
    }
}

impl Sequencer for Local {
    fn append(&mut self, group: &Group) -> Result<Placed, Moved> {
        let placed = Placed {
            events: append_all(&mut self.events, &group.events),
            rejected: append_all(&mut self.rejected, &group.rejected),
        };
        self.wait_for_slow_index();
        Ok(placed)
    }

    fn close_segments(&mut self) -> Result<(), AppendError> {
        let closed = [&mut self.events, &mut self.rejected].map(Writer::close_segment);
        closed.into_iter().collect()
    }

    fn limit_rejected(&mut self, most: u64) {
        self.rejected
            .limit_segments((most / 8).max(MIN_REJECTED_SEGMENT));
    }

    fn poison(&self) -> Option<String> {
        let poison = self.events.poison().or_else(|| self.rejected.poison());
        poison.map(str::to_owned)
    }
}

/// How many of these records are in the first frame.
pub fn frame_len(records: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let fit = records.iter().take(FRAME_RECORDS).take_while(|record| {
        let first = bytes == 0;
        bytes += record.len();
        first || bytes <= FRAME_BYTES
    });
    fit.count().max(1).min(records.len())
}

/// Appends records in frames of bounded size.
fn append_all(writer: &mut Writer, records: &[Vec<u8>]) -> Vec<Result<u64, AppendError>> {
    let mut placed = Vec::with_capacity(records.len());
    let mut rest = records;
    while !rest.is_empty() {
        let (frame, later) = rest.split_at(frame_len(rest));
        rest = later;
        let appended = writer.append(frame);
        for number in 0..frame.len() as u64 {
            placed.push(appended.clone().map(|first| first + number));
        }
    }
    placed
}
