//! The index against the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::digest::{Digest, group_of};
use super::logs::each_event;
use super::ranges::Ranges;
use crate::event::ProfileKey;
use crate::ops::{CareError, Told};
use crate::store::Snapshot;

/// What can be done about an index that is not the log's.
const WAY_OUT: &str = "stop the server if one runs, delete the folder `index`, and start again: \
                       it is made anew from the log";

/// Tells where the index differs from the events up to `last`, whose digest
/// this is; of those that are `absent` it may say anything.
pub(super) fn compare(
    snapshot: &Snapshot<'_>,
    log: &Digest,
    absent: &Ranges,
    last: u64,
    told: &mut Told<'_>,
) -> Result<Vec<String>, CareError> {
    snapshot.wait_for_index(|progress| (told.progress)(progress.applied, progress.last))?;
    let counts = |seq: u64| seq <= last && !absent.holds(seq, seq);
    let index = Digest::new();
    snapshot.each_timeline(None, |key, times| -> Result<(), CareError> {
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
            "the index is not what the log says: it has {} events where the log has {}, and they \
             differ{whose}; {WAY_OUT}",
            index.count(),
            log.count()
        ));
    }
    for (first, end) in snapshot.unreadable()? {
        let end = end.min(last);
        if first <= end && !absent.holds(first, end) {
            differences.push(format!(
                "the index takes events {first} to {end} for damaged, some of which can be read; {WAY_OUT}"
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
) -> Result<Option<ProfileKey>, CareError> {
    let found: Mutex<BTreeMap<ProfileKey, Vec<(i64, u64)>>> = Mutex::default();
    each_event(snapshot, |key, time, seq| {
        if group_of(key) == group {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.entry(key).or_default().push((time, seq));
        }
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut first = None;
    snapshot.each_timeline(None, |key, mut times| -> Result<(), CareError> {
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
