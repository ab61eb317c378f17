//! `history`: the events of (sub)profiles with what each changed.
//!
//! Only the events of the span are read, in windows, and of each (sub)profile
//! what tells its state before them ([`super::past`]). Newest first, the span
//! is cut from its end into pieces that are told backwards, so that the last
//! few lines of a long history cost no more than the first few; their lines wait
//! on disk where they are many.
//!
//! Where subprofiles end with their profile, each end stands in its place among
//! the events, as a line with the profile's `delete` and the subprofile's key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use super::answer::{Lines, QueryError};
use super::ends::{Deletes, Ends};
use super::filter::matches_subject;
use super::lines::HistoryLine;
use super::page::Mark;
use super::past::{Before, Ended, Missing, replay_after};
use super::request::HistoryQuery;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, End, Place, Replay, tells_all};
use crate::store::{
    Batch, EventReader, EventsOf, GoneSeconds, Occurrence, Snapshot, Sorter, Timeline, TrailError,
};

/// How many events the last piece has, newest first, …
const FIRST_PIECE: usize = 64;

/// … and how many one has at most; each four times as many as the one after it.
const PIECE: usize = 4096;

/// How many bytes of a piece's lines are held, newest first, before they go to disk.
const HELD: usize = 8 << 20;

/// How many (sub)profiles' states are held at most, between two seconds.
const STATES: usize = 8_192;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &HistoryQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut tracks = Vec::new();
    let mut take = |key| -> Result<(), TrailError> {
        let events = snapshot.events_of(key)?;
        lines.note_pruned(key, events.baseline_time(), query.span.since);
        tracks.push((key, events));
        Ok(())
    };
    if query.subprofiles {
        snapshot.each_key(Some(query.key.profile), query.key.subprofile, take)?;
    } else {
        take(query.key)?;
    }
    let after = lines.after.and_then(Mark::time);
    let ahead = |time: i64| match after {
        Some(after) if query.reverse => time <= after,
        Some(after) => after <= time,
        None => true,
    };
    let mut pairs = Vec::new();
    for (number, (_, events)) in (0_u32..).zip(&tracks) {
        let in_span = events
            .times
            .iter()
            .filter(|(time, _)| query.span.contains(*time) && ahead(*time));
        pairs.extend(in_span.map(|(time, seq)| (*time, *seq, number)));
    }
    pairs.sort_unstable();
    let numbered = (0_u32..).zip(&tracks);
    let baselines =
        numbered.filter_map(|(number, (_, events))| Some((number, events.baseline.as_ref()?)));
    let gone = Arc::new(GoneSeconds::of(baselines));
    let mut told = Told {
        query,
        tracks,
        gone,
        reader: snapshot.reader(),
        earlier: snapshot.reader(),
        ends: None,
        deletes: Deletes::default(),
    };
    let mut ends = told.find_ends(snapshot, lines)?;
    if !query.reverse {
        told.tell(pairs, ends, lines, |line, lines| Ok(lines.put_one(&line)?))?;
        return Ok(lines.written > 0);
    }
    let mut piece = FIRST_PIECE;
    while !(pairs.is_empty() && ends.is_empty() || lines.is_full()) {
        let from = pairs.len().saturating_sub(piece);
        // A second is not cut in two.
        let time = match pairs.get(from) {
            Some((time, ..)) if from > 0 => *time,
            _ => i64::MIN,
        };
        let from = pairs.partition_point(|pair| pair.0 < time);
        let ends_from = ends.partition_point(|(end, _)| end.place.time < time);
        let mut held = Sorter::new(snapshot.trail().folder().path()).holding(HELD);
        let mut count = 0;
        let (pairs, ends) = (pairs.split_off(from), ends.split_off(ends_from));
        told.tell(pairs, ends, lines, |line, _| {
            count += 1;
            held.push(0, u64::MAX - count, line)
                .map_err(TrailError::io(
                    "sorting in",
                    snapshot.trail().folder().path(),
                ))?;
            Ok(true)
        })?;
        held.finish::<io::Error>(|line| lines.put_one(line))?;
        piece = (piece * 4).min(PIECE);
    }
    Ok(lines.written > 0)
}

