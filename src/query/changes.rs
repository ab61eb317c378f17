//! `changes`: what changed when, over all profiles.
//!
//! (Sub)profiles are replayed one after the other, so that one state at a time
//! is in memory; what is asked for is sorted by time and `seq`, on disk where
//! it is much. Only (sub)profiles with an event in the span are replayed. Their
//! records are read ahead for many (sub)profiles at once, in the order of the
//! log: one by one, every event would cost the reading of a block.

use super::answer::{Lines, QueryError};
use super::filter::{concerns, value_is};
use super::lines::ChangesLine;
use super::request::ChangesQuery;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, Replay};
use crate::trail::{EventReader, Sorter, Timeline, Trail, TrailError};

/// How many events are read ahead at once; a body has about 1 KB.
const READ_AHEAD: usize = 32_768;

pub(super) fn answer(
    trail: &Trail,
    query: &ChangesQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut run = Run {
        trail,
        query,
        reader: trail.reader(),
        sorter: Sorter::new(trail.folder().path()),
        waiting: Vec::new(),
        events: 0,
    };
    trail.each_key(query.profile, query.subprofile, |key| run.add(key, lines))?;
    run.replay_waiting(lines)?;
    run.sorter
        .finish::<std::io::Error>(|blob| lines.put_encoded(blob))?;
    Ok(lines.written > 0)
}

/// An answer in the making.
struct Run<'a> {
    trail: &'a Trail,
    query: &'a ChangesQuery,
    reader: EventReader,
    sorter: Sorter,
    /// (Sub)profiles to be replayed: their (time, `seq`) pairs.
    waiting: Vec<Vec<(i64, u64)>>,
    /// How many events those have.
    events: usize,
}

impl Run<'_> {
    /// Takes a (sub)profile, if it has an event in the span.
    fn add(&mut self, key: ProfileKey, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        let (since, until) = self.query.span.bounds();
        if !self.trail.touches(key, since, until)? {
            return Ok(());
        }
        let mut times = self.trail.times_of(key)?;
        times.truncate(times.partition_point(|(time, _)| *time < until));
        if times.last().is_none_or(|(time, _)| *time < since) {
            return Ok(());
        }
        self.events += times.len();
        self.waiting.push(times);
        if self.events >= READ_AHEAD {
            self.replay_waiting(lines)?;
        }
        Ok(())
    }

    fn replay_waiting(&mut self, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        let waiting = std::mem::take(&mut self.waiting);
        // One (sub)profile alone may have more events than should be held.
        if self.events < 2 * READ_AHEAD {
            let seqs = waiting
                .iter()
                .flat_map(|times| times.iter().map(|(_, seq)| *seq));
            self.reader.read_ahead(seqs.collect());
        } else {
            self.reader.read_ahead(Vec::new());
        }
        self.events = 0;
        for times in waiting {
            let timeline = Timeline::new(times);
            replay(
                self.trail,
                self.query,
                timeline,
                &mut self.reader,
                &mut self.sorter,
                lines,
            )?;
        }
        Ok(())
    }
}

fn replay(
    trail: &Trail,
    query: &ChangesQuery,
    mut timeline: Timeline,
    reader: &mut EventReader,
    sorter: &mut Sorter,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let mut replay = Replay::default();
    while let Some(occurrence) = timeline.next(reader, &mut lines.damage)? {
        if occurrence.duplicate_of.is_some() {
            continue;
        }
        let event = &occurrence.event;
        let changes = replay.step(event);
        if !query.span.holds(event.time) || !event_matches(query, event) {
            continue;
        }
        let mut blob = Vec::new();
        for change in changes {
            if change_matches(query, &change) {
                serde_json::to_writer(&mut blob, &ChangesLine::new(event, change))
                    .map_err(std::io::Error::from)?;
                blob.push(b'\n');
            }
        }
        if !blob.is_empty() {
            sorter
                .push(event.time, event.seq, blob)
                .map_err(TrailError::io("sorting in", trail.folder().path()))?;
        }
    }
    Ok(())
}

fn event_matches(query: &ChangesQuery, event: &Event) -> bool {
    let label = event.label.as_deref();
    query
        .database
        .is_none_or(|database| event.database == Some(database))
        && query
            .collection
            .is_none_or(|collection| event.collection == Some(collection))
        && (query.labels.is_empty() || query.labels.iter().any(|wanted| label == Some(wanted)))
}

fn change_matches(query: &ChangesQuery, change: &Change) -> bool {
    concerns(change, &query.fields, &query.interests)
        && query
            .old
            .as_ref()
            .is_none_or(|old| value_is(change.old.as_ref(), old))
        && query
            .new
            .as_ref()
            .is_none_or(|new| value_is(Some(&change.new), new))
        && (query.causes.is_empty()
            || query
                .causes
                .iter()
                .any(|cause| cause == change.cause.name()))
}
