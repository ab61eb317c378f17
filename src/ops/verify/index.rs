//! The index against the log.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::digest::{Digest, group_of};
use super::logs::each_event;
use super::ranges::Ranges;
use crate::event::ProfileKey;
use crate::ops::Output;
use crate::store::Snapshot;

/// The remedy for an index that differs from the log.
const REMEDY: &str = "stop the server if one runs, delete the folder `index`, and start again: \
                       it is rebuilt from the log";

/// Describes where the index differs from the events up to `last`, whose digest is
/// `log`. Entries of `absent` events are not compared.
pub(super) fn compare(
    snapshot: &Snapshot<'_>,
    log: &Digest,
    absent: &Ranges,
    last: u64,
    output: &mut Output<'_>,
) -> anyhow::Result<Vec<String>> {
    snapshot.wait_for_index(|progress| (output.progress)(progress.applied, progress.last))?;
    let counts = |seq: u64| seq <= last && !absent.holds(seq, seq);
    let index = Digest::new();
    snapshot.each_timeline(|key, times| -> anyhow::Result<()> {
        for (time, seq) in times {
            if counts(seq) {
                index.add(key, time, seq);
            }
        }
        Ok(())
    })?;
    let mut differences = Vec::new();
    if let Some(group) = log.difference(&index) {
        let whose = find(snapshot, group, &counts)?;
        let whose = whose.map_or_else(String::new, |key| format!(", first of {key}"));
        differences.push(format!(
            "the index differs from the log: it has {} events, the log has {}, and they \
             differ{whose}; {REMEDY}",
            index.count(),
            log.count()
        ));
    }
    for (first, end) in snapshot.unreadable()? {
        let end = end.min(last);
        if first <= end && !absent.holds(first, end) {
            differences.push(format!(
                "the index lists events {first} to {end} as damaged, but some of them can be read; {REMEDY}"
            ));
        }
    }
    Ok(differences)
}

/// The first (sub)profile of a group whose events differ.
fn find(
    snapshot: &Snapshot<'_>,
    group: u64,
    counts: &dyn Fn(u64) -> bool,
) -> anyhow::Result<Option<ProfileKey>> {
    let found: Mutex<BTreeMap<ProfileKey, Vec<(i64, u64)>>> = Mutex::default();
    each_event(snapshot, |key, time, seq| {
        if group_of(key) == group {
            let mut found = found.lock();
            found.entry(key).or_default().push((time, seq));
        }
    })?;
    let mut found = found.into_inner();
    let mut first = None;
    snapshot.each_timeline(|key, mut times| -> anyhow::Result<()> {
        if group_of(key) == group && first.is_none() {
            times.retain(|(_, seq)| counts(*seq));
            let mut own = found.remove(&key).unwrap_or_default();
            own.retain(|(_, seq)| counts(*seq));
            own.sort_unstable();
            if own != times {
                first = Some(key);
            }
        }
        Ok(())
    })?;
    Ok(first.or_else(|| found.into_keys().next()))
}
