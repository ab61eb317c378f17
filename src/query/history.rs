//! `history`: the events of (sub)profiles with what each changed.
//!
//! Only the events of the span are read, in windows, and of each (sub)profile
//! what tells its state before them ([`super::past`]). Newest first, the span
//! is cut from its end into pieces that are told backwards, so that the last
//! few lines of a long history cost no more than the first few.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer::{Lines, QueryError};
use super::filter::concerns;
use super::lines::HistoryLine;
use super::page::Mark;
use super::past::{Before, replay_after};
use super::request::HistoryQuery;
use crate::history::{Replay, tells_all};
use crate::trail::{
    Batch, EventReader, EventsOf, GoneSeconds, Occurrence, Timeline, Trail, TrailError,
};

/// How many events the last piece has, newest first, …
const FIRST_PIECE: usize = 64;

/// … and how many one has at most; each four times as many as the one after it.
const PIECE: usize = 4096;

pub(super) fn answer(
    trail: &Trail,
    query: &HistoryQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut tracks = Vec::new();
    let mut take = |key| -> Result<(), TrailError> {
        let events = trail.events_of(key)?;
        lines.note_pruned(key, events.baseline_time(), query.span.since);
        tracks.push(events);
        Ok(())
    };
    if query.subprofiles {
        trail.each_key(Some(query.key.profile), query.key.subprofile, take)?;
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
    for (number, events) in (0_u32..).zip(&tracks) {
        let in_span = events
            .times
            .iter()
            .filter(|(time, _)| query.span.holds(*time) && ahead(*time));
        pairs.extend(in_span.map(|(time, seq)| (*time, *seq, number)));
    }
    pairs.sort_unstable();
    let numbered = (0_u32..).zip(&tracks);
    let baselines =
        numbered.filter_map(|(number, events)| Some((number, events.baseline.as_ref()?)));
    let gone = Arc::new(GoneSeconds::of(baselines));
    let mut told = Told {
        query,
        tracks,
        gone,
        reader: trail.reader(),
        earlier: trail.reader(),
    };
    if !query.reverse {
        told.tell(pairs, lines, |line, lines| Ok(lines.put_one(&line)?))?;
        return Ok(lines.written > 0);
    }
    let mut piece = FIRST_PIECE;
    while !pairs.is_empty() && !lines.is_full() {
        let from = pairs.len().saturating_sub(piece);
        // A second is not cut in two.
        let time = pairs.get(from).map_or(i64::MIN, |pair| pair.0);
        let from = pairs.partition_point(|pair| pair.0 < time);
        let mut held = Vec::new();
        told.tell(pairs.split_off(from), lines, |line, _| {
            held.push(line);
            Ok(true)
        })?;
        for line in held.iter().rev() {
            lines.put_one(line)?;
        }
        piece = (piece * 4).min(PIECE);
    }
    Ok(lines.written > 0)
}

/// What is told, and from what.
struct Told<'a> {
    query: &'a HistoryQuery,
    /// The events of each (sub)profile.
    tracks: Vec<EventsOf>,
    gone: Arc<GoneSeconds>,
    reader: EventReader,
    /// Reads what came before a piece.
    earlier: EventReader,
}

impl Told<'_> {
    /// Hands the lines of a piece to `each` until that answers `false`.
    fn tell(
        &mut self,
        pairs: Vec<(i64, u64, u32)>,
        lines: &mut Lines<'_>,
        mut each: impl FnMut(Vec<u8>, &mut Lines<'_>) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError> {
        let mut timeline = Timeline::merged(pairs, Arc::clone(&self.gone));
        let mut replays: HashMap<u32, Replay<'static>> = HashMap::new();
        while let Some(occurrence) = timeline.next(&mut self.reader, &mut lines.damage)? {
            let replay = match replays.entry(occurrence.track) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let track = usize::try_from(occurrence.track).unwrap_or(usize::MAX);
                    let Some(events) = self.tracks.get(track) else {
                        continue;
                    };
                    let none = Batch::default();
                    let second = occurrence.event.time.saturating_sub(1);
                    let replay = replay_after(
                        Before::up_to(events, second),
                        &none,
                        &mut self.earlier,
                        &mut lines.damage,
                        tells_all,
                    )?;
                    place.insert(replay.into_owned())
                }
            };
            // It is replayed even so: others of its second may follow.
            let line = line_of(self.query, replay, &occurrence);
            let told = |after: Mark| after.has_told(&occurrence.event, self.query.reverse);
            if let Some(line) = line
                && !lines.after.is_some_and(told)
            {
                let line = serde_json::to_vec(&line).map_err(std::io::Error::from)?;
                if !each(line, lines)? {
                    break;
                }
            }
        }
        Ok(())
    }
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
    let filtered = !query.fields.is_empty() || !query.interests.is_empty();
    let changes: Vec<_> = changes
        .into_iter()
        .filter(|change| concerns(change, &query.fields, &query.interests))
        .collect();
    if filtered && changes.is_empty() {
        return None;
    }
    Some(HistoryLine::new(event, changes, occurrence.duplicate_of))
}
