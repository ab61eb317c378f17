//! Events in the order of arrival, some at a time, with what each changed.
//!
//! The heads of a page's events are read in the order of the log. Then, by
//! (sub)profile and time, what came before each is read, mostly one event, all
//! in one more pass; that makes a page as cheap as the same events in `changes`.

use std::collections::VecDeque;
use std::io;

use crate::event::{EventType, ProfileKey};
use crate::history::{Replay, tells_all};
use crate::log::record::{EventHead, RecordError};
use crate::log::{Cursor, LogError};
use crate::query::answer::QueryError;
use crate::query::changes::{attributes_match, change_matches};
use crate::query::filter::Span;
use crate::query::lines::HistoryLine;
use crate::query::past::{Before, replay_after};
use crate::query::progress::{Progress, Stage};
use crate::query::request::ChangesQuery;
use crate::query::second::Track;
use crate::retention::Retention;
use crate::trail::{Damages, EventReader, EventsOf, GoneSeconds, Missing, Trail, TrailError};

/// How many events a page has at most, …
const EVENTS: usize = 512;

/// … how many bytes their records have, about, …
const BYTES: usize = 256 << 10;

/// … and how many events are looked at for it.
const SEARCHED: u64 = 1 << 14;

/// How many events are looked at first for the newest ones; then each time
/// four times as many.
const FIRST: u64 = 64;

/// From so many events on, those of one profile are looked up in the index.
const MANY: u64 = 4096;

/// How many bytes of records are read ahead.
const AHEAD: usize = 1 << 20;

/// How many events before a second are read ahead.
const EARLIER: usize = 4;

/// Up to so many events between two of a (sub)profile are replayed rather than
/// what came before looked for anew.
const BETWEEN: usize = 16;

/// How many (time, `seq`) pairs of (sub)profiles are held at once, about.
const PAIRS: usize = 1 << 16;

/// Whether an event's changes decide if it is meant.
fn by_changes(query: &ChangesQuery) -> bool {
    !query.fields.is_empty()
        || !query.interests.is_empty()
        || !query.causes.is_empty()
        || query.old.is_some()
        || query.new.is_some()
}

/// The `seq` of events, and their lines, each with its end.
pub type EventLines = Vec<(u64, Vec<u8>)>;

/// What is known of an event before its body is read.
#[derive(Clone, Copy)]
struct Head {
    key: ProfileKey,
    time: i64,
    seq: u64,
    /// Whether its type can change anything.
    changes: bool,
}

/// Reads the events of some stretches of the log.
pub struct Pages<'t> {
    trail: &'t Trail,
    query: &'t ChangesQuery,
    /// First and last `seq` of what is still to be read, ascending.
    stretches: VecDeque<(u64, u64)>,
    /// Up to where it is read.
    last: u64,
    readers: Option<Readers>,
}

struct Readers {
    /// Of heads.
    cursor: Cursor,
    /// Of the events of a page, and of those just before.
    page: EventReader,
    /// Of what else came before.
    earlier: EventReader,
}

impl Readers {
    fn of(trail: &Trail) -> Self {
        Self {
            cursor: trail.events().cursor(),
            page: trail.reader().holding(AHEAD),
            earlier: trail.reader().holding(AHEAD),
        }
    }
}

impl<'t> Pages<'t> {
    /// The events after `after` up to `last`, which the index knows.
    pub fn between(
        trail: &'t Trail,
        query: &'t ChangesQuery,
        after: u64,
        last: u64,
    ) -> Result<Self, QueryError> {
        let first = after.saturating_add(1);
        let many = last.saturating_sub(after) > MANY;
        let stretches = if first > last {
            Vec::new()
        } else if many && query.profile.is_some() {
            of_profile(trail, query)?
        } else if many && query.span != Span::default() {
            let (since, until) = query.span.bounds();
            trail.events().stretches_touching(since, until)?
        } else {
            vec![(first, last)]
        };
        let within = |(begin, end): (u64, u64)| {
            let (begin, end) = (begin.max(first), end.min(last));
            (begin <= end).then_some((begin, end))
        };
        Ok(Self {
            trail,
            query,
            stretches: stretches.into_iter().filter_map(within).collect(),
            last,
            readers: None,
        })
    }

