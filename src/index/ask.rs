//! What the index in sled is asked.

use std::cmp::Reverse;
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

/// A question about the events of (sub)profiles up to a time.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<V> {
    /// All pairs from this time on are wanted, and those of the last second
    /// before it that has any.
    pub since: i64,
    /// Only pairs before this time are wanted.
    pub until: i64,
    /// Whether a pair counts.
    pub visible: V,
}

/// The pairs of a (sub)profile that a [`Stretch`] asks for, and maybe earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// They that are told.
    pub pairs: Pairs,
    /// Whether there may be earlier ones that are not told.
    pub cut: bool,
    /// The last time before the stretch.
    before: Option<i64>,
}

impl Recent {
    /// Takes a pair, if it is wanted.
    pub(super) fn take<V: Fn(i64, u64) -> bool>(
        &mut self,
        stretch: &Stretch<V>,
        (time, seq): (i64, u64),
    ) {
        if time < stretch.until && (stretch.visible)(time, seq) {
            if time < stretch.since {
                self.before = self.before.max(Some(time));
            }
            self.pairs.push((time, seq));
        }
    }
}

/// The pairs of the first ones of some (sub)profiles, while they are looked for.
struct Found {
    of: Vec<Recent>,
    pairs: usize,
}

impl Found {
    fn new(keys: usize) -> Self {
        Self {
            of: vec![Recent::default(); keys],
            pairs: 0,
        }
    }

    /// Adds what `find` finds of each. Where they have too many, the last are
    /// left for another question, but never the first.
    fn add(
        &mut self,
        keys: &[ProfileKey],
        mut find: impl FnMut(ProfileKey, &mut Recent) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for (place, key) in keys.iter().enumerate() {
            let Some(recent) = self.of.get_mut(place) else {
                break;
            };
            let before = recent.pairs.len();
            find(*key, recent)?;
            self.pairs += recent.pairs.len() - before;
            while self.pairs > MOST_PAIRS && self.of.len() > 1 {
                let left = self.of.drain(self.of.len() / 2..);
                self.pairs -= left.map(|recent| recent.pairs.len()).sum::<usize>();
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
    /// in no order: of the first of them at least, of fewer than all where they
    /// have many. One ordered pass over each run.
    pub fn pairs(&self, keys: &[ProfileKey]) -> Result<Vec<Pairs>, IndexError> {
        let all = Stretch {
            since: i64::MIN,
            until: i64::MAX,
            visible: |_, _| true,
        };
        let found = self.recent(keys, &all)?.into_iter();
        Ok(found.map(|recent| recent.pairs).collect())
    }

    /// The same of a stretch. The runs are passed over from the one that ends
    /// last by the times of its events on: once an event before the stretch is
    /// found of a (sub)profile, the runs that end before it are not looked into.
    ///
    /// Of ten million events in a year, `changes --field` of an hour took 286 ms
    /// of the server's processor time when all of some eleven runs were looked
    /// into, and takes 109 ms: 3,800 leaves of sled are read where 13,800 were.
    pub fn recent(
        &self,
        keys: &[ProfileKey],
        stretch: &Stretch<impl Fn(i64, u64) -> bool>,
    ) -> Result<Vec<Recent>, IndexError> {
        contain(|| {
            let view = self.view();
            let mut found = Found::new(keys.len());
            found.add(keys, |key, recent| {
                let slot = Slot::Events(key);
                let piece = view.pending.read_from(slot).next();
                if let Some((_, items)) = piece.filter(|(own, _)| *own == slot) {
                    let items = items.into_iter();
                    items.for_each(|(seq, time)| recent.take(stretch, (time, seq)));
                }
                Ok(())
            })?;
            let runs = view.runs.iter();
            let mut runs: Vec<_> = runs
                .filter(|run| run.shape.times.0 < stretch.until)
                .collect();
            runs.sort_by_key(|run| Reverse(run.shape.times.1));
            for run in runs {
                let mut finder = Finder::new(run);
                found.add(keys, |key, recent| {
                    recent.cut |= recent.before > Some(run.shape.times.1);
                    if recent.cut {
                        return Ok(());
                    }
                    let slot = Slot::Events(key);
                    finder.find(slot, |(seq, time)| recent.take(stretch, (time, seq)))
                })?;
            }
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
