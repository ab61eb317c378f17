//! The questions that can be asked, and how each is answered.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::dossier::DossierQuery;
use super::find::FindQuery;
use super::gaps::GapsQuery;
use super::incidents::IncidentsQuery;
use super::loops::LoopsQuery;
use super::page::{Mark, Page};
use super::progress::{Progress, Teller};
use super::report::ReportQuery;
use super::request::{
    BlameQuery, ChangesQuery, DiffQuery, EvidenceQuery, ExplainQuery, ExportQuery, HistoryQuery,
    RejectedQuery, ShowQuery, TailQuery,
};
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::log::LogError;
use crate::store::{Damages, PruneError, Snapshot, Trail, TrailError};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// The events of a (sub)profile.
    History(HistoryQuery),
    /// Its state at a moment.
    Show(ShowQuery),
    /// The net differences between two moments.
    Diff(DiffQuery),
    /// The last change of every field and interest.
    Blame(BlameQuery),
    /// What changed when, over all profiles.
    Changes(ChangesQuery),
    /// Which (sub)profiles have or had a value.
    Find(FindQuery),
    /// Every event.
    Export(ExportQuery),
    /// The calls that could not be read.
    Rejected(RejectedQuery),
    /// What proves that Copernica sent an event.
    Evidence(EvidenceQuery),
    /// The newest events, or those after one, in the order of arrival.
    Tail(TailQuery),
    /// What an event asked for against what came of it.
    Explain(ExplainQuery),
    /// Everything about a (sub)profile.
    Dossier(DossierQuery),
    /// How many changes there are of each kind.
    Report(ReportQuery),
    /// What changed unexplained.
    Gaps(GapsQuery),
    /// Bursts of changes.
    Incidents(IncidentsQuery),
    /// Fields that go on changing.
    Loops(LoopsQuery),
}

impl Query {
    /// Whether the index is asked for the answer.
    pub const fn needs_index(&self) -> bool {
        !matches!(self, Self::Rejected(_) | Self::Evidence(_))
    }

    /// Whether it matters to the answer whose an event is.
    pub(super) const fn needs_owners(&self) -> bool {
        !matches!(
            self,
            Self::Rejected(_) | Self::Export(_) | Self::Evidence(_) | Self::Tail(_)
        )
    }
}

/// What an answer came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Whether anything was found.
    pub found: bool,
    /// Events that belong to the answer but cannot be read.
    pub damage: Vec<String>,
    /// What a reader should know of the answer: which events are known to be
    /// lost since a repair, and what speaks of a time of which events were pruned.
    pub notes: Vec<String>,
    /// Where nothing was found: what to ask instead.
    pub hints: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The reader of the answer has gone, or it could not be sorted on disk.
    #[error("the answer could not be written")]
    Output(#[from] io::Error),
    /// The folder cannot be read.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What is asked makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// Baselines could not be imported.
    #[error(transparent)]
    Restore(#[from] PruneError),
}

impl QueryError {
    /// What happened, with its causes, each once.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let reason = error.to_string();
            if !text.ends_with(&reason) {
                text = format!("{text}: {reason}");
            }
            cause = error.source();
        }
        text
    }
}

/// The most notes of an answer.
const NOTES: usize = 3;

/// The lines of an answer on their way out.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    limit: Option<u64>,
    /// Only lines after this are wanted.
    pub after: Option<Mark>,
    /// Whether it must be told if there are more lines than the limit.
    paged: bool,
    /// A line was there beyond the limit.
    more: bool,
    /// The line at which the limit was reached.
    last: Vec<u8>,
    pub written: u64,
    pub progress: Teller<'a>,
    pub damage: Damages,
    notes: Vec<String>,
}

