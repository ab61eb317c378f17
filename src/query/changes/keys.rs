//! The (sub)profiles to examine for a query over all of them.
//!
//! Those with a matching event in the span are found from the heads of the log's events;
//! if the log has few events, all (sub)profiles are examined. The result may be a
//! superset of the matching ones, never a subset. Beyond a maximum number there is no
//! result, since a pass over the whole log is then cheaper.

use super::Filter;
use crate::event::ProfileKey;
use crate::log::record::EventHead;
use crate::query::answer::QueryError;
use crate::store::{Snapshot, Step, Walk};

/// With fewer events than this in reach, a pass over the whole log is not
/// considered.
const FEW: u64 = 20_000;

/// The cost of reading one event by itself (a block of 64 KiB), in events read
/// sequentially.
const IN_A_ROW: u64 = 12;

/// The maximum number of (sub)profiles for the keyed scan: their keys are held in
/// memory.
const MOST_KEYS: usize = 200_000;

/// The (sub)profiles with an event whose head matches, and possibly others; `None`
/// if a pass over the whole log costs less.
pub(super) fn keys(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
) -> Result<Option<Vec<ProfileKey>>, QueryError> {
    let all = snapshot.last_seq();
    if filter.profile.is_some() || all <= FEW {
        let keys = snapshot.keys(filter.profile);
        return Ok(Some(keys.collect::<Result<_, _>>()?));
    }
    let (since, until) = filter.span.bounds();
    let few = FEW.max(all / IN_A_ROW);
    keys_by_heads(snapshot, snapshot.walk(since, until)?, filter, few)
}

/// The same from the heads of events; reads no further once there are too many.
pub(super) fn keys_by_heads(
    snapshot: &Snapshot<'_>,
    mut walk: Walk<'_>,
    filter: &Filter,
    few: u64,
) -> Result<Option<Vec<ProfileKey>>, QueryError> {
    let mut keys = Vec::new();
    // The profiles with a delete in the span, which may end subprofiles.
    let mut deleted: Vec<u64> = Vec::new();
    let mut events = 0;
    loop {
        let step = walk.step(|_, record| {
            let Ok(head) = EventHead::decode(record) else {
                return;
            };
            if !filter.span.contains(head.time) {
                return;
            }
            if filter.matches_head(&head) {
                events += 1;
                keys.push(head.key());
            }
            if filter.cascades_from(&head) && deleted.last() != Some(&head.profile) {
                deleted.push(head.profile);
            }
        })?;
        if let Step::End = step {
            break;
        }
        if keys.len() >= 2 * MOST_KEYS {
            keys.sort_unstable();
            keys.dedup();
        }
        if events + deleted.len() as u64 > few || keys.len() >= 2 * MOST_KEYS {
            return Ok(None);
        }
    }
    let room = few.saturating_sub(events).min(MOST_KEYS as u64);
    deleted.sort_unstable();
    deleted.dedup();
    let ended = deleted.iter().flat_map(|own| snapshot.subprofiles(*own));
    for (count, key) in (0..).zip(ended) {
        if count >= room {
            return Ok(None);
        }
        keys.push(key?);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(Some(keys))
}
