//! The queries, and how each is answered.

use std::error::Error;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::dossier::DossierQuery;
use super::find::FindQuery;
use super::gaps::GapsQuery;
use super::incidents::IncidentsQuery;
use super::loops::LoopsQuery;
use super::page::{Mark, Page};
use super::progress::{Progress, ProgressReporter};
use super::proofs::{AnchorsQuery, CheckpointQuery};
use super::report::ReportQuery;
use super::request::{
    ChangesQuery, DiffQuery, EventQuery, ExplainQuery, ExportQuery, HistoryQuery, RejectedQuery,
    StateQuery, TailQuery,
};
use super::stats::StatsQuery;
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::log::LogError;
use crate::proofs::ProofError;
use crate::store::{Damages, PruneError, Snapshot, Trail, TrailError};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// The events of a (sub)profile.
    History(HistoryQuery),
    /// Its state at a moment.
    Show(StateQuery),
    /// The net differences between two moments.
    Diff(DiffQuery),
    /// The last change of every field and interest.
    Blame(StateQuery),
    /// Changes over all profiles.
    Changes(ChangesQuery),
    /// The (sub)profiles that have or had a value.
    Find(FindQuery),
    /// Every event.
    Export(ExportQuery),
    /// The calls that could not be parsed.
    Rejected(RejectedQuery),
    /// The proof that Copernica sent an event.
    Evidence(EventQuery),
    /// The newest events, or those after one, in the order of arrival.
    Tail(TailQuery),
    /// The request of an event compared with its changes.
    Explain(ExplainQuery),
    /// Everything about a (sub)profile.
    Dossier(DossierQuery),
    /// The numbers of changes by kind.
    Report(ReportQuery),
    /// Unexplained changes.
    Gaps(GapsQuery),
    /// Bursts of changes.
    Incidents(IncidentsQuery),
    /// Fields that change again and again.
    Loops(LoopsQuery),
    /// Counts of the events in a time range.
    Stats(StatsQuery),
    /// A signed checkpoint of now.
    Checkpoint(CheckpointQuery),
    /// The checkpoints that others have signed, too.
    Anchors(AnchorsQuery),
    /// The files that prove that an event was in the log.
    Proof(EventQuery),
}

impl Query {
    /// Whether the answer is to show subprofiles as deleted with their profile; `None` if it
    /// has no states.
    pub const fn cascade_mut(&mut self) -> Option<&mut bool> {
        match self {
            Self::History(query) => Some(&mut query.cascade),
            Self::Show(query) | Self::Blame(query) => Some(&mut query.cascade),
            Self::Diff(query) => Some(&mut query.cascade),
            Self::Find(query) => Some(&mut query.cascade),
            Self::Explain(query) => Some(&mut query.cascade),
            Self::Changes(query) => Some(&mut query.filter.cascade),
            Self::Tail(query) => Some(&mut query.filter.cascade),
            Self::Report(query) => Some(&mut query.filter.cascade),
            Self::Gaps(query) => Some(&mut query.filter.cascade),
            Self::Incidents(query) => Some(&mut query.filter.cascade),
            Self::Loops(query) => Some(&mut query.filter.cascade),
            Self::Export(_)
            | Self::Rejected(_)
            | Self::Evidence(_)
            | Self::Dossier(_)
            | Self::Stats(_)
            | Self::Checkpoint(_)
            | Self::Anchors(_)
            | Self::Proof(_) => None,
        }
    }

    /// Whether answering needs the index.
    pub const fn needs_index(&self) -> bool {
        !matches!(
            self,
            Self::Rejected(_)
                | Self::Evidence(_)
                | Self::Checkpoint(_)
                | Self::Anchors(_)
                | Self::Proof(_)
        )
    }

    /// Whether the answer depends on which (sub)profile an event belongs to.
    pub(super) const fn needs_owners(&self) -> bool {
        self.needs_index() && !matches!(self, Self::Export(_) | Self::Tail(_) | Self::Stats(_))
    }
}

