//! Events that cannot be read, and how they are reported.

use std::fmt;

use crate::log::LogError;
use crate::log::record::{Lost, RecordError};

/// Why one event cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// Its bytes are damaged or declared lost; other events are not affected.
    Damage(Missing),
    /// Reading the log failed.
    Failure(LogError),
}

/// The most damages that are listed one by one.
const NAMED: usize = 100;

/// An event that an answer lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It cannot be read.
    Damage(String),
    /// A repair has declared it lost, which the operator has accepted.
    Lost(Lost),
}

impl Missing {
    /// Classifies an unreadable record.
    pub fn of_record(seq: u64, error: RecordError) -> Self {
        match error {
            RecordError::Lost(lost) => Self::Lost(lost),
            error => Self::Damage(format!("event {seq}: {error}")),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(what) => f.write_str(what),
            Self::Lost(lost) => lost.fmt(f),
        }
    }
}

impl From<String> for Missing {
    fn from(damage: String) -> Self {
        Self::Damage(damage)
    }
}

/// Events that belong to an answer but cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damages {
    damage: Named,
    lost: Named,
}

/// A bounded number of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Named {
    named: Vec<String>,
    more: u64,
}

impl Named {
    fn add(&mut self, what: String) {
        if self.named.contains(&what) {
            return;
        }
        if self.named.len() < NAMED {
            self.named.push(what);
        } else {
            self.more += 1;
        }
    }

    fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("and {} more", self.more));
        }
        self.named
    }
}

impl Damages {
    /// Adds one; repetitions of a listed one do not count.
    pub fn add(&mut self, what: impl Into<Missing>) {
        match what.into() {
            Missing::Damage(what) => self.damage.add(what),
            Missing::Lost(lost) => self.lost.add(lost.to_string()),
        }
    }

    /// The read value; `None` if it is damaged, which is added. An error if reading failed.
    pub fn readable<T>(&mut self, read: Result<T, Unreadable>) -> Result<Option<T>, LogError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(unreadable) => {
                self.add(unreadable.into_damage()?);
                Ok(None)
            }
        }
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        for (own, other) in [
            (&mut self.damage, other.damage),
            (&mut self.lost, other.lost),
        ] {
            other.named.into_iter().for_each(|what| own.add(what));
            own.more += other.more;
        }
    }

    /// Whether nothing was added.
    pub const fn is_empty(&self) -> bool {
        self.damage.named.is_empty() && self.lost.named.is_empty()
    }

    /// The lines to report: of events that cannot be read, and of those that are
    /// declared lost.
    pub fn into_lines(self) -> (Vec<String>, Vec<String>) {
        (self.damage.into_lines(), self.lost.into_lines())
    }
}

impl Unreadable {
    /// The damage; an error if reading failed.
    pub fn into_damage(self) -> Result<Missing, LogError> {
        match self {
            Self::Damage(what) => Ok(what),
            Self::Failure(error) => Err(error),
        }
    }
}