/// The ends that are to be told, each with the number of its subprofile.
type NumberedEnds = Vec<(End, u32)>;

/// What is told, and from what.
struct Told<'a> {
    query: &'a HistoryQuery,
    /// The events of each (sub)profile.
    tracks: Vec<(ProfileKey, EventsOf)>,
    gone: Arc<GoneSeconds>,
    reader: EventReader,
    /// Reads what came before a piece.
    earlier: EventReader,
    /// What may end the subprofiles, where that is asked for.
    ends: Option<Ends>,
    deletes: Deletes,
}

impl Told<'_> {
    /// Looks for what may end the subprofiles, and tells which ends are in the span.
    fn find_ends(
        &mut self,
        snapshot: &Snapshot<'_>,
        lines: &mut Lines<'_>,
    ) -> Result<NumberedEnds, QueryError> {
        let (since, until) = self.query.span.bounds();
        let last = until.saturating_sub(1);
        let mut found = Vec::new();
        let numbered = (0_u32..).zip(&self.tracks);
        let subprofiles = numbered.filter(|(_, (key, _))| key.subprofile.is_some());
        let any = subprofiles.clone().next();
        let key = any.map_or(self.query.key, |(_, (key, _))| *key);
        let Some(mut ends) = Ends::asked(snapshot, key, self.query.cascade, last, lines)? else {
            return Ok(found);
        };
        let none = Batch::default();
        for (number, (_, events)) in subprofiles {
            let (reader, damage) = (&mut self.earlier, &mut lines.damage);
            let of = ends.between((since, last), events, &none, reader, damage)?;
            found.extend(of.into_iter().map(|end| (end, number)));
        }
        found.sort_unstable();
        self.ends = Some(ends);
        Ok(found)
    }

    /// Hands the lines of a piece to `each` until that answers `false`.
    fn tell(
        &mut self,
        pairs: Vec<(i64, u64, u32)>,
        ends: NumberedEnds,
        lines: &mut Lines<'_>,
        mut each: impl FnMut(Vec<u8>, &mut Lines<'_>) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError> {
        let mut timeline = Timeline::merged(pairs, Arc::clone(&self.gone));
        let mut states = States::default();
        let mut ends = ends.into_iter().peekable();
        while let Some(occurrence) = timeline.next(&mut self.reader, &mut lines.damage)? {
            let place = Place::of(&occurrence.event);
            if !self.tell_ends(Some(place), &mut ends, &mut states, lines, &mut each)? {
                return Ok(());
            }
            let Some(replay) = self.state(occurrence.track, place.time, &mut states, lines)? else {
                continue;
            };
            // It is replayed even so: others of its second may follow.
            let line = line_of(self.query, replay, &occurrence);
            if let Some(line) = line
                && !has_told(lines, self.query, &occurrence.event)
                && !each(json(&line)?, lines)?
            {
                return Ok(());
            }
        }
        self.tell_ends(None, &mut ends, &mut states, lines, &mut each)?;
        Ok(())
    }

    /// Tells the ends before a place, or all that are left; `false` where no
    /// more is wanted.
    fn tell_ends(
        &mut self,
        before: Option<Place>,
        ends: &mut Peekable<IntoIter<(End, u32)>>,
        states: &mut States,
        lines: &mut Lines<'_>,
        each: &mut impl FnMut(Vec<u8>, &mut Lines<'_>) -> Result<bool, QueryError>,
    ) -> Result<bool, QueryError> {
        let is_before = |end: &End| before.is_none_or(|before| end.place < before);
        while let Some((end, track)) = ends.next_if(|(end, _)| is_before(end)) {
            let (Some((key, events)), second) = (self.track(track), end.place.time) else {
                continue;
            };
            let key = *key;
            // Only what is told of it in this second needs its state yet.
            let is_needed = events
                .times
                .binary_search_by_key(&second, |(time, _)| *time)
                .is_ok();
            let Some(replay) = self.state(track, second, states, lines)? else {
                continue;
            };
            let changes = replay.end(end.place);
            let (reader, damage) = (&mut self.earlier, &mut lines.damage);
            if let Some(changes) = changes
                && let Some(event) = self.deletes.of(end, key, replay, reader, damage)?
                && let Some(line) = line_with(self.query, &event, changes, None)
                && !has_told(lines, self.query, &event)
                && !each(json(&line)?, lines)?
            {
                return Ok(false);
            }
            if !is_needed {
                states.of.remove(&track);
            }
        }
        Ok(true)
    }

    fn track(&self, number: u32) -> Option<&(ProfileKey, EventsOf)> {
        self.tracks.get(usize::try_from(number).ok()?)
    }

    /// What is known of a (sub)profile before what is told next of it, which
    /// is of that second.
    fn state<'s>(
        &mut self,
        track: u32,
        time: i64,
        states: &'s mut States,
        lines: &mut Lines<'_>,
    ) -> Result<Option<&'s mut Replay<'static>>, QueryError> {
        states.begin(time);
        let place = match states.of.entry(track) {
            Entry::Occupied(known) => return Ok(Some(known.into_mut())),
            Entry::Vacant(place) => place,
        };
        let number = usize::try_from(track).unwrap_or(usize::MAX);
        let Some((key, events)) = self.tracks.get(number) else {
            return Ok(None);
        };
        let until = time.saturating_sub(1);
        let before = Before::up_to(events, until);
        let ends = self.ends.as_mut().filter(|_| key.subprofile.is_some());
        // An end's line names database and collection as last named.
        let mut missing = ends.is_some().then(|| Missing::new(*key));
        let ended = ends.map(|ends| Ended {
            ends,
            events,
            until,
        });
        let enough = |event: &Event<'_>| match &mut missing {
            Some(missing) => missing.take(event),
            None => tells_all(event),
        };
        let none = Batch::default();
        let (reader, damage) = (&mut self.earlier, &mut lines.damage);
        let replay = replay_after(before, ended, &none, reader, damage, enough)?;
        Ok(Some(place.insert(replay.into_owned())))
    }
}

