//! Which calls there are of a span's time.

use std::collections::HashMap;

use crate::log::record::EventHead;
use crate::query::answer::{Lines, QueryError};
use crate::store::{Snapshot, Step};

/// In a longer span than this many seconds nothing is looked for.
const LONGEST: i64 = 31 * 86_400;

/// The most times that are held.
const TIMES: usize = 1_000_000;

/// The calls of a span's time.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The longest stretch without one: the times before and after it.
    pub quiet: Option<(i64, i64)>,
    /// How many there are, by label.
    pub by_label: HashMap<Option<String>, u64>,
}

/// Looks at the calls whose time is after `since` and not after `until`; `None`
/// where they would be too many.
pub(super) fn calls(
    snapshot: &Snapshot<'_>,
    since: i64,
    until: i64,
    lines: &mut Lines<'_>,
) -> Result<Option<Calls>, QueryError> {
    if until.saturating_sub(since) > LONGEST {
        return Ok(None);
    }
    let mut calls = Calls::default();
    let mut times = Vec::new();
    let mut walk = snapshot.walk(since, until.saturating_add(1))?;
    loop {
        let step = walk.step(|_, record| {
            let Ok((head, _)) = EventHead::decode(record) else {
                return;
            };
            if since < head.time && head.time <= until {
                times.push(head.time);
                let label = head.label.map(str::to_owned);
                *calls.by_label.entry(label).or_default() += 1;
            }
        })?;
        match step {
            Step::Records => {}
            Step::Damage(damage) => lines.damage.add(damage.to_string()),
            Step::End => break,
        }
        if times.len() > TIMES {
            return Ok(None);
        }
    }
    calls.quiet = longest(times, since, until);
    Ok(Some(calls))
}

/// The longest stretch of a span without one of these times.
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
