//! A question to the look-ups, and a page of its answer.

use super::lookup_key::{Folded, LookupKey};
use crate::event::ProfileKey;

/// Who may have had a value?
#[derive(Clone, Debug)]
pub struct LookupQuery {
    pub(super) field: String,
    folded: Folded,
    /// Any value that begins so is meant.
    prefix: bool,
}

impl LookupQuery {
    /// Who may have had a value of a field, or one that begins so; upper and
    /// lower case are the same.
    pub fn new(field: &str, value: &str, prefix: bool) -> Self {
        Self {
            field: field.to_owned(),
            folded: Folded::new(value),
            prefix,
        }
    }

    /// The lowest key that may match.
    pub(super) fn first(&self, field: u8) -> LookupKey {
        let mut folded = self.folded;
        if self.prefix {
            folded.hash = 0;
        }
        LookupKey::new(field, folded, ProfileKey::profile(0))
    }

    /// Whether a key matches; `None` if no key after it does.
    pub(super) fn matches(&self, field: u8, key: &LookupKey) -> Option<bool> {
        if key.field != field {
            return None;
        }
        if !self.prefix {
            let own = (key.head, key.len, key.hash);
            let same = own == (self.folded.head, self.folded.len, self.folded.hash);
            return same.then_some(true);
        }
        let begins = key.head.starts_with(self.folded.bytes());
        begins.then_some(key.len >= self.folded.len)
    }
}

/// A page of (sub)profiles that may have had a value.
#[derive(Clone, Debug)]
pub struct LookupPage {
    /// The (sub)profiles.
    pub keys: Vec<ProfileKey>,
    /// The answer covers events up to this `seq`.
    pub up_to: u64,
    /// The answer covers the baselines.
    pub baselines: bool,
    /// The last key, if others may follow.
    pub(super) last: Option<LookupKey>,
}

impl LookupPage {
    /// Whether no page follows.
    pub const fn is_last(&self) -> bool {
        self.last.is_none()
    }
}