/// The outcome of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Whether anything was found.
    pub found: bool,
    /// Events that belong to the answer but are unreadable.
    pub damage: Vec<String>,
    /// Notes for the reader: events known to be lost since a repair, and periods
    /// whose events were pruned.
    pub notes: Vec<String>,
    /// If nothing was found: suggestions for another query.
    pub hints: Vec<String>,
}

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The reader of the answer disconnected, or sorting on disk failed.
    #[error("the answer could not be written")]
    Output(#[from] io::Error),
    /// The folder cannot be read.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The query is invalid.
    #[error("{0}")]
    Wrong(String),
    /// There is no proof.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Baselines could not be imported.
    #[error(transparent)]
    Restore(#[from] PruneError),
}

impl From<serde_json::Error> for QueryError {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

/// An error with its causes, each once.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

/// The maximum number of notes of an answer.
const NOTES: usize = 3;

/// Writes the lines of an answer.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    limit: Option<u64>,
    /// Only lines after this mark are written.
    pub after: Option<Mark>,
    /// Whether to report that there are more lines than the limit.
    pub paged: bool,
    /// There was a line beyond the limit.
    more: bool,
    /// The position of the last line.
    last: Option<Mark>,
    pub written: u64,
    pub progress: ProgressReporter<'a>,
    pub damage: Damages,
    notes: Vec<String>,
    /// Why nothing was found, if the question knows.
    pub hints: Vec<String>,
}

impl<'a> Lines<'a> {
    /// Writes to `out`, up to a maximum number of lines.
    pub fn to(
        out: &'a mut dyn Write,
        limit: Option<u64>,
        report: &'a mut dyn FnMut(Progress),
    ) -> Self {
        Self {
            out,
            limit,
            after: None,
            paged: false,
            more: false,
            last: None,
            written: 0,
            progress: ProgressReporter::new(report),
            damage: Damages::default(),
            notes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Adds a note if the answer covers a period of pruned events: it starts at `since`,
    /// and events of `key` were pruned up to `baseline`.
    pub fn note_pruned(&mut self, key: ProfileKey, baseline: Option<i64>, since: Option<i64>) {
        if let Some(time) = baseline.filter(|time| since.is_none_or(|since| since < *time)) {
            let time = seconds_to_rfc3339(time);
            self.note(format!(
                "events of {key} up to {time} were pruned: earlier values may be unknown"
            ));
        }
    }

    /// Adds a note for the reader of the answer.
    pub fn note(&mut self, what: String) {
        if self.notes.len() < NOTES && !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    /// Writes one line; `false` once the limit is reached.
    pub fn put(&mut self, line: &impl Serialize) -> Result<bool, io::Error> {
        self.put_one(&serde_json::to_vec(line)?)
    }

    /// Writes one line of serialized JSON, given without its newline; `false` once
    /// the limit is reached.
    pub fn put_one(&mut self, line: &[u8]) -> Result<bool, io::Error> {
        if self.at_limit() {
            self.more = true;
            return Ok(false);
        }
        self.out.write_all(line)?;
        self.out.write_all(b"\n")?;
        self.written += 1;
        Ok(!self.is_full())
    }

    /// The same with the line's position, after which a page may continue.
    pub fn put_at(&mut self, mark: Mark, line: &[u8]) -> Result<bool, io::Error> {
        if !self.at_limit() {
            self.last = Some(mark);
        }
        self.put_one(line)
    }

    /// Writes lines of serialized JSON and gives each its position; `false` once the
    /// limit is reached.
    pub fn put_all(&mut self, lines: &[u8], marks: &[Mark]) -> Result<bool, io::Error> {
        if self.limit.is_none() {
            self.out.write_all(lines)?;
            self.written += marks.len() as u64;
            return Ok(true);
        }
        for (line, mark) in lines.split(|byte| *byte == b'\n').zip(marks) {
            if !self.put_at(*mark, line)? {
                return Ok(false);
            }
        }
        Ok(!self.is_full())
    }

    /// Writes lines of serialized JSON; `false` once the limit is reached.
    pub fn put_encoded(&mut self, lines: &[u8]) -> Result<bool, io::Error> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if !self.put_one(line.strip_suffix(b"\n").unwrap_or(line))? {
                return Ok(false);
            }
        }
        Ok(!self.is_full())
    }

    /// Whether the answer is complete. A page reads one line beyond its limit, to
    /// know whether there is a next page.
    pub fn is_full(&self) -> bool {
        self.at_limit() && (self.more || !self.paged)
    }

    /// The maximum number of lines that are needed; `usize::MAX` without a limit.
    pub fn wanted(&self) -> usize {
        let limit = self.limit.unwrap_or(u64::MAX);
        usize::try_from(limit.saturating_add(u64::from(self.paged))).unwrap_or(usize::MAX)
    }

    fn at_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.written >= limit)
    }
}

