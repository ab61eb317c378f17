//! What the lookups are asked, and a page of what they tell.

use super::word::{Folded, Word};
use crate::event::ProfileKey;

/// What the lookups are asked for.
#[derive(Clone, Debug)]
pub struct Probe {
    pub(super) field: String,
    folded: Folded,
    /// The value's beginning is asked for.
    prefix: bool,
}

impl Probe {
    /// Who may have had a value, or one that begins so; in upper or lower case.
    pub fn new(field: &str, value: &str, prefix: bool) -> Self {
        Self {
            field: field.to_owned(),
            folded: Folded::new(value),
            prefix,
        }
    }

    /// The lowest entry that it may be about.
    pub(super) fn first(&self, field: u8) -> Word {
        let mut folded = self.folded;
        if self.prefix {
            folded.hash = 0;
        }
        Word::new(field, folded, ProfileKey::profile(0))
    }

    /// Whether an entry is what is asked for; `None` where none after it is.
    pub(super) fn judge(&self, field: u8, word: &Word) -> Option<bool> {
        if word.field != field {
            return None;
        }
        let own = (word.head, word.len, word.hash);
        if !self.prefix {
            let same = own == (self.folded.head, self.folded.len, self.folded.hash);
            return same.then_some(true);
        }
        let begins = word.head.starts_with(self.folded.bytes());
        begins.then_some(word.len >= self.folded.len)
    }
}

/// A page of what the lookups told.
#[derive(Clone, Debug)]
pub struct Looked {
    /// (Sub)profiles that may have had the value.
    pub keys: Vec<ProfileKey>,
    /// Up to this event they tell of all.
    pub up_to: u64,
    /// They tell of the baselines too.
    pub baselines: bool,
    /// The last entry, where there may be others.
    pub(super) last: Option<Word>,
}

impl Looked {
    /// Whether no page follows.
    pub const fn is_last(&self) -> bool {
        self.last.is_none()
    }
}
