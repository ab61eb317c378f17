//! The result of a prune, and its errors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::seconds_to_rfc3339;
use crate::log::{LogError, NotSealed};
use crate::store::TrailError;
use crate::store::retention::CommitError;

/// The result of a prune or of a dry run; the line of `prune`. Times are RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneReport {
    /// Events before this time are pruned.
    pub before: String,
    /// The cutoff of the previous prune.
    pub already: Option<String>,
    /// Nothing was changed.
    pub dry_run: bool,
    /// How many events were pruned.
    pub events: u64,
    /// How many older events stay, since they are in the newest segment or arrived
    /// after the cutoff.
    pub kept: u64,
    /// How many (sub)profiles lost events.
    pub profiles: u64,
    /// How many baselines there are now.
    pub baselines: u64,
    /// How many rejected calls were pruned.
    pub rejected: u64,
    /// How many segments were rewritten.
    pub segments: u64,
    /// How many bytes were freed, without those that the baselines take; an estimate
    /// in a dry run.
    pub bytes: u64,
    /// Answers that began before the commit are still running: pruned records are
    /// removed once they have ended.
    pub waiting: bool,
    /// What could not be removed, and why.
    #[serde(skip)]
    pub damage: Vec<String>,
}

/// Why nothing was pruned, or not all pruned records were removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The cutoff is too recent.
    #[error(
        "events less than a day old are never pruned: {} is after {}",
        seconds_to_rfc3339(*before), seconds_to_rfc3339(*youngest)
    )]
    TooYoung {
        /// The requested cutoff, in Unix seconds.
        before: i64,
        /// The latest allowed cutoff, in Unix seconds.
        youngest: i64,
    },
    /// Another prune is running.
    #[error("another prune is under way")]
    Busy,
    /// It is unknown whether the commit of an earlier prune is durable.
    #[error(
        "an earlier prune could not sync its files to the disk: restart the server, which checks \
         them"
    )]
    Uncertain,
    /// The folder is not empty.
    #[error("baselines can only be imported into an empty data folder that belongs to no cluster")]
    NotBlank,
    /// It was stopped.
    #[error("it was stopped; the next one continues")]
    Stopped,
    /// Some events that the baselines depend on cannot be read.
    #[error(
        "nothing was pruned: some events cannot be read, so the state after them is not known: {}. \
         Run `profiletrail repair` first", .0.join("; ")
    )]
    Unreadable(Vec<String>),
    /// Index and log disagree on which events are pruned.
    #[error(
        "nothing was pruned: the index lists {indexed} events to prune, and the log has \
         {readable} readable ones: run `profiletrail verify`; if it finds no damage, remove the \
         folder `index` while no server runs, so that it is rebuilt, and prune again"
    )]
    IndexDiffers {
        /// Pruned events according to the index.
        indexed: u64,
        /// Pruned events according to the log.
        readable: u64,
    },
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