/// Answers a query as JSON lines, with every event that was synced before the
/// query. `report` is called with the progress between lines, about ten times a
/// second, if much has to be read.
///
/// A page is the lines after a mark, up to the page's limit, which replaces the query's
/// own. If there is more, returns the mark after which the next page continues. Only
/// `history`, `changes`, `export` and `rejected` have pages.
pub fn answer(
    trail: &Trail,
    query: &Query,
    page: Option<Page>,
    out: &mut dyn Write,
    report: &mut dyn FnMut(Progress),
) -> Result<(Answered, Option<Mark>), QueryError> {
    let snapshot = &trail.snapshot();
    if query.needs_index() {
        snapshot.wait_for_index(|index| report(index.into()))?;
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
        ..Lines::to(out, page.map_or(limit, |page| page.limit), report)
    };
    if query.needs_owners() {
        note_without_owner(snapshot, &mut lines.damage)?;
    }
    super::erasures::note(snapshot, query, &mut lines);
    let found = match query {
        Query::History(query) => super::history::answer(snapshot, query, &mut lines)?,
        Query::Show(query) => super::states::show(snapshot, query, &mut lines)?,
        Query::Diff(query) => super::states::diff(snapshot, query, &mut lines)?,
        Query::Blame(query) => super::states::blame(snapshot, query, &mut lines)?,
        Query::Changes(query) => super::changes::answer(snapshot, query, &mut lines)?,
        Query::Find(query) => super::find::answer(snapshot, query, &mut lines)?,
        Query::Export(query) => super::export::answer(snapshot, query, &mut lines)?,
        Query::Rejected(query) => super::rejected::answer(snapshot, query, &mut lines)?,
        Query::Evidence(query) => super::proofs::evidence(snapshot, query, &mut lines)?,
        Query::Tail(query) => super::tail::answer(trail, query, &mut lines)?,
        Query::Explain(query) => super::explain::answer(snapshot, query, &mut lines)?,
        Query::Dossier(query) => super::dossier::answer(snapshot, query, &mut lines)?,
        Query::Report(query) => super::report::answer(snapshot, query, &mut lines)?,
        Query::Gaps(query) => super::gaps::answer(snapshot, query, &mut lines)?,
        Query::Incidents(query) => super::incidents::answer(snapshot, query, &mut lines)?,
        Query::Loops(query) => super::loops::answer(snapshot, query, &mut lines)?,
        Query::Stats(query) => super::stats::answer(snapshot, query, &mut lines)?,
        Query::Checkpoint(query) => super::proofs::checkpoint(snapshot, query, &mut lines)?,
        Query::Anchors(AnchorsQuery {}) => super::proofs::anchors(snapshot, &mut lines)?,
        Query::Proof(query) => super::proofs::prove(snapshot, query, &mut lines)?,
    };
    // An empty page has no position.
    let next = lines.last.filter(|_| lines.more);
    let (damage, mut notes) = lines.damage.into_lines();
    notes.extend(lines.notes);
    let later_page = page.is_some_and(|page| page.after.is_some());
    let hints = match found || later_page || !damage.is_empty() {
        true => Vec::new(),
        false if !lines.hints.is_empty() => lines.hints,
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

/// Adds notes on events whose (sub)profile is unknown.
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
            "{events} cannot be read, and which profiles they belong to is not known"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_each_cause_once() {
        let full = || io::Error::other("no space left");
        let output = QueryError::Output(full());
        assert_eq!(
            with_causes(&output),
            "the answer could not be written: no space left"
        );
        let sorting = QueryError::Trail(TrailError::io("sorting in", "/data")(full()));
        assert_eq!(with_causes(&sorting), "sorting in /data: no space left");
    }
}
