//! Which (sub)profiles to examine, and their changes, from their events in a span.
//!
//! Those with a matching event in the span are found from the heads of the log's
//! events; if the log has few events, all (sub)profiles are examined. They may be a
//! superset of the matching ones, never a subset. If there are too many, [`keys`] returns
//! none, since a pass over the whole log costs less then. With cascade, they include
//! those that have no event in the span but whose profile was deleted in it.
//!
//! (Sub)profiles are assigned to threads in groups.

use super::{ChangeVisitor, Filter, Filtered, Join, Lines, QueryError};
use crate::event::ProfileKey;
use crate::log::record::EventHead;
use crate::query::progress::{Progress, Stage};
use crate::query::replay::{Replayer, seconds_of};
use crate::store::{Damages, Snapshot, Step, Walk};

/// With fewer events than this in reach, a pass over the whole log is not
/// considered.
const FEW: u64 = 20_000;

/// The cost of reading one event by itself (a block of 64 KiB), in events read
/// sequentially.
const IN_A_ROW: u64 = 12;

/// The maximum number of (sub)profiles for the keyed scan: their keys are held in
/// memory.
const MOST_KEYS: usize = 200_000;

/// The maximum number of (sub)profiles of a group: each group reads the blocks of
/// the span.
const GROUP: usize = 2048;

/// The minimum number of groups, if there are enough keys, so that all cores have
/// work.
const GROUPS: usize = 8;

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

/// Visits the changes of (sub)profiles.
pub(super) fn scan<V: ChangeVisitor>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    keys: Vec<ProfileKey>,
    lines: &mut Lines<'_>,
    make: &(impl Fn() -> V + Sync),
    join: &mut Join<'_, V>,
) -> Result<(), QueryError> {
    let all = keys.len() as u64;
    let size = (keys.len() / GROUPS).clamp(64, GROUP);
    let mut rest = &*keys;
    let mut done = 0;
    let next = || {
        let (group, later) = rest.split_at(group_len(rest, size, filter.cascades()));
        rest = later;
        done += group.len() as u64;
        let progress = Progress::new(Stage::Replaying, done, all);
        Ok((!group.is_empty()).then_some((group, progress)))
    };
    lines.in_order(
        next,
        || Replayer::new(snapshot, filter.cascades()),
        |replayer, keys, damage| {
            let mut visitor = make();
            scan_group(filter, keys, replayer, &mut visitor, damage)?;
            Ok(visitor)
        },
        |_, visitor| join(visitor).map(|()| true),
    )
}

/// How many of the given (sub)profiles, which are in order, form a group of about a given
/// size. With cascade, a profile and its subprofiles stay together, so that a visitor
/// sees everything that a delete removed.
fn group_len(keys: &[ProfileKey], size: usize, cascade: bool) -> usize {
    let last = size.checked_sub(1).and_then(|place| keys.get(place));
    match last {
        Some(last) if cascade => keys.partition_point(|key| key.profile <= last.profile),
        Some(_) => size,
        None => keys.len(),
    }
}

/// Visits the changes of some (sub)profiles, which come in order, on one thread.
pub(super) fn scan_group<V: ChangeVisitor>(
    filter: &Filter,
    keys: &[ProfileKey],
    replayer: &mut Replayer<'_>,
    visitor: &mut V,
    damage: &mut Damages,
) -> Result<(), QueryError> {
    let seconds = seconds_of(&filter.span);
    replayer.each_track(
        keys,
        |_| seconds,
        damage,
        |replayer, track, damage| {
            let mut visitor = Filtered { filter, visitor };
            replayer.changes_of(track, damage, &mut visitor)?;
            Ok(())
        },
    )
}
