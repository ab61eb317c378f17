//! `history`: the events of a (sub)profile with what each changed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::answer::{Lines, QueryError};
use super::filter::concerns;
use super::lines::HistoryLine;
use super::request::HistoryQuery;
use crate::history::Replay;
use crate::log::LogError;
use crate::trail::{Damages, EventReader, Occurrence, Timeline, Trail};

/// A (sub)profile's events and its replay, with the next event at hand.
struct Track {
    timeline: Timeline,
    replay: Replay<'static>,
    next: Option<Occurrence>,
}

/// The place of a track's next event among those of all tracks: time, rank and
/// `seq`, and the track's number.
type Place = Reverse<(i64, u8, u64, usize)>;

impl Track {
    /// Goes to the next event and tells its place.
    fn advance(
        &mut self,
        number: usize,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<Option<Place>, LogError> {
        self.next = self.timeline.next(reader, damage)?;
        Ok(self.next.as_ref().map(|Occurrence { event, .. }| {
            Reverse((event.time, event.event_type.rank(), event.seq, number))
        }))
    }
}

/// The most events that are read ahead for several (sub)profiles at once.
const READ_AHEAD: usize = 65_536;

pub(super) fn answer(
    trail: &Trail,
    query: &HistoryQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut reader = trail.reader();
    let last_time = query
        .span
        .until
        .map_or(i64::MAX, |until| until.saturating_sub(1));
    let mut all_times = Vec::new();
    let mut take = |key| -> Result<(), QueryError> {
        let mut times = trail.times_of(key)?;
        times.truncate(times.partition_point(|(time, _)| *time <= last_time));
        all_times.push(times);
        Ok(())
    };
    if query.subprofiles {
        trail.each_key(Some(query.key.profile), query.key.subprofile, take)?;
    } else {
        take(query.key)?;
    }
    // Going from one (sub)profile to another would cost the reading of a block
    // for every event. It is not worth it for the first few lines.
    let events: usize = all_times.iter().map(Vec::len).sum();
    let to_the_end = query.limit.is_none() || query.reverse;
    if all_times.len() > 1 && events <= READ_AHEAD && to_the_end {
        let seqs = all_times
            .iter()
            .flat_map(|times| times.iter().map(|(_, seq)| *seq));
        reader.read_ahead(seqs.collect());
    }
    let mut tracks = Vec::with_capacity(all_times.len());
    let mut heap = BinaryHeap::new();
    for (number, times) in all_times.into_iter().enumerate() {
        let mut track = Track {
            timeline: Timeline::new(times),
            replay: Replay::default(),
            next: None,
        };
        heap.extend(track.advance(number, &mut reader, &mut lines.damage)?);
        tracks.push(track);
    }
    // Newest first can only be told from the end, so the last lines are held.
    let mut held = VecDeque::new();
    let most = query
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    while let Some(Reverse((.., number))) = heap.pop() {
        let Some(track) = tracks.get_mut(number) else {
            break;
        };
        let Some(occurrence) = track.next.take() else {
            break;
        };
        let line = line_of(query, &mut track.replay, &occurrence)
            .map(|line| serde_json::to_vec(&line))
            .transpose()
            .map_err(std::io::Error::from)?;
        heap.extend(track.advance(number, &mut reader, &mut lines.damage)?);
        let Some(line) = line else { continue };
        if !query.reverse {
            if !lines.put_one(&line)? {
                break;
            }
            continue;
        }
        held.push_front(line);
        held.truncate(most);
    }
    for line in &held {
        lines.put_one(line)?;
    }
    Ok(lines.written > 0)
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
    if !query.span.holds(event.time) {
        return None;
    }
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
