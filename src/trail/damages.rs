//! What cannot be read, and how it is told.

use crate::log::LogError;

/// Why one event cannot be told.
#[derive(Debug)]
pub enum Unreadable {
    /// Its bytes are damaged: the others can be told.
    Damage(String),
    /// Reading failed altogether.
    Failure(LogError),
}

/// The most damages that are named one by one.
const NAMED: usize = 100;

/// Events that belong to an answer but cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damages {
    named: Vec<String>,
    more: u64,
}

impl Damages {
    /// Takes note of one; the same twice in a row counts once.
    pub fn add(&mut self, what: String) {
        if self.named.last() == Some(&what) {
            return;
        }
        if self.named.len() < NAMED {
            self.named.push(what);
        } else {
            self.more += 1;
        }
    }

    /// What to tell of them.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("and {} more", self.more));
        }
        self.named
    }
}

impl Unreadable {
    /// What is damaged; an error where it is no damage but a failure.
    pub fn into_damage(self) -> Result<String, LogError> {
        match self {
            Self::Damage(what) => Ok(what),
            Self::Failure(error) => Err(error),
        }
    }
}
