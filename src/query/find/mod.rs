//! `find`: which (sub)profiles have or had a value, since when until when.
//!
//! Two steps: [`candidates`] tells which (sub)profiles may have had it, from the
//! index of lookups or by reading the log; the history of each is replayed, and
//! [`held`] makes intervals of it. The candidates go to threads in groups, in
//! their order, and only some MiB of lines are held: a (sub)profile that has
//! more is told by the one who writes, line by line.
//!
//! Leaves out what only the moment of asking decides: an interval is told whole,
//! with its end, whatever moment is asked about.

mod candidates;
mod held;
mod lines;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_store;
mod wanted;

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};

pub use lines::FindLine;
pub use wanted::{Matching, Sought, Word, Words};

use self::candidates::{Candidates, are_few, gather};
use self::held::{Follow, Interval};
use self::wanted::Wanted;
use super::answer::{Lines, QueryError, now};
use super::parallel::in_order;
use super::progress::{Progress, Stage};
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::history::Subject;
use crate::store::{Damages, EventReader, EventsOf, Snapshot, Trail};

/// Which (sub)profiles have or had a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindQuery {
    /// What is looked for.
    pub sought: Sought,
    /// Who had it once too; else only who has it at a moment.
    pub ever: bool,
    /// The moment; `None` is now.
    pub at: Option<i64>,
    /// In this database, as last named up to the end of an interval.
    pub database: Option<u64>,
    /// The most lines.
    pub limit: Option<u64>,
}

impl FindQuery {
    /// Whether the index tells the few (sub)profiles that are to be looked at,
    /// so that the answer takes neither long nor much memory.
    pub fn is_quick(&self, trail: &Trail) -> bool {
        are_few(&trail.snapshot(), &self.sought).unwrap_or(false)
    }
}

/// How many (sub)profiles go to a thread together at most.
const GROUP: usize = 512;

/// So many groups at least, if they have any size, give all cores work.
const GROUPS: usize = 8;

/// How many events are read ahead together.
const WINDOW: usize = 4096;

/// How many bytes of lines a group may have; what has more is told later.
const HELD: usize = 2 << 20;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    answer_within(snapshot, query, lines, HELD, gather)
}

/// The same, holding so many bytes of a group's lines.
fn answer_within(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    lines: &mut Lines<'_>,
    most: usize,
    gather: impl FnOnce(
        &Snapshot<'_>,
        &Sought,
        &Wanted,
        &mut Lines<'_>,
    ) -> Result<Candidates, QueryError>,
) -> Result<bool, QueryError> {
    let wanted = Wanted::new(&query.sought).map_err(QueryError::Wrong)?;
    let at = query.at.unwrap_or_else(now);
    let asked = Asked {
        wanted: &wanted,
        at: (!query.ever).then_some(at),
        database: query.database,
    };
    if let Some(before) = snapshot.retention().before()
        && asked.at.is_none_or(|at| at < before)
    {
        let before = seconds_to_rfc3339(before);
        lines.note(format!(
            "events before {before} were pruned: who had it only before is not known"
        ));
    }
    let candidates = gather(snapshot, &query.sought, &wanted, lines)?;
    let mut reader = snapshot.reader();
    let mut take = |told: Told| -> Result<bool, QueryError> {
        lines.damage.extend(told.damage);
        lines.progress.tell(told.progress);
        let mut more = lines.put_encoded(&told.lines)?;
        for key in told.rest {
            if !more {
                break;
            }
            let events = snapshot.events_of(key)?;
            let mut damage = Damages::default();
            more = asked.tell(key, &events, true, &mut reader, &mut damage, |line| {
                Ok(lines.put(&line)?)
            })?;
            lines.damage.extend(damage);
        }
        Ok(more)
    };
    match candidates {
        Candidates::Some(keys) => {
            let all = keys.len() as u64;
            let group = (keys.len() / GROUPS).clamp(16, GROUP);
            let mut groups = keys.chunks(group);
            let mut done = 0;
            replay(
                snapshot,
                asked,
                most,
                move || {
                    Ok(groups.next().map(|keys| {
                        done += keys.len() as u64;
                        (keys.to_vec(), done, all)
                    }))
                },
                &mut take,
            )?;
        }
        Candidates::All => {
            let mut after = None;
            let mut done = 0;
            replay(
                snapshot,
                asked,
                most,
                move || {
                    let keys = snapshot.some_keys_after(after)?;
                    let Some(last) = keys.last() else {
                        return Ok(None);
                    };
                    after = Some(*last);
                    done += keys.len() as u64;
                    Ok(Some((keys, done, 0)))
                },
                &mut take,
            )?;
        }
    }
    Ok(lines.written > 0)
}

/// (Sub)profiles to look at, how many are done with them, and of how many; 0
/// where that is not known.
type Group = (Vec<ProfileKey>, u64, u64);

