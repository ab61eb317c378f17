//! What a prune came to, or why it did not.

use super::gather::Counts;
use crate::event::seconds_to_rfc3339;
use crate::log::{LogError, NotSealed};
use crate::store::TrailError;
use crate::store::retention::{CommitError, Removed};

/// What a prune came to, or would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Events before this time go, in Unix seconds.
    pub before: i64,
    /// Before which time events were pruned already.
    pub already: Option<i64>,
    /// Nothing was done.
    pub dry_run: bool,
    /// How many events were pruned.
    pub events: u64,
    /// How many older events stay: they stand in the newest segment, or arrived
    /// after the time.
    pub kept: u64,
    /// How many (sub)profiles lost events.
    pub profiles: u64,
    /// How many baselines there are now.
    pub baselines: u64,
    /// How many calls that could not be read were pruned.
    pub rejected: u64,
    /// How many segments were written anew.
    pub segments: u64,
    /// How many bytes were given back, but for those that the baselines take;
    /// of a dry run about how many would be.
    pub bytes: u64,
    /// Answers that began before are still given: what was pruned is removed
    /// once they have ended.
    pub waiting: bool,
    /// What could not be removed, and why.
    pub damage: Vec<String>,
}

impl PruneReport {
    pub(super) fn new(before: i64, dry_run: bool, already: Option<i64>) -> Self {
        Self {
            before,
            dry_run,
            already,
            ..Self::default()
        }
    }

    pub(super) const fn count(&mut self, counts: Counts) {
        self.events = counts.events;
        self.kept = counts.kept;
        self.profiles = counts.profiles;
        self.baselines = counts.baselines;
    }

    pub(super) fn removed(&mut self, removed: Removed) {
        self.segments = removed.segments;
        self.bytes = removed.bytes;
        self.damage = removed.damage;
    }
}

/// Why nothing was pruned, or not all of it removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The time is too young.
    #[error(
        "what is younger than a day is never pruned: {} is after {}",
        seconds_to_rfc3339(*before), seconds_to_rfc3339(*youngest)
    )]
    TooYoung {
        /// The time asked for, in Unix seconds.
        before: i64,
        /// The latest that is taken.
        youngest: i64,
    },
    /// Somebody else prunes.
    #[error("another prune is under way")]
    Busy,
    /// A prune before could not make sure of its commit.
    #[error(
        "a prune before could not make sure that what it wrote is on the disk: restart the server, \
         which looks what is there"
    )]
    Uncertain,
    /// The folder holds something.
    #[error("baselines can only be imported into a data folder that holds nothing yet")]
    NotBlank,
    /// It was told to stop.
    #[error("it was stopped; the next one goes on")]
    Stopped,
    /// Some events that the baselines depend on cannot be read.
    #[error(
        "nothing is pruned, since what events came to is not known where some cannot be read: {}. \
         Run `profiletrail repair` first", .0.join("; ")
    )]
    Unreadable(Vec<String>),
    /// Index and log do not agree on what goes.
    #[error(
        "nothing is pruned, since the index knows {indexed} events that would go, and in the log \
         {readable} can be read that would: run `profiletrail verify`; where it finds no damage, \
         remove the folder `index` while nothing runs, so that it is made anew, and prune again"
    )]
    IndexDiffers {
        /// Events that go by the index.
        indexed: u64,
        /// Events that go by the log.
        readable: u64,
    },
    /// Baselines could not be sorted, or encoded.
    #[error("making the baselines: {0}")]
    Baselines(std::io::Error),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A segment could not be written.
    #[error(transparent)]
    Log(#[from] NotSealed),
    /// The folder cannot be read.
    #[error(transparent)]
    Trail(Box<TrailError>),
}

impl From<TrailError> for PruneError {
    fn from(error: TrailError) -> Self {
        Self::Trail(Box::new(error))
    }
}

impl From<LogError> for PruneError {
    fn from(error: LogError) -> Self {
        Self::Log(error.into())
    }
}
