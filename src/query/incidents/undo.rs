//! Which values of an incident can be what they were before it.
//!
//! Of each (sub)profile the first old value and the last new one of the incident
//! are sorted by its number, on disk where they are many; then its present value
//! is looked up. Only what still holds the value that the incident left, and
//! whose earlier value is known, is to be restored.

use std::borrow::Cow;
use std::io;

use super::counts::Group;
use super::lines::{Left, UndoLine};
use crate::event::{Event, Fields, ProfileKey, seconds_to_rfc3339};
use crate::history::{Change, Known, Subject, Value, tells_all};
use crate::query::answer::{Lines, QueryError, now};
use crate::query::changes::{Gather, gather};
use crate::query::filter::Filter;
use crate::query::past::{Before, replay_after};
use crate::store::{Batch, Damages, EventReader, Snapshot, Sorter, TrailError};

/// What an incident did to the (sub)profiles of one thread.
struct Harmed<'g> {
    group: &'g Group<'static>,
    found: Vec<(ProfileKey, UndoLine<'static>)>,
}

impl Gather for Harmed<'_> {
    fn take(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        if !self.group.is_of(event) {
            return Ok(());
        }
        let own = |change: &&Change<'_>| change.subject == self.group.subject;
        let Some(change) = changes.iter().find(own) else {
            return Ok(());
        };
        let bad = change.new.to_owned();
        let (seq, time) = (event.seq, seconds_to_rfc3339(event.time));
        match self.found.last_mut() {
            Some((key, line)) if *key == event.key => {
                line.bad = bad;
                line.seq = seq;
                line.time = time;
            }
            _ => {
                let name = Some(Cow::Owned(change.subject.name().to_owned()));
                let (field, interest) = match change.subject {
                    Subject::Field(_) => (name, None),
                    Subject::Interest(_) => (None, name),
                };
                let line = UndoLine {
                    profile: event.key.profile,
                    subprofile: event.key.subprofile,
                    field,
                    interest,
                    old: change.old.as_ref().map(Value::to_owned),
                    bad,
                    now: None,
                    seq,
                    time,
                    left: None,
                };
                self.found.push((event.key, line));
            }
        }
        Ok(())
    }
}

/// Writes a line for each (sub)profile that changes like these harmed, in the
/// order of their numbers.
pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    group: &Group<'static>,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let sorting = |error| TrailError::io("sorting in", snapshot.trail().folder().path())(error);
    let mut sorter = Sorter::new(snapshot.trail().folder().path());
    let make = || Harmed {
        group,
        found: Vec::new(),
    };
    gather(snapshot, filter, lines, &make, &mut |harmed| {
        for (key, line) in harmed.found {
            // Numbers beyond the half of what there can be go last.
            let first = i64::try_from(key.profile).unwrap_or(i64::MAX);
            let blob = serde_json::to_vec(&line).map_err(io::Error::from)?;
            sorter
                .push(first, key.subprofile.unwrap_or_default(), blob)
                .map_err(sorting)?;
        }
        Ok(())
    })?;
    let mut reader = snapshot.reader();
    let none = Batch::default();
    let at = now();
    // The profile of the last subprofile, and whether it was deleted.
    let mut profile = (None, false);
    sorter.finish::<QueryError>(|blob| {
        let mut line: UndoLine<'_> = serde_json::from_slice(blob).map_err(io::Error::from)?;
        let key = ProfileKey {
            profile: line.profile,
            subprofile: line.subprofile,
        };
        let mut known_of =
            |key| known_at(snapshot, (key, at), &none, &mut reader, &mut lines.damage);
        line.now = value_now(&known_of(key)?, &group.subject);
        if key.subprofile.is_some() && profile.0 != Some(key.profile) {
            let known = known_of(ProfileKey::profile(key.profile))?;
            profile = (Some(key.profile), matches!(known, Known::Deleted { .. }));
        }
        if key.subprofile.is_some() && profile.1 {
            // Its subprofiles go with a profile, without a call.
            line.now = None;
        }
        line.left = left(&line);
        Ok(lines.put(&line)?)
    })
}

/// What is known of a (sub)profile at a moment.
fn known_at<'a>(
    snapshot: &Snapshot<'_>,
    (key, at): (ProfileKey, i64),
    none: &'a Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
) -> Result<Known<'a>, QueryError> {
    let events = snapshot.events_of(key)?;
    let before = Before::up_to(&events, at);
    Ok(replay_after(before, None, none, reader, damage, tells_all)?.known)
}

/// The present value; `None` where the (sub)profile was deleted.
fn value_now(known: &Known<'_>, subject: &Subject<'_>) -> Option<Value<'static>> {
    let state = known.state()?;
    Some(match subject {
        Subject::Field(name) => field_now(&state.fields, name),
        Subject::Interest(name) => Value::Member(state.interests.contains(name.as_ref())),
    })
}

fn field_now(fields: &Fields<'_>, name: &str) -> Value<'static> {
    match fields.get(name) {
        Some(value) => Value::Text(Cow::Owned(value.to_string())),
        None => Value::Absent,
    }
}

/// Why a value is left alone, if it is.
fn left(line: &UndoLine<'_>) -> Option<Left> {
    match (&line.old, &line.now) {
        (_, None) => Some(Left::Deleted),
        (_, Some(now)) if *now != line.bad => Some(Left::ChangedSince),
        (None, _) => Some(Left::OldUnknown),
        (Some(Value::Absent), _) => Some(Left::WasAbsent),
        (Some(old), _) if *old == line.bad => Some(Left::SameAsBefore),
        _ => None,
    }
}
