//! `history`: the events of a (sub)profile with what each changed.

use std::collections::VecDeque;

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
    replay: Replay,
    next: Option<Occurrence>,
}

impl Track {
    fn advance(&mut self, reader: &mut EventReader, damage: &mut Damages) -> Result<(), LogError> {
        self.next = self.timeline.next(reader, damage)?;
        Ok(())
    }
}

pub(super) fn answer(
    trail: &Trail,
    query: &HistoryQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut reader = trail.reader();
    let mut keys = vec![query.key];
    if query.subprofiles && query.key.subprofile.is_none() {
        keys.extend(trail.subprofiles_of(query.key.profile)?);
    }
    let last_time = query
        .span
        .until
        .map_or(i64::MAX, |until| until.saturating_sub(1));
    let mut tracks = Vec::with_capacity(keys.len());
    for key in keys {
        let timeline = trail.events_of(key)?.up_to(last_time);
        let mut track = Track {
            timeline,
            replay: Replay::default(),
            next: None,
        };
        track.advance(&mut reader, &mut lines.damage)?;
        tracks.push(track);
    }
    // Newest first can only be told from the end, so the last lines are held.
    let mut held = VecDeque::new();
    let most = query
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    loop {
        let earliest = tracks
            .iter_mut()
            .filter(|track| track.next.is_some())
            .min_by_key(|track| {
                track
                    .next
                    .as_ref()
                    .map(|o| (o.event.time, o.event.event_type.rank(), o.event.seq))
            });
        let Some(track) = earliest else { break };
        let Some(occurrence) = track.next.take() else {
            break;
        };
        let line = line_of(query, &mut track.replay, &occurrence);
        track.advance(&mut reader, &mut lines.damage)?;
        let Some(line) = line else { continue };
        if !query.reverse {
            if !lines.put(&line)? {
                break;
            }
            continue;
        }
        held.push_front(line);
        held.truncate(most);
    }
    for line in &held {
        lines.put(line)?;
    }
    Ok(lines.written > 0)
}

/// The line of an event, if it is asked for.
fn line_of(
    query: &HistoryQuery,
    replay: &mut Replay,
    occurrence: &Occurrence,
) -> Option<HistoryLine> {
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
