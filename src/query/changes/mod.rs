//! `changes`: what changed when, over all profiles.
//!
//! There are two ways to find the (sub)profiles' events. Both feed the same
//! [`super::replay::Replayer`]; the query decides which is used:
//!
//! * [`keyed_scan`]: for each (sub)profile with an event in the span, reads its
//!   events in the span and the state before it. Costs about one block read per
//!   (sub)profile, so it suits a span that is short relative to the log.
//! * [`full_scan`]: reads the log once, sorts its events by (sub)profile on disk,
//!   and replays them from there. If the disk has no room, falls back to the keyed
//!   scan, which is then slow.
//!
//! Both use all cores and hand the changes to a [`ChangeVisitor`] there. The
//! visitor of `changes` makes lines, which are sorted by time and `seq`, on disk if
//! there are many; visitors of other queries count.

mod full_scan;
mod keyed_scan;
mod keys;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_store;

use std::io;
use std::sync::{Mutex, PoisonError};

use self::keys::{all_keys, keys};
use super::answer::{Lines, QueryError};
use super::filter::Filter;
use super::lines::ChangesLine;
use super::page::Mark;
use super::progress::{Progress, Stage};
use super::replay::{ReplayVisitor, Step, What};
use super::request::ChangesQuery;
use crate::event::Event;
use crate::history::{Change, Replay};
use crate::store::{Damages, Snapshot, Sorter, TrailError};

/// How many bytes of lines a visitor holds before it hands them to the sorter.
const HELD: usize = 256 << 10;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ChangesQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    answer_where(snapshot, query, &|_| true, lines)
}

/// The same for events that `is_wanted` accepts.
pub(super) fn answer_where(
    snapshot: &Snapshot<'_>,
    query: &ChangesQuery,
    is_wanted: &(impl Fn(&Event<'_>) -> bool + Sync),
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let after = lines.after;
    let query = &from(query, after.and_then(Mark::time));
    // Each blob has at least one line.
    let most = lines.wanted().map(usize::try_from);
    let most = most.and_then(Result::ok).unwrap_or(usize::MAX);
    let shared = SharedSorter {
        snapshot,
        sorter: Mutex::new(Sorter::new(snapshot.trail().folder().path()).keep(most)),
    };
    let make = || LineVisitor {
        blobs: Vec::new(),
        held: 0,
        is_wanted,
        after,
        reverse: query.reverse,
        sorter: &shared,
    };
    visit_changes(
        snapshot,
        &query.filter,
        lines,
        &make,
        &mut |mut visitor: LineVisitor<'_, _>| visitor.flush(),
    )?;
    let sorter = shared.sorter.into_inner();
    let sorter = sorter.unwrap_or_else(PoisonError::into_inner);
    sorter.finish::<io::Error>(|blob| lines.put_encoded(blob))?;
    Ok(lines.written > 0)
}

/// Receives changes on the thread that finds them.
pub(super) trait ChangeVisitor: Send {
    /// Takes the matching changes of an event; there is at least one.
    ///
    /// All events of a (sub)profile go to one visitor, consecutively and in order.
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError>;
}

/// A visitor whose parts, each of other (sub)profiles, are joined.
pub(super) trait Collector: ChangeVisitor {
    /// Adds what another one has collected.
    fn join(&mut self, other: Self);
}

/// Collects all matching changes, ignoring `limit`.
pub(super) fn collect_changes<V: Collector>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    lines: &mut Lines<'_>,
    make: &(impl Fn() -> V + Sync),
) -> Result<V, QueryError> {
    let mut all = make();
    visit_changes(snapshot, filter, lines, make, &mut |one| {
        all.join(one);
        Ok(())
    })?;
    Ok(all)
}

/// Finds all matching changes, ignoring `limit`, and passes them to visitors
/// created by `make`. Only the order within each (sub)profile is defined. `join`
/// receives each visitor when it is complete.
pub(super) fn visit_changes<V: ChangeVisitor>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    lines: &mut Lines<'_>,
    make: &(impl Fn() -> V + Sync),
    join: &mut dyn FnMut(V) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut take = |result: WorkerResult<V>| -> Result<bool, QueryError> {
        if let Some(visitor) = result.visitor {
            join(visitor)?;
        }
        if let Some(progress) = result.progress {
            lines.progress.report(progress);
        }
        lines.damage.extend(result.damage);
        Ok(true)
    };
    match keys(snapshot, filter)? {
        Some(keys) => keyed_scan::scan(snapshot, filter, keys, make, &mut take),
        None if full_scan::has_room(snapshot, filter)? => {
            full_scan::scan(snapshot, filter, full_scan::BOUNDS, make, &mut take)
        }
        None => keyed_scan::scan(snapshot, filter, all_keys(snapshot)?, make, &mut take),
    }
}

