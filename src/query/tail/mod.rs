//! `tail`: the newest events in the order of arrival, with what each changed as
//! it is known when the line is made.
//!
//! Events are told in pages of bounded size ([`pages`]), so that one who
//! follows holds little, and what is pruned can go while he waits. Every event
//! that is told was synced: none can be taken back or get another number.
//!
//! Leaves out the waiting, which is the server's matter, and where a reader
//! stands across restarts, which is his own; a [`Position`] has what he needs.

mod lines;
mod pages;

use std::io;

use serde::{Deserialize, Serialize};

use super::answer::{Lines, QueryError, note_without_owner};
use super::progress::{Progress, Stage};
use super::request::TailQuery;
use crate::log::record::EventHead;
use crate::store::{Damages, Trail};
use pages::{EventLines, Pages};

/// How far a reader is: he was told all that is asked for up to an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The data folder's own number.
    pub log: u64,
    /// The event; 0 before the first.
    pub seq: u64,
    /// Its moment of receipt in Unix microseconds, by which it is told from
    /// another one with its number; `None` where it cannot be read.
    pub received: Option<i64>,
    /// The last event that was synced when this was told.
    pub last: u64,
    /// What up to there belongs to the answer but cannot be read.
    pub damage: Vec<String>,
    /// The same that is known to be lost since a repair.
    pub lost: Vec<String>,
}

impl Position {
    /// The same with what cannot be read up to there.
    pub fn with(mut self, damage: Damages) -> Self {
        (self.damage, self.lost) = damage.into_lines();
        self
    }
}

/// Some events in a row.
#[derive(Debug)]
pub struct TailPage {
    /// Their `seq` and their lines, each with its end.
    pub lines: EventLines,
    /// Where a reader stands who has them.
    pub position: Position,
}

/// A tail that is being told.
pub struct Tail<'t> {
    trail: &'t Trail,
    query: &'t TailQuery,
    /// Up to which event all is told.
    at: u64,
    /// What was synced when it was last looked at, from there on.
    pages: Option<Pages<'t>>,
}

impl<'t> Tail<'t> {
    /// Finds where to begin, and tells it. `tell` is called now and then with how
    /// far the search is, and can end it by an error.
    pub fn begin(
        trail: &'t Trail,
        query: &'t TailQuery,
        damage: &mut Damages,
        tell: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> Result<(Self, Position), QueryError> {
        let snapshot = trail.snapshot();
        snapshot.wait_for_index(|_| ())?;
        let last = snapshot.last_seq();
        note_without_owner(&snapshot, damage)?;
        let newest = match (query.after, query.last) {
            (None, Some(most)) => {
                let pages = Pages::between(&snapshot, &query.filter, 0, last)?;
                Some(pages.newest(&snapshot, most, damage, tell)?)
            }
            _ => None,
        };
        let mut tail = Self {
            trail,
            query,
            at: newest.as_ref().map_or(query.after.unwrap_or(0), Pages::at),
            pages: newest.filter(|pages| !pages.is_over()),
        };
        tail.rest();
        let position = Position {
            // What has come since is none of the newest that were asked for.
            last,
            ..tail.position()
        };
        Ok((tail, position))
    }

    /// The next page of what is synced; `None` where there is no more.
    pub fn page(&mut self, damage: &mut Damages) -> Result<Option<TailPage>, QueryError> {
        // Each page takes its own, so that what is pruned can be removed between two.
        let snapshot = self.trail.snapshot();
        let pages = match &mut self.pages {
            Some(pages) => pages,
            none => {
                let last = snapshot.last_seq();
                if self.at >= last {
                    return Ok(None);
                }
                snapshot.wait_for_index(|_| ())?;
                none.insert(Pages::between(
                    &snapshot,
                    &self.query.filter,
                    self.at,
                    last,
                )?)
            }
        };
        let (lines, through) = pages.next(&snapshot, damage)?;
        if pages.is_over() {
            self.pages = None;
        }
        self.at = through;
        Ok(Some(TailPage {
            lines,
            position: self.position(),
        }))
    }

    /// Lets go of what was read ahead, while lines are on their way.
    pub fn rest(&mut self) {
        if let Some(pages) = &mut self.pages {
            pages.rest();
        }
    }

    /// The event up to which all is told.
    pub const fn at(&self) -> u64 {
        self.at
    }

    fn position(&self) -> Position {
        Position {
            log: self.trail.folder().log_id,
            seq: self.at,
            received: received(self.trail, self.at),
            last: self.trail.last_seq(),
            ..Position::default()
        }
    }
}

/// The moment of receipt of an event, where it can be read.
fn received(trail: &Trail, seq: u64) -> Option<i64> {
    let mut cursor = trail.events().cursor();
    let record = cursor.get(seq).ok()?;
    let (head, _) = EventHead::decode(record).ok()?;
    Some(head.received)
}

pub(super) fn answer(
    trail: &Trail,
    query: &TailQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut damage = Damages::default();
    let progress = &mut lines.progress;
    let (mut tail, begin) = Tail::begin(trail, query, &mut damage, &mut |told| {
        progress.tell(told);
        Ok(())
    })?;
    if begin.seq > begin.last {
        lines.note(format!(
            "the log ends with event {}, before event {}: is it another data folder, or a restored one? Ask \
             without it to begin anew",
            begin.last, begin.seq
        ));
    }
    // What comes while this is told is not waited for.
    'pages: while !lines.is_full()
        && tail.at() < begin.last
        && let Some(page) = tail.page(&mut damage)?
    {
        for (_, line) in &page.lines {
            if !lines.put_encoded(line)? {
                break 'pages;
            }
        }
        lines.progress.tell(Progress {
            stage: Stage::Reading,
            done: page.position.seq.saturating_sub(begin.seq),
            all: begin.last.saturating_sub(begin.seq),
        });
    }
    lines.damage.extend(damage);
    Ok(lines.written > 0)
}
