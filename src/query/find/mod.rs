//! `find`: the (sub)profiles that have or had a value, with its start and end.
//!
//! Two steps: [`candidates`] finds the (sub)profiles that may have had it, from the
//! lookup index or the log; the history of each is replayed into intervals
//! ([`IntervalBuilder`]). Candidates go to threads in groups, in order, and a group
//! holds some MiB of lines: a (sub)profile with more is written line by line by the
//! caller.
//!
//! The requested moment only selects: an interval is returned whole, with its end.

mod candidates;
mod matcher;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_store;

pub use matcher::FindQuery;

use self::candidates::{MOST_KEYS, gather};
use self::matcher::ValueMatcher;
use super::answer::{Lines, QueryError};
use super::lines::FindLine;
use super::progress::{Progress, Stage};
use super::replay::{ALWAYS, ReplayVisitor, Replayer, Step, Track};
use crate::event::{ProfileKey, now_seconds, seconds_to_rfc3339};
use crate::history::{Interval, IntervalBuilder, Replay, Subject, Value};
use crate::store::{Damages, Snapshot};

/// The maximum number of (sub)profiles that go to a thread together.
const GROUP: usize = 512;

/// The minimum number of groups, if there are enough keys, so that all cores have
/// work.
const GROUPS: usize = 8;

/// The maximum number of bytes of lines that a group holds.
const HELD: usize = 2 << 20;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    answer_within(snapshot, query, lines, HELD, MOST_KEYS)
}

/// The same, with a limit for the bytes of a group's lines and for the candidates.
fn answer_within(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    lines: &mut Lines<'_>,
    most: usize,
    most_keys: usize,
) -> Result<bool, QueryError> {
    let matcher = ValueMatcher::new(query).map_err(QueryError::Wrong)?;
    let at = query.at.unwrap_or_else(now_seconds);
    let asked = Asked {
        matcher: &matcher,
        at: (!query.ever).then_some(at),
        database: query.database,
        most,
    };
    if let Some(before) = snapshot.retention().before()
        && asked.at.is_none_or(|at| at < before)
    {
        let before = seconds_to_rfc3339(before);
        lines.note(format!(
            "events before {before} were pruned: profiles that had the value only before then are missing"
        ));
    }
    let candidates = gather(snapshot, query, &matcher, most_keys, lines)?;
    let (all, group) = match &candidates {
        Some(keys) => (keys.len() as u64, (keys.len() / GROUPS).clamp(16, GROUP)),
        None => (0, GROUP),
    };
    let every_key = candidates.is_none().then(|| snapshot.keys(None));
    let candidates = candidates.into_iter().flatten().map(Ok);
    let mut keys = candidates.chain(every_key.into_iter().flatten());
    let mut done = 0;
    let next = move || {
        let keys = keys.by_ref().take(group).collect::<Result<Vec<_>, _>>()?;
        done += keys.len() as u64;
        let progress = Progress::new(Stage::Replaying, done, all.max(done));
        Ok((!keys.is_empty()).then_some((keys, progress)))
    };
    let mut own = Replayer::new(snapshot, query.cascade);
    lines.in_order(
        next,
        || Replayer::new(snapshot, query.cascade),
        |replayer, keys, damage| asked.group(&keys, replayer, damage),
        |lines, (encoded, rest)| {
            let mut more = lines.put_encoded(&encoded)?;
            for key in rest {
                if !more {
                    break;
                }
                let events = snapshot.events_of(key)?;
                let mut damage = Damages::default();
                let track = own.track(key, events, ALWAYS, &mut damage)?;
                let (own, damage) = (&mut own, &mut damage);
                let mut put = |line: FindLine<'_>| Ok(lines.put(&line)?);
                more = asked.each_line(&track, own, damage, &mut put)?;
                lines.damage.extend(std::mem::take(damage));
            }
            Ok(more)
        },
    )?;
    Ok(lines.written > 0)
}

/// The filter of intervals.
#[derive(Clone, Copy)]
struct Asked<'a> {
    matcher: &'a ValueMatcher,
    /// Those that include a moment; `None` for all.
    at: Option<i64>,
    database: Option<u64>,
    /// The maximum number of bytes of lines that a group holds.
    most: usize,
}

