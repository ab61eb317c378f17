//! How far an answer is.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often it is told.
const TELL: Duration = Duration::from_millis(100);

/// What is being done for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The index is made.
    #[default]
    Index,
    /// Other questions are answered first.
    Waiting,
    /// Events are read.
    Reading,
    /// Histories are replayed.
    Replaying,
    /// What the command is for.
    Working,
}

impl Stage {
    /// What to say of it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Index => "the index is made",
            Self::Waiting => "other questions are answered first",
            Self::Reading => "events are read",
            Self::Replaying => "histories are replayed",
            Self::Working => "at work",
        }
    }
}

/// How far an answer is: so many of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of what.
    #[serde(default)]
    pub stage: Stage,
    /// How many are done.
    pub done: u64,
    /// How many there are.
    pub all: u64,
}

/// Tells how far an answer is, some ten times a second.
pub(super) struct Teller<'a> {
    tell: &'a mut dyn FnMut(Progress),
    told: Instant,
}

impl<'a> Teller<'a> {
    pub fn new(tell: &'a mut dyn FnMut(Progress)) -> Self {
        Self {
            tell,
            told: Instant::now(),
        }
    }

    pub fn tell(&mut self, progress: Progress) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            (self.tell)(progress);
        }
    }
}