/// The query for the answer from a time on, in the requested order.
fn from(query: &ChangesQuery, time: Option<i64>) -> ChangesQuery {
    let mut query = query.clone();
    match time {
        Some(time) if query.reverse => {
            let end = time.saturating_add(1);
            query.filter.span.until =
                Some(query.filter.span.until.map_or(end, |until| until.min(end)));
        }
        _ => query.filter.span.since = query.filter.span.since.max(time),
    }
    query
}

/// Lines, the last first.
fn backwards(lines: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    lines.into_iter().rev().collect::<Vec<_>>().concat()
}

/// A worker's result.
struct WorkerResult<V> {
    visitor: Option<V>,
    damage: Damages,
    progress: Option<Progress>,
}

impl<V> WorkerResult<V> {
    fn new(visitor: Option<V>) -> Self {
        Self {
            visitor,
            damage: Damages::default(),
            progress: None,
        }
    }
}

/// Receives the results of workers.
type Take<'a, V> = dyn FnMut(WorkerResult<V>) -> Result<bool, QueryError> + 'a;

/// Hands to a [`ChangeVisitor`] the changes that a filter accepts.
struct Filtered<'f, V> {
    filter: &'f Filter,
    visitor: &'f mut V,
}

impl<V: ChangeVisitor> ReplayVisitor for Filtered<'_, V> {
    fn wants(&mut self, event: &Event<'_>, _: Option<u64>, _: &Replay<'_>) -> bool {
        self.filter.matches_event(event)
    }

    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        let Some(event) = step.event() else {
            return Ok(true);
        };
        let mut changes = step.changes;
        changes.retain(|change| self.filter.matches_change(change));
        let is_wanted = !matches!(step.what, What::Cascade(_)) || self.filter.matches_event(event);
        if is_wanted && !changes.is_empty() {
            self.visitor.visit(event, changes)?;
        }
        Ok(true)
    }
}

/// Sorts the lines of all workers.
struct SharedSorter<'t> {
    snapshot: &'t Snapshot<'t>,
    sorter: Mutex<Sorter>,
}

/// Makes the lines of `changes`.
struct LineVisitor<'w, W> {
    /// Time and `seq` of an event, and its lines.
    blobs: Vec<(i64, u64, Vec<u8>)>,
    /// The number of bytes of those lines.
    held: usize,
    is_wanted: &'w W,
    after: Option<Mark>,
    reverse: bool,
    sorter: &'w SharedSorter<'w>,
}

impl<W: Fn(&Event<'_>) -> bool + Sync> LineVisitor<'_, W> {
    /// Hands the lines to the sorter, which has its own order.
    fn flush(&mut self) -> Result<(), QueryError> {
        let mut blobs = std::mem::take(&mut self.blobs);
        self.held = 0;
        for (time, seq, blob) in &mut blobs {
            if self.reverse {
                *blob = backwards(blob);
            }
            if let Some(after) = self.after {
                *blob = after.rest(*time, *seq, std::mem::take(blob), self.reverse);
            }
        }
        let SharedSorter { snapshot, sorter } = self.sorter;
        let mut sorter = sorter.lock().unwrap_or_else(PoisonError::into_inner);
        for (time, seq, blob) in blobs {
            if blob.is_empty() {
                continue;
            }
            // The complement sorts the other way round.
            let (time, seq) = if self.reverse {
                (!time, !seq)
            } else {
                (time, seq)
            };
            sorter.push(time, seq, blob).map_err(TrailError::io(
                "sorting in",
                snapshot.trail().folder().path(),
            ))?;
        }
        Ok(())
    }
}

impl<W: Fn(&Event<'_>) -> bool + Sync> ChangeVisitor for LineVisitor<'_, W> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        if !(self.is_wanted)(event) {
            return Ok(());
        }
        let mut blob = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut blob, &ChangesLine::new(event, change))
                .map_err(io::Error::from)?;
            blob.push(b'\n');
        }
        blob.shrink_to_fit();
        self.held += blob.len();
        self.blobs.push((event.time, event.seq, blob));
        if self.held >= HELD {
            self.flush()?;
        }
        Ok(())
    }
}
