//! Reads several runs as one, and selects runs to merge.

use std::cmp::Ordering;
use std::ops::Range;

use super::block::KeyGroup;
use super::error::IndexError;

/// How many adjacent runs of a tier there may be before they are merged. Each event is
/// rewritten once per tier: fewer runs are quicker to read, and cost more writing.
const FAN_IN: usize = 4;

/// Runs of fewer items than this are of tier 0; those of each next tier hold up to
/// [`FAN_IN`] times as many. A run of [`super::store::RUN_LEN`] items is in the middle of
/// its tier, so that four of them make one of the next.
const TIER: u64 = 2048;

/// The largest part of all items that a merge may be made of, as a divisor.
const MERGE_SHARE: u64 = 7;

/// A merge of up to this many items is always made.
const MERGE_ALWAYS: u64 = 1 << 21;

/// The source of items: a run, or the pending ones. Not read again after an error.
pub(super) type Source<'a> = Box<dyn Iterator<Item = Result<KeyGroup, IndexError>> + Send + 'a>;

/// Reads sources, from the oldest to the newest, as one. The items of a key may
/// come in several groups; their numbers ascend.
pub(super) struct Merged<'a> {
    /// Each source with its next group.
    sources: Vec<(Source<'a>, Option<KeyGroup>)>,
}

impl<'a> Merged<'a> {
    /// The sources are at the same key.
    pub fn new(sources: Vec<Source<'a>>) -> Result<Self, IndexError> {
        let with_head = |mut source: Source<'a>| {
            let head = source.next().transpose()?;
            Ok((source, head))
        };
        let sources = sources.into_iter().map(with_head);
        Ok(Self {
            sources: sources.collect::<Result<_, IndexError>>()?,
        })
    }

    pub fn next(&mut self) -> Result<Option<KeyGroup>, IndexError> {
        let heads = self.sources.iter().filter_map(|(_, head)| head.as_ref());
        let Some(key) = heads.map(|(key, _)| *key).min() else {
            return Ok(None);
        };
        let mut newest = None;
        for (source, head) in &mut self.sources {
            if head.as_ref().is_some_and(|(own, _)| *own == key) {
                let group = std::mem::replace(head, source.next().transpose()?);
                if !key.keeps_newest() {
                    return Ok(group);
                }
                newest = group;
            }
        }
        Ok(newest)
    }
}

fn tier(items: u64) -> u32 {
    (items / TIER)
        .checked_ilog(FAN_IN as u64)
        .map_or(0, |tier| tier + 1)
}

/// The runs to merge next, if any, given the numbers of items of the runs from the oldest
/// to the newest: [`FAN_IN`] of a tier, with the smaller ones between them. Small tiers
/// come first. A merge needs the disk space of its items twice, so it has at most a share
/// of all items.
pub(super) fn to_merge(items: &[u64]) -> Option<Range<usize>> {
    let most = (items.iter().sum::<u64>() / MERGE_SHARE).max(MERGE_ALWAYS);
    let tiers: Vec<u32> = items.iter().map(|items| tier(*items)).collect();
    let highest = tiers.iter().copied().max()?;
    (0..=highest).find_map(|tier| {
        let range = first_of_tier(&tiers, tier)?;
        let sum: u64 = items.get(range.clone())?.iter().sum();
        (sum <= most).then_some(range)
    })
}

/// The first [`FAN_IN`] runs of a tier that have no larger one between them.
fn first_of_tier(tiers: &[u32], tier: u32) -> Option<Range<usize>> {
    let mut places = Vec::new();
    for (place, own) in tiers.iter().enumerate() {
        match own.cmp(&tier) {
            Ordering::Less => {}
            Ordering::Greater => places.clear(),
            Ordering::Equal => {
                places.push(place);
                if places.len() == FAN_IN {
                    return Some(*places.first()?..place + 1);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stay_few_and_merges_small() {
        let mut runs: Vec<u64> = Vec::new();
        let mut written = 0;
        for flush in 1..=1600_u64 {
            runs.push(65_000 + flush % 1000);
            while let Some(range) = to_merge(&runs) {
                let all: u64 = runs.iter().sum();
                let sum: u64 = runs[range.clone()].iter().sum();
                assert!(sum <= (all / MERGE_SHARE).max(MERGE_ALWAYS));
                written += sum;
                runs.splice(range, [sum]);
            }
            assert!(runs.len() <= 40, "{} runs after {flush}", runs.len());
        }
        let all: u64 = runs.iter().sum();
        assert!(written <= 3 * all, "{written} for {all}");
    }

    #[test]
    fn tiny_runs_are_merged_and_larger_ones_left() {
        assert_eq!(to_merge(&[]), None);
        assert_eq!(to_merge(&[1, 1, 1]), None);
        assert_eq!(to_merge(&[1, 1, 1, 1]), Some(0..4));
        assert_eq!(to_merge(&[70_000, 1, 1, 1, 1, 70_000]), Some(1..5));
        assert_eq!(to_merge(&[1, 1, 70_000, 1, 1]), None);
        assert_eq!(
            to_merge(&[70_000, 70_000, 1, 70_000, 1, 70_000, 70_000]),
            Some(0..6)
        );
        assert_eq!(to_merge(&[1_000_000; 6]), None);
        assert_eq!(to_merge(&[1_000_000; 28]), Some(0..4));
    }
}
