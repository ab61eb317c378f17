//! Finds the unexplained changes that one period of lost calls explains.
//!
//! An unexplained change happened in its window: after the (sub)profile's previous
//! event, and not after the event that reveals it. The windows that a lost hour leaves
//! extend beyond it by different amounts, but all of them contain a moment of it. So
//! the search is for the moment that most windows contain: a sweep over their starts
//! and ends, which among nearly equal moments prefers the longest stretch without a
//! start or an end, since a lost hour has none. The windows that contain it form a
//! finding, and the search continues with the rest. A (sub)profile's windows do not
//! overlap, so a finding has as many (sub)profiles as windows.
//!
//! Windows of single calls lost here and there overlap too, if there are many.
//! Assuming they are spread evenly over the time, their lengths give the average
//! number that contain a moment. A finding must have twice as many and exceed the
//! average's random variation, or have four fifths of all windows. Then each
//! field's windows are examined separately, where a lost label stands out from
//! losses of other fields. The rest is scattered.
//!
//! The span of a finding is from the latest start of a window to the earliest end: any
//! moment of it explains all changes. Two findings whose spans are close together are
//! merged; the merged span is from the earliest end to the latest start, the minimum time
//! during which calls were lost.
//!
//! If calls rarely set a field, and no two moments explain its windows, Copernica changes
//! the field by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::event::ProfileKey;

/// A window, the fields that changed in it, and the event that reveals them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The change came after this second, …
    pub since: i64,
    /// … and not after this one.
    pub until: i64,
    /// The fields and interests, by their number.
    pub subjects: Vec<u32>,
    pub key: ProfileKey,
    /// The event's `seq`.
    pub seq: u64,
    /// The number of its label.
    pub label: u32,
}

/// The search parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The minimum number of (sub)profiles of a finding.
    pub least: usize,
    /// Findings whose spans are at most this many seconds apart are merged.
    pub within: i64,
    /// The times of the first and the last event examined.
    pub time_range: (i64, i64),
}

/// Windows explained by a lost span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding<'w> {
    /// All of them.
    pub windows: Vec<&'w Window>,
    /// The narrowest span that explains them.
    pub since: i64,
    pub until: i64,
    /// Whether a single moment of it explains them.
    pub within_one: bool,
    /// About how many windows would contain a moment by chance.
    pub by_chance: u64,
}

/// The maximum number of findings, among all windows and among a field's.
const FINDINGS: usize = 40;

/// Finds the windows that lost spans explain; the rest is left over.
pub(super) fn find(windows: &[Window], bounds: Bounds) -> (Vec<Finding<'_>>, Vec<&Window>) {
    let mut left: Vec<&Window> = windows.iter().collect();
    let mut found = Vec::new();
    peaks(&mut left, bounds, &mut found);
    let mut of: BTreeMap<u32, Vec<&Window>> = BTreeMap::new();
    for window in &left {
        for subject in &window.subjects {
            of.entry(*subject).or_default().push(window);
        }
    }
    let mut taken: HashSet<*const Window> = HashSet::new();
    for mut own in of.into_values().filter(|own| own.len() >= bounds.least) {
        own.retain(|window| !taken.contains(&std::ptr::from_ref(*window)));
        let before = found.len();
        peaks(&mut own, bounds, &mut found);
        let new = found.iter().skip(before);
        taken.extend(
            new.flat_map(|finding| finding.windows.iter().copied().map(std::ptr::from_ref)),
        );
    }
    left.retain(|window| !taken.contains(&std::ptr::from_ref(*window)));
    let mut found = merged(found, bounds.within);
    found.sort_by_key(|finding| (std::cmp::Reverse(finding.windows.len()), finding.since));
    (found, left)
}

/// Moves to `found` the windows that contain a moment which many windows contain.
fn peaks<'w>(left: &mut Vec<&'w Window>, bounds: Bounds, found: &mut Vec<Finding<'w>>) {
    let length = (bounds.time_range.1.saturating_sub(bounds.time_range.0)).max(1);
    let all = left.len();
    for _ in 0..FINDINGS {
        if left.len() < bounds.least {
            return;
        }
        let lengths = left.iter();
        let sum: i128 = lengths
            .map(|window| i128::from(window.until) - i128::from(window.since))
            .sum();
        let hundredths = u64::try_from(sum * 100 / i128::from(length)).unwrap_or(u64::MAX);
        let Some((moment, count)) = most_held(left.iter().copied()) else {
            return;
        };
        if count < bounds.least || !stands_out(count, hundredths, all) {
            return;
        }
        let holds = |window: &&Window| window.since < moment && moment <= window.until;
        let (own, others): (Vec<&Window>, Vec<&Window>) = left.drain(..).partition(holds);
        *left = others;
        // At most half of the windows contain the moment by chance.
        let by_chance = (hundredths / 100).min(own.len() as u64 / 2);
        found.push(finding(own, by_chance));
    }
}

