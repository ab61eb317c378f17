//! The calls within a span.

use std::collections::HashMap;

use crate::log::record::EventHead;
use crate::query::answer::{Lines, QueryError};
use crate::store::{Snapshot, Step};

/// A span longer than this many seconds is not examined.
const MAX_SECONDS: i64 = 31 * 86_400;

/// The maximum number of times held.
const MAX_TIMES: usize = 1_000_000;

/// The calls within a span.
#[derive(Debug)]
pub(super) struct Calls {
    /// The longest period without a call: the times before and after it.
    pub gap: Option<(i64, i64)>,
    /// The number of calls by label, for the given labels.
    pub by_label: HashMap<Option<String>, u64>,
}

/// Reads the calls whose time is after `since` and not after `until`, and counts
/// those with the given labels; `None` if there are too many.
pub(super) fn calls(
    snapshot: &Snapshot<'_>,
    (since, until): (i64, i64),
    labels: Vec<Option<String>>,
    lines: &mut Lines<'_>,
) -> Result<Option<Calls>, QueryError> {
    if until.saturating_sub(since) > MAX_SECONDS {
        return Ok(None);
    }
    let mut calls = Calls {
        gap: None,
        by_label: labels.into_iter().map(|label| (label, 0)).collect(),
    };
    let mut times = Vec::new();
    let mut walk = snapshot.walk(since, until.saturating_add(1))?;
    loop {
        let step = walk.step(|_, record| {
            let Ok(head) = EventHead::decode(record) else {
                return;
            };
            if since < head.time && head.time <= until {
                times.push(head.time);
                let label = head.label.map(str::to_owned);
                if let Some(count) = calls.by_label.get_mut(&label) {
                    *count += 1;
                }
            }
        })?;
        match step {
            Step::Records => {}
            Step::Damage(damage) => lines.damage.add(damage.to_string()),
            Step::End => break,
        }
        if times.len() > MAX_TIMES {
            return Ok(None);
        }
    }
    calls.gap = longest(times, since, until);
    Ok(Some(calls))
}

/// The longest period of a span without any of these times.
fn longest(mut times: Vec<i64>, since: i64, until: i64) -> Option<(i64, i64)> {
    times.extend([since, until]);
    times.sort_unstable();
    let stretches = times.windows(2).filter_map(|pair| match pair {
        [before, after] if before < after => Some((*before, *after)),
        _ => None,
    });
    stretches.rev().max_by_key(|(before, after)| after - before)
}

#[cfg(test)]
mod tests {
    use super::longest;

    #[test]
    fn the_longest_stretch_is_found_and_the_first_of_two() {
        assert_eq!(longest(vec![5, 30, 12], 0, 40), Some((12, 30)));
        assert_eq!(longest(vec![10], 0, 20), Some((0, 10)));
        assert_eq!(longest(vec![], 3, 9), Some((3, 9)));
        assert_eq!(longest(vec![4, 4], 4, 4), None);
    }
}
