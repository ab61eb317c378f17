//! The changes of given (sub)profiles, from their events in a span.
//!
//! (Sub)profiles are assigned to threads in groups. With cascade, they include those
//! that have no event in the span but whose profile was deleted in it.

use super::{ChangeVisitor, Filter, Filtered, Join, Lines, QueryError};
use crate::event::ProfileKey;
use crate::query::progress::{Progress, Stage};
use crate::query::replay::{Replayer, seconds_of};
use crate::store::{Damages, Snapshot};

/// The maximum number of (sub)profiles of a group: each group reads the blocks of
/// the span.
const GROUP: usize = 2048;

/// The minimum number of groups, if there are enough keys, so that all cores have
/// work.
const GROUPS: usize = 8;

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