/// Whether this many windows containing a moment are significant, given how many
/// hundredths of a window would contain it by chance.
fn stands_out(count: usize, hundredths: u64, all: usize) -> bool {
    // The fullest of many moments exceeds the average somewhat: an excess of five
    // times its root plus two does not occur by chance.
    let wavering = hundredths.isqrt().saturating_mul(50).saturating_add(200);
    let many = hundredths.max(wavering).saturating_add(hundredths);
    (count as u64).saturating_mul(100) >= many || count.saturating_mul(5) >= all.saturating_mul(4)
}

/// A second that the most windows contain, or at least nineteen twentieths of that
/// number, and the number of these windows. It is in the longest period in which no
/// window starts or ends, since no call arrived in it.
fn most_held<'w>(windows: impl Iterator<Item = &'w Window>) -> Option<(i64, usize)> {
    let mut bounds: Vec<(i64, i32)> = windows
        .flat_map(|window| [(window.since, 1), (window.until, -1)])
        .collect();
    bounds.sort_unstable();
    let stretches = || {
        let mut held = 0_i64;
        bounds.windows(2).filter_map(move |pair| match pair {
            [(since, step), (until, _)] => {
                held += i64::from(*step);
                // A window contains the seconds after its start, up to and
                // including its end.
                (since < until).then_some((held, until.saturating_sub(*since), *since))
            }
            _ => None,
        })
    };
    let most = stretches().map(|(held, ..)| held).max()?;
    let enough = most - most / 20;
    let (held, _, since) = stretches()
        .filter(|(held, ..)| *held >= enough)
        .max_by_key(|(held, len, since)| (*len, *held, std::cmp::Reverse(*since)))?;
    Some((since.saturating_add(1), usize::try_from(held).ok()?))
}

fn finding(windows: Vec<&Window>, by_chance: u64) -> Finding<'_> {
    let latest = windows.iter().map(|window| window.since).max();
    let earliest = windows.iter().map(|window| window.until).min();
    let (latest, earliest) = (latest.unwrap_or_default(), earliest.unwrap_or_default());
    Finding {
        since: latest.min(earliest),
        until: latest.max(earliest),
        within_one: latest < earliest,
        windows,
        by_chance,
    }
}

/// Merges findings whose spans are close together.
fn merged(mut found: Vec<Finding<'_>>, within: i64) -> Vec<Finding<'_>> {
    found.sort_by_key(|finding| (finding.since, finding.until));
    let mut merged: Vec<Finding<'_>> = Vec::new();
    for next in found {
        match merged.last_mut() {
            Some(last) if next.since.saturating_sub(last.until) <= within => {
                let by_chance = last.by_chance + next.by_chance;
                let mut own = std::mem::take(&mut last.windows);
                own.extend(next.windows);
                *last = finding(own, by_chance);
            }
            _ => merged.push(next),
        }
    }
    merged
}

/// The fields that Copernica changes by itself. `claims` says how many events claim to set
/// a field, and how many show a change of it that none claims.
pub(super) fn silent_fields(
    windows: &[Window],
    claims: impl Fn(u32) -> (u64, u64),
    least: usize,
) -> Vec<u32> {
    let mut order: Vec<&Window> = windows.iter().collect();
    order.sort_by_key(|window| window.until);
    // The last of the moments needed to hit every window, and their number.
    let mut stabs: HashMap<u32, (i64, u32)> = HashMap::new();
    for window in order {
        for subject in &window.subjects {
            let (moment, count) = stabs.entry(*subject).or_insert((i64::MIN, 0));
            if *count == 0 || *moment <= window.since {
                *moment = window.until;
                *count += 1;
            }
        }
    }
    let is_silent = |subject: &u32, moments: u32| {
        let (set, unexplained) = claims(*subject);
        moments >= 3 && unexplained >= least as u64 && set.saturating_mul(9) <= unexplained
    };
    let mut silent: Vec<u32> = stabs
        .iter()
        .filter(|(subject, (_, moments))| is_silent(subject, *moments))
        .map(|(subject, _)| *subject)
        .collect();
    silent.sort_unstable();
    silent
}

#[cfg(test)]
mod tests;
