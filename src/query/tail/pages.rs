//! Events in the order of arrival, page by page, with what each changed.
//!
//! The heads of events are read in log order, or backwards for the newest;
//! [`LineMaker`] makes the lines of those that match.

use std::collections::VecDeque;
use std::io;

use super::lines::{Head, LineMaker, Placed};
use crate::log::record::{EventHead, RecordError};
use crate::log::{Cursor, LogError};
use crate::query::answer::QueryError;
use crate::query::filter::{Filter, Span};
use crate::query::progress::{Progress, Stage};
use crate::store::{Damages, Missing, Snapshot, TrailError};

/// The maximum number of events of a page.
const EVENTS: usize = 512;

/// The approximate maximum of the bytes of their records.
const BYTES: usize = 256 << 10;

/// The maximum number of events examined for a page.
const SEARCHED: u64 = 1 << 14;

/// How many bytes of records are read ahead for a page.
const AHEAD: usize = 1 << 20;

/// How many events are examined first when searching for the newest; each further
/// step examines four times as many.
const FIRST: u64 = 64;

/// The maximum of a step: larger steps read fewer blocks per event.
const MOST: u64 = 2048;

/// How many bytes of records are read ahead in that search.
const MOST_AHEAD: usize = 4 << 20;

/// From this many events on, a single profile's events are looked up in the index.
const MANY: u64 = 4096;

/// The maximum number of newest events whose `seq` the search keeps; beyond it,
/// everything from the first match on is examined again.
const LISTED: usize = 1 << 16;

/// The `seq` of events and their lines, each with its newline.
pub type EventLines = Vec<(u64, Vec<u8>)>;

/// Reads the events of some ranges of the log.
pub struct Pages<'t> {
    filter: &'t Filter,
    /// First and last `seq` of the ranges still to be read, ascending.
    stretches: VecDeque<(u64, u64)>,
    /// Everything up to this `seq` was read.
    last: u64,
    /// Reads the heads.
    cursor: Option<Cursor>,
    ahead: usize,
}

impl<'t> Pages<'t> {
    /// The events after `after` up to `last`, which the index covers.
    pub fn between(
        snapshot: &Snapshot<'_>,
        filter: &'t Filter,
        after: u64,
        last: u64,
    ) -> Result<Self, QueryError> {
        let first = after.saturating_add(1);
        let many = last.saturating_sub(after) > MANY;
        let stretches = if first > last {
            Vec::new()
        } else if many && filter.profile.is_some() {
            of_profile(snapshot, filter)?
        } else if many && filter.span != Span::default() {
            let (since, until) = filter.span.bounds();
            snapshot
                .trail()
                .events()
                .block_ranges_touching(since, until)?
        } else {
            vec![(first, last)]
        };
        let within = |(begin, end): (u64, u64)| {
            let (begin, end) = (begin.max(first), end.min(last));
            (begin <= end).then_some((begin, end))
        };
        Ok(Self {
            filter,
            stretches: stretches.into_iter().filter_map(within).collect(),
            last,
            cursor: None,
            ahead: AHEAD,
        })
    }

