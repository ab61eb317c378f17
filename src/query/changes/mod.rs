//! `changes`: the changes over all profiles.
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
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_store;

use parking_lot::Mutex;

use self::keyed_scan::keys;
use super::answer::{Lines, QueryError};
use super::filter::Filter;
use super::lines::ChangesLine;
use super::page::{Mark, digest_of, turned};
use super::replay::{ReplayVisitor, Step};
use super::request::ChangesQuery;
use crate::event::Event;
use crate::history::{Change, Replay};
use crate::store::{Snapshot, Sorter};

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
    is_wanted: &(dyn Fn(&Event<'_>) -> bool + Sync),
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let (after, is_paged) = (lines.after, lines.paged);
    let query = &from(query, after.and_then(Mark::time));
    let most = lines.wanted();
    let sorter = Mutex::new(
        Sorter::new(snapshot.trail().folder().path())
            .keep(most)
            .descending(query.reverse),
    );
    let make = || LineVisitor {
        lines: Vec::new(),
        ends: Vec::new(),
        is_wanted,
        after,
        is_paged,
        is_limited: most < usize::MAX,
        reverse: query.reverse,
        sorter: &sorter,
    };
    visit_changes(
        snapshot,
        &query.filter,
        lines,
        &make,
        &mut |mut visitor: LineVisitor<'_>| visitor.flush(),
    )?;
    let put = |mark, line: &_| Ok::<bool, QueryError>(lines.put_at(mark, line)?);
    sorter.into_inner().finish(put)?;
    Ok(lines.written > 0)
}

/// Receives changes on the thread that finds them.
pub(super) trait ChangeVisitor: Send {
    /// Takes the matching changes of an event; there is at least one. `false` if no later
    /// events of its (sub)profile are needed.
    ///
    /// All events of a (sub)profile go to one visitor, consecutively and in order.
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError>;
}

/// A visitor whose parts, each for different (sub)profiles, are joined.
pub(super) trait Collector: ChangeVisitor {
    /// Adds the results of another one.
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
    join: &mut Join<'_, V>,
) -> Result<(), QueryError> {
    let keys = match keys(snapshot, filter)? {
        Some(keys) => keys,
        None if full_scan::has_room(snapshot, filter)? => {
            return full_scan::scan(snapshot, filter, full_scan::BOUNDS, lines, make, join);
        }
        None => snapshot.keys(None).collect::<Result<_, _>>()?,
    };
    keyed_scan::scan(snapshot, filter, keys, lines, make, join)
}

/// The query for the answer from a time on, in the requested order.
fn from(query: &ChangesQuery, time: Option<i64>) -> ChangesQuery {
    let mut query = query.clone();
    match time {
        Some(time) if query.reverse => {
            let (_, until) = query.filter.span.bounds();
            query.filter.span.until = Some(until.min(time.saturating_add(1)));
        }
        _ => query.filter.span.since = query.filter.span.since.max(time),
    }
    query
}

/// Receives the complete visitors.
type Join<'a, V> = dyn FnMut(V) -> Result<(), QueryError> + 'a;

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
        let Some(event) = step.event else {
            return Ok(true);
        };
        let mut changes = step.changes;
        changes.retain(|change| self.filter.matches_change(change));
        if changes.is_empty() {
            return Ok(true);
        }
        self.visitor.visit(event, changes)
    }
}

/// Makes the lines of `changes`.
struct LineVisitor<'w> {
    /// The lines, …
    lines: Vec<u8>,
    /// … and the position of each with where it ends.
    ends: Vec<(Mark, usize)>,
    is_wanted: &'w (dyn Fn(&Event<'_>) -> bool + Sync),
    after: Option<Mark>,
    /// Whether marks are needed.
    is_paged: bool,
    /// Whether the sorter keeps a limited number of lines.
    is_limited: bool,
    reverse: bool,
    /// Sorts the lines of all workers.
    sorter: &'w Mutex<Sorter<Mark>>,
}

impl LineVisitor<'_> {
    /// Hands the lines to the sorter, which has its own order.
    fn flush(&mut self) -> Result<(), QueryError> {
        let mut sorter = self.sorter.lock();
        let mut begin = 0;
        for (mark, end) in self.ends.drain(..) {
            let line = self.lines.get(begin..end).unwrap_or_default();
            sorter.push(mark, line)?;
            begin = end;
        }
        self.lines.clear();
        Ok(())
    }
}

impl ChangeVisitor for LineVisitor<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        if !(self.is_wanted)(event) {
            return Ok(true);
        }
        let (time, seq) = (event.time, event.seq);
        if self.is_limited
            && let Some(Mark::Change {
                time: last,
                seq: of,
                ..
            }) = self.sorter.lock().bound()
            && turned((time, seq).cmp(&(*last, *of)), self.reverse).is_gt()
        {
            // Events come in the order of time.
            return Ok(self.reverse || *last >= time);
        }
        let rest = match self.after {
            Some(after) => after.rest_of(event, &changes, self.reverse),
            None => 0..u32::MAX,
        };
        for (place, change) in (0..).zip(changes).filter(|(place, _)| rest.contains(place)) {
            let mark = Mark::Change {
                time,
                seq,
                subprofile: event.key.subprofile,
                place,
                subject: match self.is_paged {
                    true => digest_of(&change.subject),
                    false => Default::default(),
                },
            };
            let line = ChangesLine::new(event, change);
            serde_json::to_writer(&mut self.lines, &line)?;
            self.ends.push((mark, self.lines.len()));
            if self.lines.len() >= HELD {
                self.flush()?;
            }
        }
        Ok(true)
    }
}
