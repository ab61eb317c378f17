//! `changes`: what changed when, over all profiles.
//!
//! (Sub)profiles are replayed one after the other, so that one state at a time
//! is in memory; what is asked for is sorted by time and `seq`, on disk where
//! it is much. Only (sub)profiles with an event in the span are replayed.

use super::answer::{Lines, QueryError};
use super::filter::{concerns, value_is};
use super::lines::ChangesLine;
use super::request::ChangesQuery;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, Replay};
use crate::trail::{EventReader, Sorter, Trail, TrailError};

/// How many (sub)profiles are asked of the index at once.
const KEYS: usize = 1024;

pub(super) fn answer(
    trail: &Trail,
    query: &ChangesQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut sorter = Sorter::new(trail.folder().path());
    let mut reader = trail.reader();
    let (since, until) = query.span.bounds();
    let mut each = |key: ProfileKey, lines: &mut Lines<'_>| -> Result<(), QueryError> {
        if trail.touches(key, since, until)? {
            replay_key(trail, query, key, &mut reader, &mut sorter, lines)?;
        }
        Ok(())
    };
    match (query.profile, query.subprofile) {
        (Some(profile), Some(subprofile)) => {
            each(ProfileKey::subprofile(profile, subprofile), lines)?
        }
        (Some(profile), None) => {
            each(ProfileKey::profile(profile), lines)?;
            for key in trail.subprofiles_of(profile)? {
                each(key, lines)?;
            }
        }
        (None, _) => {
            let mut after = None;
            loop {
                let keys = trail.keys_after(after, KEYS)?;
                for key in &keys {
                    each(*key, lines)?;
                }
                match keys.last() {
                    Some(last) => after = Some(*last),
                    None => break,
                }
            }
        }
    }
    sorter.finish::<std::io::Error>(|blob| lines.put_encoded(blob))?;
    Ok(lines.written > 0)
}

fn replay_key(
    trail: &Trail,
    query: &ChangesQuery,
    key: ProfileKey,
    reader: &mut EventReader,
    sorter: &mut Sorter,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let last_time = query
        .span
        .until
        .map_or(i64::MAX, |until| until.saturating_sub(1));
    let mut timeline = trail.events_of(key)?.up_to(last_time);
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