impl Asked<'_> {
    /// The lines of some (sub)profiles in order, up to one that has too many to be held. Also
    /// returns that one and those after it, which the caller writes.
    fn group(
        &self,
        keys: &[ProfileKey],
        replayer: &mut Replayer<'_>,
        damage: &mut Damages,
    ) -> Result<(Vec<u8>, Vec<ProfileKey>), QueryError> {
        let mut lines: Vec<u8> = Vec::new();
        let mut rest: Vec<ProfileKey> = Vec::new();
        let mut all = Damages::default();
        replayer.each_track(
            keys,
            |_| ALWAYS,
            &mut all,
            |replayer, track, _| {
                if !rest.is_empty() {
                    rest.push(track.key);
                    return Ok(());
                }
                let begin = lines.len();
                let (out, mut own) = (&mut lines, Damages::default());
                let is_whole = self.each_line(track, replayer, &mut own, &mut |line| {
                    serde_json::to_writer(&mut *out, &line)?;
                    out.push(b'\n');
                    Ok(out.len() <= self.most)
                })?;
                if is_whole {
                    damage.extend(own);
                } else {
                    lines.truncate(begin);
                    rest.push(track.key);
                }
                Ok(())
            },
        )?;
        damage.extend(all);
        Ok((lines, rest))
    }

    /// Passes the lines of a (sub)profile to `put` until it returns `false`, which
    /// is then returned.
    fn each_line(
        &self,
        track: &Track,
        replayer: &mut Replayer<'_>,
        damage: &mut Damages,
        put: &mut PutLine<'_>,
    ) -> Result<bool, QueryError> {
        let follows = |subject: &Subject<'_>, value: &Value<'_>| {
            *subject == self.matcher.subject && self.matcher.matches(value)
        };
        let mut visitor = FindVisitor {
            asked: self,
            key: track.key,
            intervals: IntervalBuilder::of(track.events.baseline.clone(), &follows),
            put,
        };
        replayer.changes_of(track, damage, &mut visitor)
    }
}

/// Takes a line; `false` if no more are wanted.
type PutLine<'p> = dyn FnMut(FindLine<'_>) -> Result<bool, QueryError> + 'p;

/// Writes the intervals of a (sub)profile as they end.
struct FindVisitor<'a> {
    asked: &'a Asked<'a>,
    key: ProfileKey,
    intervals: IntervalBuilder<'a>,
    put: &'a mut PutLine<'a>,
}

impl FindVisitor<'_> {
    /// Writes those of the intervals that match.
    fn put(
        &mut self,
        intervals: impl IntoIterator<Item = Interval>,
        replay: &Replay<'_>,
    ) -> Result<bool, QueryError> {
        let (at, wanted) = (self.asked.at, self.asked.database);
        for interval in intervals {
            let since = (interval.since.time, interval.since.seq);
            let until = interval.until.map(|end| (end.time, end.seq));
            // Before a baseline, nothing is known after the moment itself.
            let (until, database, collection) = match interval.is_moment {
                true => (Some(since), None, None),
                false => (until, replay.database, replay.collection),
            };
            let holds_at = |at: i64| since.0 <= at && until.is_none_or(|(until, _)| at < until);
            if !at.is_none_or(holds_at) || (wanted.is_some() && wanted != database) {
                continue;
            }
            let line = FindLine {
                who: self.key,
                database,
                collection,
                subject: interval.subject,
                value: interval.value,
                since: seconds_to_rfc3339(since.0),
                since_seq: since.1,
                cause: interval.since.cause,
                until: until.map(|(time, _)| seconds_to_rfc3339(time)),
                until_seq: until.map(|(_, seq)| seq),
            };
            if !(self.put)(line)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl ReplayVisitor for FindVisitor<'_> {
    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        let ended = self.intervals.visit(&step);
        self.put(ended, step.replay)
    }

    fn finish(&mut self, replay: &Replay<'_>) -> Result<bool, QueryError> {
        let ended = self.intervals.follow_baseline(replay);
        let open = std::mem::take(&mut self.intervals.open).into_values();
        self.put(ended.into_iter().chain(open), replay)
    }
}
