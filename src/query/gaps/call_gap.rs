//! The calls within the span of a finding.

use super::lines::{GapLine, Quiet};
use crate::event::seconds_to_rfc3339;
use crate::log::record::EventHead;
use crate::query::answer::{Lines, QueryError};
use crate::store::{Snapshot, Step};

/// A span longer than this many seconds is not examined.
const MAX_SECONDS: i64 = 31 * 86_400;

/// The maximum number of times held.
const MAX_TIMES: usize = 1_000_000;

/// Adds to a line the longest part without calls of a span, from after its first second to its
/// last one, and its number of calls of each label that usually sets the fields. Does not
/// change the line if there are too many calls.
pub(super) fn look_at_calls(
    snapshot: &Snapshot<'_>,
    (since, until): (i64, i64),
    line: &mut GapLine<'_>,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    if until.saturating_sub(since) > MAX_SECONDS {
        return Ok(());
    }
    let mut calls = vec![0; line.set_by.len()];
    let mut times = Vec::new();
    let mut walk = snapshot.walk(since, until.saturating_add(1))?;
    loop {
        let step = walk.step(|_, record| {
            let Ok(head) = EventHead::decode(record) else {
                return;
            };
            if since < head.time && head.time <= until {
                times.push(head.time);
                let mut counts = line.set_by.iter().zip(&mut calls);
                let own = counts.find(|(setter, _)| setter.label.as_deref() == head.label);
                if let Some((_, count)) = own {
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
            return Ok(());
        }
    }
    for (setter, calls) in line.set_by.iter_mut().zip(calls) {
        setter.calls = Some(calls);
    }
    line.quiet = longest(times, since, until).map(|(since, until)| Quiet {
        since: seconds_to_rfc3339(since),
        until: seconds_to_rfc3339(until),
    });
    Ok(())
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
