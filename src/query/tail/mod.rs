//! `tail`: the newest events in the order of arrival, with their changes as known when
//! each line is made.
//!
//! Events are returned in pages of bounded size ([`pages`]), so that a follower
//! holds little memory and pruned segments can be removed while it waits. Every
//! returned event was synced: none can be retracted or get another number.
//!
//! The server waits for events, and the reader keeps the position across restarts, with a
//! [`Position`].

mod lines;
mod pages;

use std::io;

use serde::{Deserialize, Serialize};

use super::answer::{Lines, QueryError, note_without_owner};
use super::progress::{Progress, Stage};
use super::request::TailQuery;
use crate::log::record::EventHead;
use crate::store::{Damages, Trail};
use pages::Pages;

/// A reader's position: it has received all matching events up to this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The data folder's identifier.
    pub log: u64,
    /// The event's `seq`; 0 before the first.
    pub seq: u64,
    /// Its moment of receipt in Unix microseconds, which distinguishes it from
    /// another event of the same number; `None` if it is unreadable.
    pub received: Option<i64>,
    /// The last event that was synced at the time of this position.
    pub last: u64,
    /// Matching events up to there that are unreadable.
    pub damage: Vec<String>,
    /// Matching events up to there that are known to be lost since a repair.
    pub lost: Vec<String>,
}

/// A tail in progress.
pub struct Tail<'t> {
    trail: &'t Trail,
    query: &'t TailQuery,
    /// All matching events up to this one were returned.
    pub at: u64,
    /// The events synced at the last check, from there on.
    pages: Option<Pages<'t>>,
}

impl<'t> Tail<'t> {
    /// Finds the start and returns it. `report` is called now and then with the
    /// progress of the search, and can end it with an error.
    pub fn begin(
        trail: &'t Trail,
        query: &'t TailQuery,
        damage: &mut Damages,
        report: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> Result<(Self, Position), QueryError> {
        let snapshot = trail.snapshot();
        snapshot.wait_for_index(|index| {
            // A later check shows whether somebody still waits.
            let _ = report(index.into());
        })?;
        let last = snapshot.last_seq();
        note_without_owner(&snapshot, damage)?;
        let at = match (query.after, query.last) {
            (None, Some(most)) => {
                let pages = Pages::between(&snapshot, &query.filter, 0, last)?;
                pages.newest(&snapshot, most, report)?
            }
            (after, _) => after.unwrap_or(0),
        };
        let tail = Self {
            trail,
            query,
            at,
            pages: None,
        };
        let position = Position {
            // Events that arrived since do not belong to the newest at the time of
            // the query.
            last,
            ..tail.position()
        };
        Ok((tail, position))
    }

    /// The lines of the next page of synced events, each with its newline, and the position
    /// of a reader that has received them; `None` if there are no more.
    pub fn page(
        &mut self,
        damage: &mut Damages,
    ) -> Result<Option<(Vec<u8>, Position)>, QueryError> {
        // Each page takes its own snapshot, so that pruned segments can be removed
        // between pages.
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
        let lines = pages.next(&snapshot, damage)?;
        self.at = pages.at;
        if pages.is_over() {
            self.pages = None;
        }
        Ok(Some((lines, self.position())))
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

/// The moment of receipt of an event, if it is readable.
fn received(trail: &Trail, seq: u64) -> Option<i64> {
    let mut cursor = trail.events().cursor();
    let record = cursor.get(seq).ok()?;
    let head = EventHead::decode(record).ok()?;
    Some(head.received)
}

pub(super) fn answer(
    trail: &Trail,
    query: &TailQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut damage = Damages::default();
    let progress = &mut lines.progress;
    let (mut tail, begin) = Tail::begin(trail, query, &mut damage, &mut |state| {
        progress.report(state);
        Ok(())
    })?;
    if begin.seq > begin.last {
        lines.note(format!(
            "the log ends with event {}, before event {}: is it another data folder, or a restored one? Leave \
             it out to start over",
            begin.last, begin.seq
        ));
    }
    // Events that arrive later are not waited for.
    while !lines.is_full()
        && tail.at < begin.last
        && let Some((page, position)) = tail.page(&mut damage)?
    {
        lines.put_encoded(&page)?;
        lines.progress.report(Progress::new(
            Stage::Reading,
            position.seq.saturating_sub(begin.seq),
            begin.last.saturating_sub(begin.seq),
        ));
    }
    lines.damage.extend(damage);
    Ok(lines.written > 0)
}
