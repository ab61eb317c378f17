//! The changes of given (sub)profiles, from their events in a span.
//!
//! (Sub)profiles are assigned to threads in groups. The records of a group, in the
//! span and in the last second before it, are read in one pass in log order. A
//! (sub)profile with more events than a window is read alone, window by window.
//!
//! With cascade, this includes (sub)profiles that have no event in the span but
//! whose profile was deleted in it.

use super::{ChangeVisitor, Filter, Filtered, Progress, QueryError, Stage, Take, WorkerResult};
use crate::event::ProfileKey;
use crate::query::parallel::in_order;
use crate::query::replay::{Ahead, Replayer, Track, WINDOW, seconds_of};
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
    make: &(impl Fn() -> V + Sync),
    take: &mut Take<'_, V>,
) -> Result<(), QueryError> {
    let all = keys.len() as u64;
    let size = (keys.len() / GROUPS).clamp(64, GROUP);
    let mut rest = &*keys;
    let mut done = 0;
    let next = || {
        let (group, later) = rest.split_at(group_len(rest, size, filter.cascades()));
        rest = later;
        done += group.len() as u64;
        Ok((!group.is_empty()).then_some((group, done)))
    };
    in_order(
        next,
        || Replayer::new(snapshot, filter.cascades()),
        |replayer, (keys, done): (&[ProfileKey], u64)| {
            let mut result = WorkerResult::new(None);
            let mut visitor = make();
            let mut group = Group {
                snapshot,
                filter,
                replayer,
                visitor: &mut visitor,
                window: WINDOW,
            };
            group.scan(keys, &mut result.damage)?;
            result.visitor = Some(visitor);
            result.progress = Some(Progress {
                stage: Stage::Replaying,
                done,
                all,
            });
            Ok(result)
        },
        take,
    )
}

/// How many of the given (sub)profiles, which are in order, form a group of about a
/// given size. With cascade, a profile and its subprofiles stay together, so that a
/// visitor sees everything that a delete ended.
fn group_len(keys: &[ProfileKey], size: usize, cascade: bool) -> usize {
    let last = size.checked_sub(1).and_then(|place| keys.get(place));
    match last {
        Some(last) if cascade => keys.partition_point(|key| key.profile <= last.profile),
        Some(_) => size,
        None => keys.len(),
    }
}

/// (Sub)profiles that are read together.
pub(super) struct Group<'g, 't, V> {
    pub snapshot: &'t Snapshot<'t>,
    pub filter: &'g Filter,
    pub replayer: &'g mut Replayer<'t>,
    pub visitor: &'g mut V,
    /// How many events are read ahead.
    pub window: usize,
}

impl<V: ChangeVisitor> Group<'_, '_, V> {
    /// Visits the changes of some (sub)profiles, which come in order.
    pub fn scan(&mut self, keys: &[ProfileKey], damage: &mut Damages) -> Result<(), QueryError> {
        let seconds = seconds_of(&self.filter.span);
        let (since, until) = self.filter.span.bounds();
        let mut waiting: Vec<Track> = Vec::new();
        let mut events = 0;
        let mut of = keys.iter();
        // Whether a subprofile has ended depends on all of its events.
        let from = if self.filter.cascades() {
            i64::MIN
        } else {
            since
        };
        let snapshot = self.snapshot;
        snapshot.each_recent_events_of::<QueryError>(
            keys,
            (from, until),
            |events_of, is_cut| {
                let Some(key) = of.next().copied() else {
                    return Ok(());
                };
                let track = match is_cut {
                    true => Replayer::cut_track(key, events_of, seconds),
                    false => self.replayer.track(key, events_of, seconds, damage)?,
                };
                if track.is_idle() {
                    return Ok(());
                }
                let count = track.near().count();
                if events + count > self.window {
                    self.window(&waiting, damage)?;
                    waiting.clear();
                    events = 0;
                }
                events += count;
                waiting.push(track);
                Ok(())
            },
        )?;
        self.window(&waiting, damage)
    }

    /// Visits the changes of tracks whose events fit into a window, or of a single
    /// track.
    fn window(&mut self, tracks: &[Track], damage: &mut Damages) -> Result<(), QueryError> {
        let ahead = match tracks {
            [_] => Ahead::Own,
            _ => {
                self.replayer
                    .read_ahead(tracks.iter().flat_map(Track::near));
                Ahead::Shared
            }
        };
        for track in tracks {
            let mut visitor = Filtered {
                filter: self.filter,
                visitor: self.visitor,
            };
            self.replayer
                .changes_of(track, ahead, damage, &mut visitor)?;
        }
        Ok(())
    }
}