    /// Whether all is read.
    pub fn is_over(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Lets go of what was read ahead.
    pub fn rest(&mut self) {
        self.readers = None;
    }

    /// The lines of the next events in the order of `seq`, and up to where that
    /// is all.
    pub fn next(&mut self, damage: &mut Damages) -> Result<(EventLines, u64), QueryError> {
        let retention = self.trail.retention();
        let mut heads = Vec::new();
        let (mut bytes, mut searched) = (0, 0);
        while let Some((first, last)) = self.stretches.pop_front() {
            if heads.len() >= EVENTS || bytes >= BYTES || searched >= SEARCHED {
                self.stretches.push_front((first, last));
                break;
            }
            searched += 1;
            let next = self.look(first, &retention, damage, |head, len| {
                heads.push(head);
                bytes += len;
            })?;
            if next <= last {
                self.stretches.push_front((next, last));
            }
        }
        let through = match self.stretches.front() {
            Some((first, _)) => first.saturating_sub(1),
            None => self.last,
        };
        let mut lines = Vec::with_capacity(heads.len());
        self.tell(heads, damage, &mut |seq, line| lines.push((seq, line)))?;
        lines.sort_unstable_by_key(|(seq, _)| *seq);
        Ok((lines, through))
    }

    /// Looks backwards for the `most` newest events that are meant, and tells
    /// the `seq` before the first of them.
    pub fn start_of_last(
        mut self,
        most: u64,
        tell: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> Result<u64, QueryError> {
        let retention = self.trail.retention();
        // It is told when the lines are.
        let mut damage = Damages::default();
        let mut left = usize::try_from(most).unwrap_or(usize::MAX);
        let mut size = FIRST;
        while !self.stretches.is_empty() {
            let mut heads = Vec::new();
            for (mut seq, last) in self.take_back(size) {
                while seq <= last {
                    seq = self.look(seq, &retention, &mut damage, |head, _| heads.push(head))?;
                }
            }
            let mut found: Vec<u64> = Vec::new();
            if by_changes(self.query) {
                self.tell(heads, &mut damage, &mut |seq, _| found.push(seq))?;
                found.sort_unstable();
            } else {
                found.extend(heads.iter().map(|head| head.seq));
            }
            if let Some(first) = found.len().checked_sub(left).and_then(|at| found.get(at)) {
                return Ok(first.saturating_sub(1));
            }
            left -= found.len();
            size = (size * 4).min(EVENTS as u64);
            let to_do = self.stretches.back().map_or(0, |(_, last)| *last);
            tell(Progress {
                stage: Stage::Reading,
                done: self.last.saturating_sub(to_do),
                all: self.last,
            })?;
        }
        Ok(0)
    }

    /// Takes the last events, at most so many, ascending.
    fn take_back(&mut self, most: u64) -> Vec<(u64, u64)> {
        let mut taken = Vec::new();
        let mut left = most;
        while left > 0
            && let Some((first, last)) = self.stretches.pop_back()
        {
            let from = first.max((last + 1).saturating_sub(left));
            if first < from {
                self.stretches.push_back((first, from - 1));
            }
            left -= last + 1 - from;
            taken.push((from, last));
        }
        taken.reverse();
        taken
    }

    /// Looks at the head of an event, and hands it with the length of its record
    /// to `meant` where it is asked for. Tells the `seq` to look at next.
    fn look(
        &mut self,
        seq: u64,
        retention: &Retention,
        damage: &mut Damages,
        meant: impl FnOnce(Head, usize),
    ) -> Result<u64, QueryError> {
        let (trail, query) = (self.trail, self.query);
        let readers = self.readers.get_or_insert_with(|| Readers::of(trail));
        let next = seq.saturating_add(1);
        let record = match readers.cursor.get(seq) {
            Ok(record) => record,
            Err(error) => {
                let LogError::Damaged { damage: found, .. } = &error else {
                    return Err(error.into());
                };
                damage.add(error.to_string());
                return Ok(next.max(found.last_seq.saturating_add(1)));
            }
        };
        if retention.hides_record(seq, record) {
            return Ok(next);
        }
        let head = match EventHead::decode(record) {
            Ok((head, _)) => head,
            Err(error) => {
                let after = match &error {
                    RecordError::Lost(lost) => lost.last.saturating_add(1),
                    _ => next,
                };
                damage.add(Missing::of_record(seq, error));
                return Ok(next.max(after));
            }
        };
        let key = head.key();
        let of_whom = query.profile.is_none_or(|profile| profile == key.profile)
            && query
                .subprofile
                .is_none_or(|own| Some(own) == key.subprofile);
        if of_whom
            && query.span.holds(head.time)
            && attributes_match(query, head.database, head.collection, head.label)
        {
            let event_type = EventType::from(head.event_type);
            let head = Head {
                key,
                time: head.time,
                seq,
                changes: !matches!(event_type, EventType::Other(_)),
            };
            meant(head, record.len());
        }
        Ok(next)
    }

    /// Makes the lines of events and hands them to `each`, in no order.
    fn tell(
        &mut self,
        mut heads: Vec<Head>,
        damage: &mut Damages,
        each: &mut dyn FnMut(u64, Vec<u8>),
    ) -> Result<(), QueryError> {
        let (trail, query) = (self.trail, self.query);
        let readers = self.readers.get_or_insert_with(|| Readers::of(trail));
        heads.sort_unstable_by_key(|head| (head.key, head.time, head.seq));
        let mut keys: Vec<ProfileKey> = heads.iter().map(|head| head.key).collect();
        keys.dedup();
        let mut groups = heads.chunk_by(|a, b| a.key == b.key);
        let mut held: Vec<(EventsOf, &[Head])> = Vec::new();
        let mut pairs = 0;
        trail.each_events_of::<QueryError>(&keys, |events| {
            pairs += events.times.len();
            held.extend(groups.next().map(|heads| (events, heads)));
            if pairs > PAIRS {
                readers.tell(query, &held, damage, each)?;
                held.clear();
                pairs = 0;
            }
            Ok(())
        })?;
        readers.tell(query, &held, damage, each)
    }
}

/// The `seq` of a (sub)profile's events in the span, as stretches.
fn of_profile(trail: &Trail, query: &ChangesQuery) -> Result<Vec<(u64, u64)>, TrailError> {
    let mut seqs = Vec::new();
    trail.each_key(query.profile, query.subprofile, |key| {
        let times = trail.times_of(key)?.into_iter();
        seqs.extend(times.filter_map(|(time, seq)| query.span.holds(time).then_some((seq, seq))));
        Ok::<(), TrailError>(())
    })?;
    seqs.sort_unstable();
    Ok(seqs)
}

impl Readers {
    /// Makes the lines of the events of some (sub)profiles.
    fn tell(
        &mut self,
        query: &ChangesQuery,
        tracks: &[(EventsOf, &[Head])],
        damage: &mut Damages,
        each: &mut dyn FnMut(u64, Vec<u8>),
    ) -> Result<(), QueryError> {
        let mut seqs = Vec::new();
        for (events, heads) in tracks {
            seqs.extend(heads.iter().map(|head| head.seq));
            for second in heads.chunk_by(|a, b| a.time == b.time) {
                let time = second.first().map_or(i64::MIN, |head| head.time);
                let earlier = events.up_to(time.saturating_sub(1)).iter().rev();
                seqs.extend(earlier.take(EARLIER).map(|(_, seq)| *seq));
            }
        }
        self.page.read_ahead(seqs);
        for (events, heads) in tracks {
            self.tell_track(query, events, heads, damage, each)?;
        }
        Ok(())
    }

    /// Makes the lines of some events of one (sub)profile, ordered by time and `seq`.
    fn tell_track(
        &mut self,
        query: &ChangesQuery,
        events: &EventsOf,
        heads: &[Head],
        damage: &mut Damages,
        each: &mut dyn FnMut(u64, Vec<u8>),
    ) -> Result<(), QueryError> {
        let gone = GoneSeconds::of(events.baseline.iter().map(|baseline| (0, baseline)));
        let track = Track {
            events,
            gone: &gone,
        };
        let (held, reader) = (self.page.ahead(), &mut self.earlier);
        // What is known after the events up to a second.
        let mut known: Option<(Replay<'_>, i64)> = None;
        for second in heads.chunk_by(|a, b| a.time == b.time) {
            let time = second.first().map_or(i64::MIN, |head| head.time);
            let up_to = time.saturating_sub(1);
            let needed = second.iter().any(|head| head.changes);
            let mut replay = match known.take() {
                _ if !needed => Replay::default(),
                Some((mut replay, done)) if track.between(done, up_to).len() <= BETWEEN => {
                    for seconds in track.between(done, up_to).chunk_by(|a, b| a.0 == b.0) {
                        let time = seconds.first().map_or(i64::MIN, |pair| pair.0);
                        track.each(time, held, reader, damage, |event, same| {
                            if same.is_none() {
                                replay.skip(event);
                            }
                            Ok(())
                        })?;
                    }
                    replay
                }
                _ => {
                    let before = Before::up_to(events, up_to);
                    replay_after(before, held, reader, damage, tells_all)?
                }
            };
            track.each(time, held, reader, damage, |event, same| {
                let meant = second.binary_search_by_key(&event.seq, |head| head.seq);
                let changes = match (same, meant.is_ok()) {
                    (None, true) => replay.step(event),
                    (None, false) => {
                        replay.skip(event);
                        return Ok(());
                    }
                    (Some(_), true) => Vec::new(),
                    (Some(_), false) => return Ok(()),
                };
                let changes = changes.into_iter();
                let changes: Vec<_> = changes
                    .filter(|change| change_matches(query, change))
                    .collect();
                if changes.is_empty() && by_changes(query) {
                    return Ok(());
                }
                let line = HistoryLine::new(event, changes, same);
                let mut line = serde_json::to_vec(&line).map_err(io::Error::from)?;
                line.push(b'\n');
                each(event.seq, line);
                Ok(())
            })?;
            known = needed.then_some((replay, time));
        }
        Ok(())
    }
}