impl<'a> Lines<'a> {
    /// Lines that go to `out`, so many at most.
    pub fn to(
        out: &'a mut dyn Write,
        limit: Option<u64>,
        tell: &'a mut dyn FnMut(Progress),
    ) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            limit,
            after: None,
            paged: false,
            more: false,
            last: Vec::new(),
            written: 0,
            progress: Teller::new(tell),
            damage: Damages::default(),
            notes: Vec::new(),
        }
    }

    /// Takes note that an answer speaks of a time of which events were pruned,
    /// if it does: from `since` on, where events of `key` up to `baseline` were.
    pub fn note_pruned(&mut self, key: ProfileKey, baseline: Option<i64>, since: Option<i64>) {
        let told = self.notes.len() >= NOTES;
        let reaches = |time: &i64| !told && since.is_none_or(|since| since < *time);
        if let Some(time) = baseline.filter(reaches) {
            let time = seconds_to_rfc3339(time);
            let what = format!(
                "events of {key} up to {time} were pruned: what is not told of the time before is not known"
            );
            if !self.notes.contains(&what) {
                self.notes.push(what);
            }
        }
    }

    /// Takes note of something that a reader of the answer should know.
    pub fn note(&mut self, what: String) {
        if self.notes.len() < NOTES && !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    /// Writes one line; `false` once the limit is reached.
    pub fn put(&mut self, line: &impl Serialize) -> Result<bool, io::Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        serde_json::to_writer(&mut buffer, line)?;
        let more = self.put_one(&buffer);
        self.buffer = buffer;
        more
    }

    /// Writes one line that is JSON already, without its end; `false` once the
    /// limit is reached.
    pub fn put_one(&mut self, line: &[u8]) -> Result<bool, io::Error> {
        if !self.has_room() {
            return Ok(false);
        }
        self.out.write_all(line)?;
        self.out.write_all(b"\n")?;
        self.wrote(line);
        Ok(!self.is_full())
    }

    /// Writes so many lines that are JSON already; `false` once the limit is
    /// reached.
    pub fn put_all(&mut self, lines: &[u8], count: u64) -> Result<bool, io::Error> {
        if self.limit.is_some() {
            return self.put_encoded(lines);
        }
        self.out.write_all(lines)?;
        self.written += count;
        Ok(true)
    }

    /// Writes lines that are JSON already; `false` once the limit is reached.
    pub fn put_encoded(&mut self, lines: &[u8]) -> Result<bool, io::Error> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if !self.has_room() {
                return Ok(false);
            }
            self.out.write_all(line)?;
            self.wrote(line);
        }
        Ok(!self.is_full())
    }

    /// Whether no more lines are wanted. Of a page, one more than its limit is:
    /// so it is known whether there is a next page.
    pub fn is_full(&self) -> bool {
        self.at_limit() && (self.more || !self.paged)
    }

    /// How many lines are wanted at most.
    pub fn wanted(&self) -> Option<u64> {
        let limit = self.limit?;
        Some(limit.saturating_add(u64::from(self.paged)))
    }

    fn at_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.written >= limit)
    }

    /// Whether a line that is there is to be written.
    fn has_room(&mut self) -> bool {
        let full = self.at_limit();
        self.more |= full;
        !full
    }

    fn wrote(&mut self, line: &[u8]) {
        self.written += 1;
        if self.paged && self.at_limit() {
            self.last = line.to_vec();
        }
    }
}

/// Answers a question with every event that was synced before it was asked,
/// as JSON lines.
pub fn answer(trail: &Trail, query: &Query, out: &mut dyn Write) -> Result<Answered, QueryError> {
    answer_telling(trail, query, out, &mut |_| ())
}

/// The same; `tell` is called some ten times a second with how far it is,
/// between lines, where much is to be read.
pub fn answer_telling(
    trail: &Trail,
    query: &Query,
    out: &mut dyn Write,
    tell: &mut dyn FnMut(Progress),
) -> Result<Answered, QueryError> {
    answer_part(trail, query, None, out, tell).map(|(answered, _)| answered)
}

/// Answers with a page rather than all: what comes after a mark, up to a limit,
/// in place of the question's own. Where there is more, the mark after which the
/// next page goes on. Only `history`, `changes`, `export` and `rejected` have pages.
pub fn answer_page(
    trail: &Trail,
    query: &Query,
    page: Page,
    out: &mut dyn Write,
    tell: &mut dyn FnMut(Progress),
) -> Result<(Answered, Option<Mark>), QueryError> {
    answer_part(trail, query, Some(page), out, tell)
}

