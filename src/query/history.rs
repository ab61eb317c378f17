//! `history`: the events of (sub)profiles with their changes.
//!
//! Only the events of the time range are read, and for each (sub)profile those that
//! determine the state before them. The range is split into pieces of whole seconds, from
//! its end if the newest come first. Each piece is replayed by (sub)profile; its lines
//! are sorted, on disk if there are many, and written. So the last few lines of a long
//! history cost no more than the first few.
//!
//! With cascade, a profile's `delete` is among the events of each subprofile that
//! it ends.

use super::answer::{Lines, QueryError};
use super::filter::matches_subject;
use super::lines::HistoryLine;
use super::page::Mark;
use super::replay::{ReplayVisitor, Replayer, Step, Track, seconds_of};
use super::request::HistoryQuery;
use crate::event::Event;
use crate::history::Replay;
use crate::store::{Snapshot, Sorter};

/// How many events and deletes the first piece has at most.
const FIRST_PIECE: usize = 64;

/// The maximum of a piece; each has four times as many as the previous one.
const PIECE: usize = 4096;

/// How many bytes of a piece's lines are held before they are sorted on disk.
const HELD: usize = 8 << 20;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &HistoryQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let (first, last) = seconds_of(&query.span);
    let seconds = match lines.after.and_then(Mark::time) {
        Some(after) if query.reverse => (first, last.min(after)),
        Some(after) => (first.max(after), last),
        None => (first, last),
    };
    let mut replayer = Replayer::new(snapshot, query.cascade);
    let mut tracks = Vec::new();
    // Those of all events and deletes in the span.
    let mut times: Vec<i64> = Vec::new();
    let most = if query.subprofiles { usize::MAX } else { 1 };
    for key in snapshot.keys(Some(query.key)).take(most) {
        let key = key?;
        let events = snapshot.events_of(key)?;
        lines.note_pruned(key, events.baseline_time(), query.span.since);
        replayer.note_pruned_deletes(key, seconds.1, lines)?;
        let track = replayer.track(key, events, seconds, &mut lines.damage)?;
        if !track.is_idle() {
            times.extend(track.in_span().iter().map(|(time, _)| *time));
            times.extend(track.cascades().iter().map(|delete| delete.place.time));
            tracks.push(track);
        }
    }
    times.sort_unstable();
    let mut times = times.as_slice();
    // Few lines need few events.
    let mut size = lines.wanted().clamp(1, FIRST_PIECE);
    while !times.is_empty() && !lines.is_full() {
        let piece = take_piece(&mut times, size, query.reverse);
        replay_piece(snapshot, query, piece, &mut tracks, &mut replayer, lines)?;
        size = (size * 4).min(PIECE);
    }
    Ok(lines.written > 0)
}

/// Takes about the given number of times from one end, and returns the first and
/// the last second of a piece that does not split a second.
fn take_piece(times: &mut &[i64], size: usize, from_the_end: bool) -> (i64, i64) {
    let cut = times.len().saturating_sub(size);
    let (rest, piece) = if from_the_end {
        let first = times.get(cut).copied().unwrap_or_default();
        times.split_at(times.partition_point(|time| *time < first))
    } else {
        let last = times.get(size.min(times.len()).saturating_sub(1));
        let last = last.copied().unwrap_or_default();
        let (piece, rest) = times.split_at(times.partition_point(|time| *time <= last));
        (rest, piece)
    };
    *times = rest;
    let first = piece.first().copied().unwrap_or(i64::MIN);
    (first, piece.last().copied().unwrap_or(i64::MAX))
}

/// Replays all tracks in a piece of the span, and writes its lines in order.
fn replay_piece(
    snapshot: &Snapshot<'_>,
    query: &HistoryQuery,
    piece: (i64, i64),
    tracks: &mut [Track],
    replayer: &mut Replayer<'_>,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let mut sorter = Sorter::new(snapshot.trail().folder().path())
        .with_memory_limit(HELD)
        .descending(query.reverse);
    for track in &mut *tracks {
        track.seconds = piece;
    }
    let tracks = &*tracks;
    let busy = || tracks.iter().filter(|track| !track.is_idle());
    replayer.read_ahead(busy().flat_map(Track::near));
    for track in busy() {
        let mut visitor = HistoryVisitor {
            query,
            after: lines.after,
            sorter: &mut sorter,
        };
        replayer.changes_of(track, &mut lines.damage, &mut visitor)?;
    }
    sorter.finish(|mark, line| Ok(lines.put_at(mark, line)?))
}

/// Makes the lines of one (sub)profile.
struct HistoryVisitor<'q> {
    query: &'q HistoryQuery,
    /// The previous page's mark.
    after: Option<Mark>,
    sorter: &'q mut Sorter<Mark>,
}

impl ReplayVisitor for HistoryVisitor<'_> {
    fn wants(&mut self, event: &Event<'_>, _: Option<u64>, _: &Replay<'_>) -> bool {
        // A previous page has the events that it covers.
        let is_written = |after: Mark| after.covers(event, self.query.reverse);
        !self.after.is_some_and(is_written)
    }

    fn wants_duplicates(&self) -> bool {
        self.query.all
    }

    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        let Some(event) = step.event else {
            return Ok(true);
        };
        let (query, duplicate_of) = (self.query, step.duplicate_of);
        let is_filtered = !query.fields.is_empty() || !query.interests.is_empty();
        let mut changes = step.changes;
        changes.retain(|change| matches_subject(&change.subject, &query.fields, &query.interests));
        if is_filtered && changes.is_empty() {
            return Ok(true);
        }
        let line = HistoryLine::new(event, changes, duplicate_of);
        let line = serde_json::to_vec(&line)?;
        self.sorter.push(Mark::of_event(event), &line)?;
        Ok(true)
    }
}