    /// Whether everything was read.
    pub fn is_over(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Releases what was read ahead.
    pub fn rest(&mut self) {
        self.cursor = None;
    }

    /// The lines of the next events in the order of `seq`, and the `seq` up to
    /// which they are complete.
    pub fn next(
        &mut self,
        snapshot: &Snapshot<'_>,
        damage: &mut Damages,
    ) -> Result<(EventLines, u64), QueryError> {
        let mut heads = Vec::new();
        let (mut bytes, mut searched) = (0, 0);
        while let Some((first, last)) = self.stretches.pop_front() {
            if heads.len() >= EVENTS || bytes >= BYTES || searched >= SEARCHED {
                self.stretches.push_front((first, last));
                break;
            }
            searched += 1;
            let next = self.look(snapshot, first, damage, |head, len| {
                heads.push(head);
                bytes += len;
            })?;
            if next <= last {
                self.stretches.push_front((next, last));
            }
        }
        let through = self.at();
        let mut lines = self.lines(snapshot, heads, damage)?;
        lines.sort_unstable_by_key(|(seq, subprofile, _)| (*seq, *subprofile));
        let lines = lines.into_iter().map(|(seq, _, line)| (seq, line));
        Ok((lines.collect(), through))
    }

    /// Searches backwards for the `most` newest matching events. Afterwards these
    /// are left to be read, possibly with others between them.
    pub fn newest(
        mut self,
        snapshot: &Snapshot<'_>,
        most: u64,
        damage: &mut Damages,
        report: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> Result<Self, QueryError> {
        let mut left = usize::try_from(most).unwrap_or(usize::MAX);
        let listed = self.filter.needs_changes() && left <= LISTED;
        // Newest first.
        let mut list = VecDeque::new();
        let mut first = self.last.saturating_add(1);
        let mut size = FIRST;
        let mut missing = Damages::default();
        self.ahead = MOST_AHEAD;
        while left > 0 && !self.stretches.is_empty() {
            let mut heads = Vec::new();
            for (mut seq, last) in self.take_back(size) {
                while seq <= last {
                    seq = self.look(snapshot, seq, &mut missing, |head, _| heads.push(head))?;
                }
            }
            let mut found: Vec<u64> = Vec::new();
            if !self.filter.needs_changes() {
                heads.retain(|head: &Head| {
                    found.extend(head.is_wanted.then_some(head.seq));
                    !head.is_wanted
                });
            }
            let lines = self.lines(snapshot, heads, &mut missing)?;
            found.extend(lines.iter().map(|(seq, ..)| *seq));
            found.sort_unstable();
            found.dedup();
            for seq in found.into_iter().rev().take(left) {
                first = seq;
                left -= 1;
                if listed {
                    list.push_front((seq, seq));
                }
            }
            size = (size * 4).min(MOST);
            let to_do = self.stretches.back().map_or(0, |(_, last)| *last);
            report(Progress {
                stage: Stage::Reading,
                done: self.last.saturating_sub(to_do),
                all: self.last,
            })?;
        }
        if listed {
            damage.extend(missing);
            self.stretches = list;
            self.ahead = AHEAD;
            self.rest();
            return Ok(self);
        }
        // Unreadable events are reported when the pages reach them again.
        Self::between(snapshot, self.filter, first.saturating_sub(1), self.last)
    }

    /// The `seq` before the next event that may be returned.
    pub fn at(&self) -> u64 {
        match self.stretches.front() {
            Some((first, _)) => first.saturating_sub(1),
            None => self.last,
        }
    }

    /// Takes the last events up to a maximum number, ascending.
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

    /// Reads the head of an event and, if it matches, passes it to `meant` with the
    /// length of its record. Returns the next `seq` to examine.
    fn look(
        &mut self,
        snapshot: &Snapshot<'_>,
        seq: u64,
        damage: &mut Damages,
        meant: impl FnOnce(Head, usize),
    ) -> Result<u64, QueryError> {
        let filter = self.filter;
        let cursor = self
            .cursor
            .get_or_insert_with(|| snapshot.trail().events().cursor());
        let next = seq.saturating_add(1);
        let record = match cursor.get(seq) {
            Ok(record) => record,
            Err(error) => {
                let LogError::Damaged { damage: found, .. } = &error else {
                    return Err(error.into());
                };
                damage.add(error.to_string());
                return Ok(next.max(found.last_seq.saturating_add(1)));
            }
        };
        if snapshot.retention().hides_record(seq, record) {
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
        let (key, event_type) = (head.key(), head.what());
        let is_wanted = filter.matches_event(&head);
        // If it does not name a database or collection, a subprofile may have named
        // it.
        let cascades = filter.cascades()
            && key.subprofile.is_none()
            && event_type.is_end()
            && filter
                .profile
                .is_none_or(|wanted| wanted.profile == key.profile)
            && filter.span.contains(head.time)
            && filter.matches_label(head.label)
            && filter.matches_type(event_type.name());
        if is_wanted || cascades {
            let head = Head {
                key,
                time: head.time,
                seq,
                is_wanted,
                cascades,
            };
            meant(head, record.len());
        }
        Ok(next)
    }

    /// The lines of events, in no order.
    fn lines(
        &self,
        snapshot: &Snapshot<'_>,
        heads: Vec<Head>,
        damage: &mut Damages,
    ) -> Result<Vec<Placed>, QueryError> {
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        LineMaker::new(snapshot, self.filter, self.ahead).lines(self.filter, heads, damage)
    }
}

/// The `seq` of a (sub)profile's events in the span, as ranges.
fn of_profile(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<Vec<(u64, u64)>, TrailError> {
    let mut seqs = Vec::new();
    let (profile, subprofile) = filter.numbers();
    snapshot.each_key(profile, subprofile, |key| {
        let times = snapshot.times_of(key)?.into_iter();
        seqs.extend(
            times.filter_map(|(time, seq)| filter.span.contains(time).then_some((seq, seq))),
        );
        Ok::<(), TrailError>(())
    })?;
    seqs.sort_unstable();
    Ok(seqs)
}