fn answer_part(
    trail: &Trail,
    query: &Query,
    page: Option<Page>,
    out: &mut dyn Write,
    tell: &mut dyn FnMut(Progress),
) -> Result<(Answered, Option<Mark>), QueryError> {
    let snapshot = &trail.snapshot();
    if query.needs_index() {
        snapshot.wait_for_index(|_| ())?;
    }
    let limit = match query {
        Query::History(query) => query.limit,
        Query::Changes(query) => query.limit,
        Query::Find(query) => query.limit,
        Query::Rejected(query) => query.limit,
        Query::Tail(query) => query.limit,
        Query::Report(query) => query.limit,
        Query::Gaps(query) => query.limit,
        Query::Incidents(query) => query.limit,
        _ => None,
    };
    let mut lines = Lines {
        after: page.and_then(|page| page.after),
        paged: page.is_some(),
        ..Lines::to(out, page.map_or(limit, |page| page.limit), tell)
    };
    if query.needs_owners() {
        note_without_owner(snapshot, &mut lines.damage)?;
    }
    let found = match query {
        Query::History(query) => super::history::answer(snapshot, query, &mut lines)?,
        Query::Show(query) => super::show::answer(snapshot, query, &mut lines)?,
        Query::Diff(query) => super::diff::answer(snapshot, query, &mut lines)?,
        Query::Blame(query) => super::blame::answer(snapshot, query, &mut lines)?,
        Query::Changes(query) => super::changes::answer(snapshot, query, &mut lines)?,
        Query::Find(query) => super::find::answer(snapshot, query, &mut lines)?,
        Query::Export(query) => super::export::answer(snapshot, query, &mut lines)?,
        Query::Rejected(query) => super::rejected::answer(snapshot, query, &mut lines)?,
        Query::Evidence(query) => super::evidence::answer(snapshot, query, &mut lines)?,
        Query::Tail(query) => super::tail::answer(trail, query, &mut lines)?,
        Query::Explain(query) => super::explain::answer(snapshot, query, &mut lines)?,
        Query::Dossier(query) => super::dossier::answer(snapshot, query, &mut lines)?,
        Query::Report(query) => super::report::answer(snapshot, query, &mut lines)?,
        Query::Gaps(query) => super::gaps::answer(snapshot, query, &mut lines)?,
        Query::Incidents(query) => super::incidents::answer(snapshot, query, &mut lines)?,
        Query::Loops(query) => super::loops::answer(snapshot, query, &mut lines)?,
    };
    // A page of no lines has no place.
    let next = match lines.more && !lines.last.is_empty() {
        true => Some(Mark::of_line(query, &lines.last).ok_or_else(|| {
            io::Error::other("a line of the answer does not tell where the page ended")
        })?),
        false => None,
    };
    let (damage, mut notes) = lines.damage.into_lines();
    notes.extend(lines.notes);
    let hints = match found || !damage.is_empty() {
        true => Vec::new(),
        false => super::hints::hints(snapshot, query)?,
    };
    let answered = Answered {
        found,
        damage,
        notes,
        hints,
    };
    Ok((answered, next))
}

/// Takes note of events of which it is not known whose they are.
pub(super) fn note_without_owner(
    snapshot: &Snapshot<'_>,
    damage: &mut Damages,
) -> Result<(), TrailError> {
    for (first, last) in snapshot.without_owner(damage)? {
        let events = if first == last {
            format!("event {first}")
        } else {
            format!("events {first} to {last}")
        };
        damage.add(format!(
            "{events} cannot be read, and whose they were is not known"
        ));
    }
    Ok(())
}

/// The present second.
pub(super) fn now() -> i64 {
    crate::event::now_micros().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_each_cause_once() {
        let full = || io::Error::other("no space left");
        let output = QueryError::Output(full());
        assert_eq!(
            output.with_causes(),
            "the answer could not be written: no space left"
        );
        let sorting = QueryError::Trail(TrailError::io("sorting in", "/data")(full()));
        assert_eq!(sorting.with_causes(), "sorting in /data: no space left");
    }
}
