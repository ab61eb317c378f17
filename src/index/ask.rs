//! What the index in sled is asked.

use std::collections::BTreeMap;

use super::error::{IndexError, contain};
use super::find::Finder;
use super::merge::{Merged, Source};
use super::slot::{Item, Slot};
use super::slotted::Slotted;
use super::store::{SledIndex, View};
use crate::event::ProfileKey;

/// The most pairs that are handed out at once, beyond the last (sub)profile's.
pub(super) const MOST_PAIRS: usize = 65_536;

/// (Event time, `seq`) pairs of a (sub)profile.
pub type Pairs = Vec<(i64, u64)>;

/// A (sub)profile and its pairs.
pub type Timed = (ProfileKey, Pairs);

/// The pairs of the first ones of some (sub)profiles, while they are looked for.
struct Found {
    of: Vec<Pairs>,
    pairs: usize,
}

impl Found {
    fn new(keys: usize) -> Self {
        Self {
            of: vec![Pairs::new(); keys],
            pairs: 0,
        }
    }

    /// Adds what `find` finds of each. Where they have too many, the last are
    /// left for another question, but never the first.
    fn add(
        &mut self,
        keys: &[ProfileKey],
        mut find: impl FnMut(ProfileKey, &mut Pairs) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for (place, key) in keys.iter().enumerate() {
            let Some(pairs) = self.of.get_mut(place) else {
                break;
            };
            let before = pairs.len();
            find(*key, pairs)?;
            self.pairs += pairs.len() - before;
            while self.pairs > MOST_PAIRS && self.of.len() > 1 {
                let left = self.of.drain(self.of.len() / 2..);
                self.pairs -= left.map(|pairs| pairs.len()).sum::<usize>();
            }
        }
        Ok(())
    }
}

impl<S: Slotted> View<S> {
    /// Everything from a slot on, as one.
    pub fn read_from(&self, slot: S) -> Merged<'_, S> {
        let runs = self.runs.iter();
        let mut sources: Vec<Source<'_, S>> = runs
            .map(|run| Source::Run(Box::new(run.read_from(slot))))
            .collect();
        sources.push(Source::Pending(self.pending.read_from(slot)));
        Merged::new(sources)
    }
}

/// The slot after a (sub)profile's; `None` where there is none.
fn slot_after(key: ProfileKey) -> Slot {
    let next = match key.subprofile {
        None => Some(ProfileKey::subprofile(key.profile, 0)),
        Some(u64::MAX) => key.profile.checked_add(1).map(ProfileKey::profile),
        Some(subprofile) => Some(ProfileKey::subprofile(key.profile, subprofile + 1)),
    };
    next.map_or(Slot::FIRST_OWNER, Slot::Events)
}

impl SledIndex {
    /// The (time, `seq`) pairs of some (sub)profiles, which come in order, each
    /// in the order of arrival: of the first of them at least, of fewer than
    /// all where they have many. One ordered pass over each run.
    pub fn pairs(&self, keys: &[ProfileKey]) -> Result<Vec<Pairs>, IndexError> {
        contain(|| {
            let view = self.view();
            let mut found = Found::new(keys.len());
            for run in &view.runs {
                let mut finder = Finder::new(run);
                found.add(keys, |key, pairs| {
                    finder.find(Slot::Events(key), |(seq, time)| pairs.push((time, seq)))
                })?;
            }
            found.add(keys, |key, pairs| {
                let slot = Slot::Events(key);
                let piece = view.pending.read_from(slot).next();
                if let Some((_, items)) = piece.filter(|(own, _)| *own == slot) {
                    pairs.extend(items.iter().map(|(seq, time)| (*time, *seq)));
                }
                Ok(())
            })?;
            Ok(found.of)
        })
    }

    /// The profile that a subprofile belongs to, by the last event of it.
    pub fn profile_of(&self, subprofile: u64) -> Result<Option<u64>, IndexError> {
        contain(|| {
            let slot = Slot::Owner(subprofile);
            let piece = self.view().read_from(slot).next()?;
            let items = piece.filter(|(own, _)| *own == slot);
            let item = items.and_then(|(_, items)| items.last().copied());
            Ok(item.map(|(_, profile)| profile.cast_unsigned()))
        })
    }

    /// (Sub)profiles in order, from the one after `after`, each with its pairs
    /// in the order of arrival: at most `limit`, fewer where they have many;
    /// none only at the end. Reads each block in which they stand once.
    pub fn walk(&self, after: Option<ProfileKey>, limit: usize) -> Result<Vec<Timed>, IndexError> {
        let mut found: Vec<Timed> = Vec::new();
        let mut pairs = 0;
        self.each_piece(after, |key, items| {
            let times = items.iter().map(|(seq, time)| (*time, *seq));
            let full = found.len() >= limit || pairs >= MOST_PAIRS;
            match found.last_mut() {
                Some((last, known)) if *last == key => known.extend(times),
                _ if full => return false,
                _ => found.push((key, times.collect())),
            }
            pairs += items.len();
            true
        })?;
        Ok(found)
    }

    /// Up to `limit` (sub)profiles in order, from the one after `after`.
    pub fn keys_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, IndexError> {
        let mut found = Vec::new();
        self.each_piece(after, |key, _| {
            if found.last() != Some(&key) {
                if found.len() >= limit {
                    return false;
                }
                found.push(key);
            }
            true
        })?;
        Ok(found)
    }

    /// Hands over the items of the (sub)profiles after `after`, as long as
    /// `each` says so.
    fn each_piece(
        &self,
        after: Option<ProfileKey>,
        mut each: impl FnMut(ProfileKey, &[Item]) -> bool,
    ) -> Result<(), IndexError> {
        contain(|| {
            let view = self.view();
            let mut merged = view.read_from(after.map_or(Slot::FIRST, slot_after));
            while let Some((slot, items)) = merged.next()? {
                let Some(key) = slot.key() else { break };
                if !each(key, &items) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// First and last `seq` of events that could not be read.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, IndexError> {
        let number = |bytes: Option<&[u8]>| {
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_be_bytes).ok_or(IndexError::Entry)
        };
        contain(|| {
            let view = self.view();
            let kept = self.db.scan_prefix(b"d").map(|entry| {
                let (name, last) = entry?;
                Ok((number(name.get(1..))?, number(Some(&last))?))
            });
            let mut found: BTreeMap<u64, u64> = kept.collect::<Result<_, IndexError>>()?;
            found.extend(view.pending.unreadable.iter().copied());
            Ok(found.into_iter().collect())
        })
    }
}
