//! Events in the order of arrival, page by page, with their changes.
//!
//! The heads of events are read in log order, or backwards for the newest;
//! [`lines`] makes the lines of those that match.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use super::lines::{Head, lines};
use crate::log::record::EventHead;
use crate::query::answer::QueryError;
use crate::query::filter::{Filter, Span};
use crate::query::progress::{Progress, Stage};
use crate::store::{Damages, Missing, Snapshot, Step, TrailError, Walk};

/// The maximum number of events of a page, plus those of a frame.
const EVENTS: usize = 512;

/// The approximate maximum of the bytes of their records.
const BYTES: usize = 256 << 10;

/// The maximum number of events, or of ranges, examined for a page.
const SEARCHED: usize = 1 << 14;

/// How many events are examined first when searching for the newest; each further
/// step examines four times as many.
const FIRST: u64 = 64;

/// The maximum of a step: larger steps read fewer blocks per event.
const MOST: u64 = 2048;

/// From this many events on, a single profile's events are looked up in the index.
const MANY: u64 = 4096;

/// Reads the events of some ranges of the log.
pub struct Pages<'t> {
    filter: &'t Filter,
    /// First and last `seq` of the ranges still to be read, ascending.
    ranges: VecDeque<(u64, u64)>,
    /// Everything up to this `seq` was read.
    pub at: u64,
    /// The last `seq`.
    last: u64,
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
        let ranges = if first > last {
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
        let mut pages = Self {
            filter,
            ranges: ranges.into_iter().filter_map(within).collect(),
            at: after,
            last,
        };
        pages.skip_to(after);
        Ok(pages)
    }

    /// Whether everything was read.
    pub fn is_over(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Drops the ranges up to a `seq`.
    fn skip_to(&mut self, seq: u64) {
        while self.ranges.front().is_some_and(|(_, last)| *last <= seq) {
            self.ranges.pop_front();
        }
        self.at = match self.ranges.front() {
            Some((first, _)) => seq.max(first.saturating_sub(1)),
            None => self.last,
        };
    }

    /// The lines of the next events in the order of `seq`, each with its newline.
    pub fn next(
        &mut self,
        snapshot: &Snapshot<'_>,
        damage: &mut Damages,
    ) -> Result<Vec<u8>, QueryError> {
        let filter = self.filter;
        let ranges: Vec<_> = self.ranges.iter().take(SEARCHED).copied().collect();
        let end = ranges.last().map_or(self.last, |(_, last)| *last);
        let mut walk = snapshot.walk_ranges(ranges).after(self.at);
        let (heads, is_over) = read_heads(filter, &mut walk, damage, |walk, heads, bytes| {
            heads >= EVENTS || bytes >= BYTES || walk.events_done >= SEARCHED as u64
        })?;
        let read = if is_over { end } else { walk.read_up_to };
        self.skip_to(read);
        let mut lines = lines(snapshot, filter, heads, damage)?;
        lines.sort_unstable_by_key(|(seq, subprofile, _)| (*seq, *subprofile));
        let mut page = Vec::new();
        for (.., line) in lines {
            page.extend(line);
        }
        Ok(page)
    }

    /// Searches backwards for the `most` newest matching events. Returns the `seq` after
    /// which they come.
    pub fn newest(
        mut self,
        snapshot: &Snapshot<'_>,
        most: u64,
        report: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> Result<u64, QueryError> {
        let filter = self.filter;
        let mut left = usize::try_from(most).unwrap_or(usize::MAX);
        let mut first = self.last.saturating_add(1);
        let mut size = FIRST;
        // Unreadable events are reported when the pages reach them again.
        let damage = &mut Damages::default();
        while left > 0 && !self.ranges.is_empty() {
            let mut walk = snapshot.walk_ranges(self.take_back(size));
            let (mut heads, _) = read_heads(filter, &mut walk, damage, |_, _, _| false)?;
            let mut found = BTreeSet::new();
            if !filter.needs_changes() {
                heads.retain(|head: &Head| {
                    found.extend(head.is_wanted.then_some(head.seq));
                    !head.is_wanted
                });
            }
            let lines = lines(snapshot, filter, heads, damage)?;
            found.extend(lines.iter().map(|(seq, ..)| *seq));
            for seq in found.into_iter().rev().take(left) {
                first = seq;
                left -= 1;
            }
            size = (size * 4).min(MOST);
            let to_do = self.ranges.back().map_or(0, |(_, last)| *last);
            report(Progress::new(
                Stage::Reading,
                self.last.saturating_sub(to_do),
                self.last,
            ))?;
        }
        Ok(first.saturating_sub(1))
    }

    /// Takes the last events up to a maximum number, ascending.
    fn take_back(&mut self, most: u64) -> Vec<(u64, u64)> {
        let mut taken = Vec::new();
        let mut left = most;
        while left > 0
            && let Some((first, last)) = self.ranges.pop_back()
        {
            let from = first.max((last + 1).saturating_sub(left));
            if first < from {
                self.ranges.push_back((first, from - 1));
            }
            left -= last + 1 - from;
            taken.push((from, last));
        }
        taken.reverse();
        taken
    }
}

/// Reads the heads of matching events until `is_enough`, which is given how many heads
/// and bytes of records there are, or until the end, which is then returned as `true`.
fn read_heads(
    filter: &Filter,
    walk: &mut Walk<'_>,
    damage: &mut Damages,
    is_enough: impl Fn(&Walk<'_>, usize, usize) -> bool,
) -> Result<(Vec<Head>, bool), QueryError> {
    let mut heads = Vec::new();
    let mut bytes = 0;
    while !is_enough(walk, heads.len(), bytes) {
        let step = walk.step(|seq, record| match head_of(filter, seq, record) {
            Ok(Some(head)) => {
                bytes += record.len();
                heads.push(head);
            }
            Ok(None) => {}
            Err(missing) => damage.add(missing),
        })?;
        match step {
            Step::Records => {}
            Step::Damage(found) => {
                damage.add(format!("event {} cannot be read: {found}", found.first_seq));
            }
            Step::End => return Ok((heads, true)),
        }
    }
    Ok((heads, false))
}

/// The data of a record's head, if its event or its effect on subprofiles is requested.
fn head_of(filter: &Filter, seq: u64, record: &[u8]) -> Result<Option<Head>, Missing> {
    let head = EventHead::decode(record).map_err(|error| Missing::of_record(seq, error))?;
    let is_wanted = filter.matches_head(&head);
    let cascades = filter.span.contains(head.time) && filter.cascades_from(&head);
    Ok((is_wanted || cascades).then_some(Head {
        key: head.key(),
        time: head.time,
        seq,
        is_wanted,
        cascades,
    }))
}

/// The `seq` of a (sub)profile's events in the span, as ranges.
fn of_profile(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<Vec<(u64, u64)>, TrailError> {
    let mut seqs = Vec::new();
    for key in snapshot.keys(filter.profile) {
        let times = snapshot.times_of(key?)?.into_iter();
        seqs.extend(
            times.filter_map(|(time, seq)| filter.span.contains(time).then_some((seq, seq))),
        );
    }
    seqs.sort_unstable();
    Ok(seqs)
}
