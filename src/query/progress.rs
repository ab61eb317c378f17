//! The progress of an answer.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The minimum time between two reports.
const INTERVAL: Duration = Duration::from_millis(100);

/// The current step of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The index is being built.
    #[default]
    Index,
    /// Other queries are answered first.
    Waiting,
    /// Events are being read.
    Reading,
    /// Histories are being replayed.
    Replaying,
    /// The command's own work.
    Working,
}

impl Stage {
    /// The text shown for the stage.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Index => "building the index",
            Self::Waiting => "waiting for other questions",
            Self::Reading => "reading events",
            Self::Replaying => "replaying histories",
            Self::Working => "at work",
        }
    }
}

/// The progress of an answer: a count out of a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The stage that is counted.
    #[serde(default)]
    pub stage: Stage,
    /// The number done.
    pub done: u64,
    /// The total.
    pub all: u64,
}

impl Progress {
    /// The progress of a stage, out of its total.
    pub const fn new(stage: Stage, done: u64, all: u64) -> Self {
        Self { stage, done, all }
    }
}

impl From<crate::index::Progress> for Progress {
    fn from(index: crate::index::Progress) -> Self {
        Self::new(Stage::Index, index.applied, index.last)
    }
}

/// Reports the progress of an answer, about ten times a second.
pub(super) struct ProgressReporter<'a> {
    report: &'a mut dyn FnMut(Progress),
    reported: Instant,
}

impl<'a> ProgressReporter<'a> {
    pub fn new(report: &'a mut dyn FnMut(Progress)) -> Self {
        Self {
            report,
            reported: Instant::now(),
        }
    }

    pub fn report(&mut self, progress: Progress) {
        if self.reported.elapsed() >= INTERVAL {
            self.reported = Instant::now();
            (self.report)(progress);
        }
    }
}