/// Has threads tell of groups of (sub)profiles.
fn replay(
    snapshot: &Snapshot<'_>,
    asked: Asked<'_>,
    most: usize,
    next: impl FnMut() -> Result<Option<Group>, QueryError> + Send,
    take: &mut dyn FnMut(Told) -> Result<bool, QueryError>,
) -> Result<(), QueryError> {
    in_order(
        next,
        || snapshot.reader(),
        |reader, (keys, done, all): Group| {
            let mut told = asked.group(snapshot, &keys, most, reader)?;
            told.progress = Progress {
                stage: Stage::Replaying,
                done,
                all: all.max(done),
            };
            Ok(told)
        },
        take,
    )
}

/// What a group of (sub)profiles came to.
#[derive(Default)]
struct Told {
    lines: Vec<u8>,
    damage: Damages,
    /// Those of which nothing is told yet: there is too much.
    rest: Vec<ProfileKey>,
    progress: Progress,
}

/// Which intervals are asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    wanted: &'a Wanted,
    /// Those that hold at a moment; `None` for all.
    at: Option<i64>,
    database: Option<u64>,
}

impl Asked<'_> {
    /// Tells of some (sub)profiles, which come in order.
    fn group(
        &self,
        snapshot: &Snapshot<'_>,
        keys: &[ProfileKey],
        most: usize,
        reader: &mut EventReader,
    ) -> Result<Told, QueryError> {
        let mut told = Told::default();
        let mut waiting: Vec<(ProfileKey, EventsOf)> = Vec::new();
        let mut events = 0;
        let mut all = keys.iter();
        snapshot.each_events_of::<QueryError>(keys, |own| {
            let Some(key) = all.next() else {
                return Ok(());
            };
            if events + own.times.len() > WINDOW {
                self.some(&waiting, most, reader, &mut told)?;
                waiting.clear();
                events = 0;
            }
            events += own.times.len();
            waiting.push((*key, own));
            Ok(())
        })?;
        self.some(&waiting, most, reader, &mut told)?;
        Ok(told)
    }

    /// Tells of those whose events fit into a window, or of one alone.
    fn some(
        &self,
        waiting: &[(ProfileKey, EventsOf)],
        most: usize,
        reader: &mut EventReader,
        told: &mut Told,
    ) -> Result<(), QueryError> {
        let together = waiting.len() > 1;
        if together {
            let seqs = waiting.iter().flat_map(|(_, events)| &events.times);
            reader.read_ahead(seqs.map(|(_, seq)| *seq).collect());
        }
        for (key, events) in waiting {
            if !told.rest.is_empty() {
                told.rest.push(*key);
                continue;
            }
            let begin = told.lines.len();
            let (out, mut damage) = (&mut told.lines, Damages::default());
            let whole = self.tell(*key, events, !together, reader, &mut damage, |line| {
                serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
                out.push(b'\n');
                Ok(out.len() <= most)
            })?;
            if whole {
                told.damage.extend(damage);
            } else {
                told.lines.truncate(begin);
                told.rest.push(*key);
            }
        }
        Ok(())
    }

    /// Hands the lines of a (sub)profile to `put` until that answers `false`,
    /// which is the answer then; reads ahead in windows where `alone`.
    fn tell(
        &self,
        key: ProfileKey,
        events: &EventsOf,
        alone: bool,
        reader: &mut EventReader,
        damage: &mut Damages,
        mut put: impl FnMut(FindLine<'_>) -> Result<bool, QueryError>,
    ) -> Result<bool, QueryError> {
        let mut timeline = events.timeline(i64::MAX);
        if !alone {
            timeline = timeline.without_window();
        }
        let mut follow = Follow::new(self.wanted, events.baseline.clone());
        while let Some(occurrence) = timeline.next(reader, damage)? {
            if occurrence.duplicate_of.is_none() {
                follow.step(&occurrence.event);
                if !self.put(key, &mut follow, &mut put)? {
                    return Ok(false);
                }
            }
        }
        follow.finish();
        self.put(key, &mut follow, &mut put)
    }

    /// Hands over what is whole by now.
    fn put(
        &self,
        key: ProfileKey,
        follow: &mut Follow<'_>,
        put: &mut impl FnMut(FindLine<'_>) -> Result<bool, QueryError>,
    ) -> Result<bool, QueryError> {
        let (database, collection) = follow.attributes();
        for interval in follow.done() {
            let asked = self.at.is_none_or(|at| interval.holds_at(at))
                && self.database.is_none_or(|wanted| database == Some(wanted));
            if asked {
                let mut line = self.line(key, interval);
                (line.database, line.collection) = (database, collection);
                if !put(line)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn line(&self, key: ProfileKey, interval: Interval) -> FindLine<'_> {
        let (field, interest) = match self.wanted.subject() {
            Subject::Field(name) => (Some(Cow::Borrowed(name.as_ref())), None),
            Subject::Interest(name) => (None, Some(Cow::Borrowed(name.as_ref()))),
        };
        FindLine {
            profile: key.profile,
            subprofile: key.subprofile,
            database: None,
            collection: None,
            field,
            interest,
            value: interval.value,
            since: seconds_to_rfc3339(interval.since.0),
            since_seq: interval.since.1,
            cause: Cow::Borrowed(interval.cause.name()),
            until: interval.until.map(|(time, _)| seconds_to_rfc3339(time)),
            until_seq: interval.until.map(|(_, seq)| seq),
        }
    }
}
