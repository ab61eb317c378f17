//! `changes`: what changed when, over all profiles.
//!
//! There are two ways to the same answer, and what is asked for decides:
//!
//! * [`near`]: of each (sub)profile with an event in the span, the events in
//!   it are read and the one before ([`super::past`]). Costs the reading of a
//!   block for each of them, so it is the way for a span that is short beside
//!   the log.
//! * [`whole`]: the log is read once, its events are spread by (sub)profile
//!   over parts on disk, and each part is replayed in memory. Where the disk
//!   has no room even for an eighth of them, it is the former way, slowly.
//!
//! Where subprofiles end with their profile, both feed each subprofile with the
//! deletes of its profile, too ([`super::ends`]): the former looks for them in
//! the profile's events, the latter keeps a profile and its subprofiles together.
//!
//! Both work on all cores, and hand the changes to a [`Gather`] there. That of
//! `changes` makes lines, which are sorted by time and `seq`, on disk where they
//! are many; those of other questions count.
//!
//! Measured in processor time on a million sealed events of 50,000 profiles in
//! 36 days, one field: an hour of them 0.1 s, a day 1.2 s (27,000 events, of
//! each of which a block is read), all of them 5.4 s. The replay of whole
//! histories, of plain segments, took 0.5 s, 3.3 s and 21 s.

mod keys;
mod near;
mod spread;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_store;
mod whole;

use std::io;

use self::keys::{all_keys, keys};
use super::answer::{Lines, QueryError};
use super::ends::Deletes;
use super::filter::Filter;
use super::lines::ChangesLine;
use super::page::Mark;
use super::progress::{Progress, Stage};
use super::request::ChangesQuery;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, End, Replay};
use crate::store::{Damages, EventReader, Snapshot, Sorter, TrailError};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ChangesQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    answer_where(snapshot, query, &|_| true, lines)
}

/// The same of events that are like that.
pub(super) fn answer_where(
    snapshot: &Snapshot<'_>,
    query: &ChangesQuery,
    wanted: &(impl Fn(&Event<'_>) -> bool + Sync),
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let after = lines.after;
    let filter = &from(query, after.and_then(Mark::time));
    // Each blob has a line or more.
    let most = lines.wanted().map(usize::try_from);
    let mut sorter = Sorter::new(snapshot.trail().folder().path())
        .keep(most.and_then(Result::ok).unwrap_or(usize::MAX));
    let make = || Encoded {
        blobs: Vec::new(),
        wanted,
    };
    gather(snapshot, filter, lines, &make, &mut |encoded: Encoded<
        '_,
        _,
    >| {
        for (time, seq, mut blob) in encoded.blobs {
            let mut place = (time, seq);
            if query.reverse {
                // The complement turns the order round.
                place = (!time, !seq);
                blob = backwards(&blob);
            }
            if let Some(after) = after {
                blob = after.rest(time, seq, blob, query.reverse);
            }
            if blob.is_empty() {
                continue;
            }
            sorter.push(place.0, place.1, blob).map_err(TrailError::io(
                "sorting in",
                snapshot.trail().folder().path(),
            ))?;
        }
        Ok(())
    })?;
    sorter.finish::<io::Error>(|blob| lines.put_encoded(blob))?;
    Ok(lines.written > 0)
}

/// What some changes come to, on the thread that finds them.
pub(super) trait Gather: Send {
    /// Takes the changes of an event that are asked for; there is one or more.
    ///
    /// All events of a (sub)profile go to one gatherer, one after the other in
    /// their order, and no other's between them.
    fn take(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError>;
}

impl Gather for () {
    fn take(&mut self, _: &Event<'_>, _: Vec<Change<'_>>) -> Result<(), QueryError> {
        Ok(())
    }
}

/// Finds all changes that are asked for, and hands
/// them to gatherers that `make` makes, in no order but each (sub)profile's
/// own; `join` gets each gatherer when it has all that is for it.
pub(super) fn gather<G: Gather>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    lines: &mut Lines<'_>,
    make: &(impl Fn() -> G + Sync),
    join: &mut dyn FnMut(G) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut take = |told: Told<G>| -> Result<bool, QueryError> {
        join(told.gathered)?;
        if let Some(progress) = told.progress {
            lines.progress.tell(progress);
        }
        lines.damage.extend(told.damage);
        Ok(true)
    };
    match keys(snapshot, filter)? {
        Some(keys) => near::tell(snapshot, filter, keys, make, &mut take),
        None if whole::has_room(snapshot, filter)? => {
            whole::tell(snapshot, filter, whole::BOUNDS, make, &mut take)
        }
        None => near::tell(snapshot, filter, all_keys(snapshot)?, make, &mut take),
    }
}

/// What is asked for from a time on, in the order that is asked for.
fn from(query: &ChangesQuery, time: Option<i64>) -> Filter {
    let mut filter = query.filter.clone();
    let span = &mut filter.span;
    match time {
        Some(time) if query.reverse => {
            let end = time.saturating_add(1);
            span.until = Some(span.until.map_or(end, |until| until.min(end)));
        }
        _ => span.since = span.since.max(time),
    }
    filter
}

/// Lines, the last first.
fn backwards(lines: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    lines.into_iter().rev().collect::<Vec<_>>().concat()
}

/// Takes what some events came to.
type Take<'a, G> = dyn FnMut(Told<G>) -> Result<bool, QueryError> + 'a;

/// The lines of some events.
struct Encoded<'w, W> {
    /// Time and `seq` of an event, and its lines.
    blobs: Vec<(i64, u64, Vec<u8>)>,
    wanted: &'w W,
}

impl<W: Fn(&Event<'_>) -> bool + Sync> Gather for Encoded<'_, W> {
    fn take(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        if !(self.wanted)(event) {
            return Ok(());
        }
        let mut blob = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut blob, &ChangesLine::new(event, change))
                .map_err(io::Error::from)?;
            blob.push(b'\n');
        }
        blob.shrink_to_fit();
        self.blobs.push((event.time, event.seq, blob));
        Ok(())
    }
}

