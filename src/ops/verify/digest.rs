//! Compares two sets of (sub)profile, time and `seq` in bounded memory.
//!
//! Every entry is hashed to 64 bits, and the hashes are added up, so the order
//! does not matter. There is a sum for each of some ten thousand groups of
//! (sub)profiles, so a difference can be searched for in a small part.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::dice::Dice;
use crate::event::ProfileKey;

/// The number of groups.
const GROUPS: u64 = 1 << 14;

/// The digest of a set of entries; several threads may add to it.
pub(super) struct Digest {
    count: AtomicU64,
    sums: Vec<AtomicU64>,
}

impl Digest {
    pub fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            sums: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Adds an entry.
    pub fn add(&self, key: ProfileKey, time: i64, seq: u64) {
        let whose = hash_of(key);
        let entry = mix(mix(whose ^ time.cast_unsigned()) ^ seq);
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(sum) = self.sums.get((whose % GROUPS) as usize) {
            sum.fetch_add(entry, Ordering::Relaxed);
        }
    }

    /// The number of entries.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The first group in which two digests differ.
    pub fn difference(&self, other: &Self) -> Option<u64> {
        let mut sums = self.sums.iter().zip(&other.sums);
        let differ = |(own, other): (&AtomicU64, &AtomicU64)| {
            own.load(Ordering::Relaxed) != other.load(Ordering::Relaxed)
        };
        sums.position(differ).map(|group| group as u64)
    }
}

/// The group of a (sub)profile.
pub(super) fn group_of(key: ProfileKey) -> u64 {
    hash_of(key) % GROUPS
}

fn hash_of(key: ProfileKey) -> u64 {
    let subprofile = key.subprofile.map_or(0, |number| mix(number) | 1);
    mix(mix(key.profile) ^ subprofile)
}

const fn mix(value: u64) -> u64 {
    Dice(value).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_nothing_else_goes_unseen() {
        let entries: Vec<_> = (0..1000_u64)
            .map(|seq| {
                let key = match seq % 3 {
                    0 => ProfileKey::subprofile(seq % 7, seq % 5),
                    _ => ProfileKey::profile(seq % 7),
                };
                (key, seq as i64 * 3 % 100, seq)
            })
            .collect();
        let digest = |entries: &[(ProfileKey, i64, u64)]| {
            let digest = Digest::new();
            for (key, time, seq) in entries {
                digest.add(*key, *time, *seq);
            }
            digest
        };
        let whole = digest(&entries);
        let mut turned = entries.clone();
        turned.reverse();
        assert_eq!(whole.difference(&digest(&turned)), None);
        for (place, (key, time, seq)) in entries.iter().enumerate().step_by(31) {
            let other = ProfileKey::subprofile(key.profile, 99);
            for changed in [
                (other, *time, *seq),
                (*key, time + 1, *seq),
                (*key, *time, seq + 1),
            ] {
                let mut bad = entries.clone();
                bad[place] = changed;
                assert!(whole.difference(&digest(&bad)).is_some());
            }
            let mut less = entries.clone();
            less.remove(place);
            assert_eq!(whole.difference(&digest(&less)), Some(group_of(*key)));
        }
    }
}