/// The states of (sub)profiles while their events are told. Where they are too
/// many, they are let go between two seconds and found again.
#[derive(Default)]
struct States {
    of: HashMap<u32, Replay<'static>>,
    second: Option<i64>,
}

impl States {
    /// To be called before what is told of a second.
    fn begin(&mut self, second: i64) {
        if self.second != Some(second) && self.of.len() >= STATES {
            self.of.clear();
        }
        self.second = Some(second);
    }
}

/// Whether a page before has told an event.
fn has_told(lines: &Lines<'_>, query: &HistoryQuery, event: &Event<'_>) -> bool {
    let told = |after: Mark| after.has_told(event, query.reverse);
    lines.after.is_some_and(told)
}

fn json(line: &HistoryLine<'_>) -> Result<Vec<u8>, QueryError> {
    Ok(serde_json::to_vec(line).map_err(io::Error::from)?)
}

/// The line of an event, if it is asked for.
fn line_of<'a>(
    query: &HistoryQuery,
    replay: &mut Replay<'static>,
    occurrence: &'a Occurrence,
) -> Option<HistoryLine<'a>> {
    let event = &occurrence.event;
    let changes = match occurrence.duplicate_of {
        None => replay.step(event),
        Some(_) if query.all => Vec::new(),
        Some(_) => return None,
    };
    line_with(query, event, changes, occurrence.duplicate_of)
}

/// The line of an event with some changes, if it is asked for.
fn line_with<'a>(
    query: &HistoryQuery,
    event: &'a Event<'a>,
    changes: Vec<Change<'a>>,
    duplicate_of: Option<u64>,
) -> Option<HistoryLine<'a>> {
    let filtered = !query.fields.is_empty() || !query.interests.is_empty();
    let changes: Vec<_> = changes
        .into_iter()
        .filter(|change| matches_subject(change, &query.fields, &query.interests))
        .collect();
    if filtered && changes.is_empty() {
        return None;
    }
    Some(HistoryLine::new(event, changes, duplicate_of))
}