/// What some events came to.
#[derive(Debug)]
struct Told<G> {
    gathered: G,
    damage: Damages,
    progress: Option<Progress>,
    /// Profiles that are, with their subprofiles, too large to be told with others.
    large: Vec<u64>,
}

impl<G> Told<G> {
    fn new(gathered: G) -> Self {
        Self {
            gathered,
            damage: Damages::default(),
            progress: None,
            large: Vec::new(),
        }
    }

    /// The same with what another gatherer has.
    fn with<O>(self, gathered: O) -> Told<O> {
        Told {
            gathered,
            damage: self.damage,
            progress: self.progress,
            large: self.large,
        }
    }
}

impl<G: Gather> Told<G> {
    /// Takes the next event of a (sub)profile, which is no duplicate, and tells
    /// its changes where they are asked for.
    fn step<'a>(
        &mut self,
        filter: &Filter,
        replay: &mut Replay<'a>,
        event: &Event<'a>,
    ) -> Result<(), QueryError> {
        if !filter.matches_event(event) {
            replay.skip(event);
            return Ok(());
        }
        let changes = replay.step(event);
        self.tell(filter, event, changes)
    }

    /// Takes the end that a profile's delete puts to a subprofile, and tells
    /// what it changes where that is asked for.
    fn end(
        &mut self,
        filter: &Filter,
        ending: &mut Ending<'_>,
        replay: &mut Replay<'_>,
        end: End,
    ) -> Result<(), QueryError> {
        let Some(changes) = replay.end(end.place) else {
            return Ok(());
        };
        if !filter.span.contains(end.place.time) {
            return Ok(());
        }
        let key = ending.key;
        let damage = &mut self.damage;
        let delete = ending
            .deletes
            .of(end, key, replay, ending.reader, damage)?
            .filter(|delete| filter.matches_event(delete));
        match delete {
            Some(delete) => self.tell(filter, &delete, changes),
            None => Ok(()),
        }
    }

    /// Tells those changes of an event that are asked for.
    fn tell(
        &mut self,
        filter: &Filter,
        event: &Event<'_>,
        mut changes: Vec<Change<'_>>,
    ) -> Result<(), QueryError> {
        changes.retain(|change| filter.matches_change(change));
        if changes.is_empty() {
            return Ok(());
        }
        self.gathered.take(event, changes)
    }
}

/// Whose ends are told, and from what.
struct Ending<'e> {
    key: ProfileKey,
    deletes: &'e mut Deletes,
    reader: &'e mut EventReader,
}
