//! Answering a question.

use std::io::{self, Write};

use serde::Serialize;

use super::progress::{Progress, Teller};
use super::request::Query;
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::log::LogError;
use crate::trail::{Damages, PruneError, Trail, TrailError};

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
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The reader of the answer has gone, or it could not be sorted on disk.
    #[error("{0}")]
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

/// The most notes of an answer.
const NOTES: usize = 3;

/// The lines of an answer on their way out.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    limit: Option<u64>,
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
            self.notes.push(what);
        }
    }

    /// Takes note of what a reader should know.
    pub fn note(&mut self, what: String) {
        self.notes.push(what);
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
        if self.is_full() {
            return Ok(false);
        }
        self.out.write_all(line)?;
        self.out.write_all(b"\n")?;
        self.written += 1;
        Ok(!self.is_full())
    }

    /// Writes so many lines that are JSON already, where there is no limit.
    pub fn put_all(&mut self, lines: &[u8], count: u64) -> Result<(), io::Error> {
        self.out.write_all(lines)?;
        self.written += count;
        Ok(())
    }

    /// Writes lines that are JSON already; `false` once the limit is reached.
    pub fn put_encoded(&mut self, lines: &[u8]) -> Result<bool, io::Error> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if self.is_full() {
                return Ok(false);
            }
            self.out.write_all(line)?;
            self.written += 1;
        }
        Ok(!self.is_full())
    }

    pub fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.written >= limit)
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
    if query.needs_index() {
        trail.wait_for_index(|_| ())?;
    }
    // As long as this is held, nothing that the answer reads is removed.
    let _retention = trail.retention();
    let limit = match query {
        Query::History(query) => query.limit,
        Query::Changes(query) => query.limit,
        Query::Find(query) => query.limit,
        Query::Rejected(query) => query.limit,
        Query::Show(_)
        | Query::Diff(_)
        | Query::Blame(_)
        | Query::Export(_)
        | Query::Evidence(_) => None,
    };
    let mut lines = Lines::to(out, limit, tell);
    if query.needs_owners() {
        for (first, last) in trail.without_owner(&mut lines.damage)? {
            let events = if first == last {
                format!("event {first}")
            } else {
                format!("events {first} to {last}")
            };
            let what = format!("{events} cannot be read, and whose they were is not known");
            lines.damage.add(what);
        }
    }
    let found = match query {
        Query::History(query) => super::history::answer(trail, query, &mut lines)?,
        Query::Show(query) => super::show::answer(trail, query, &mut lines)?,
        Query::Diff(query) => super::diff::answer(trail, query, &mut lines)?,
        Query::Blame(query) => super::blame::answer(trail, query, &mut lines)?,
        Query::Changes(query) => super::changes::answer(trail, query, &mut lines)?,
        Query::Find(query) => super::find::answer(trail, query, &mut lines)?,
        Query::Export(query) => super::export::answer(trail, query, &mut lines)?,
        Query::Rejected(query) => super::rejected::answer(trail, query, &mut lines)?,
        Query::Evidence(query) => super::evidence::answer(trail, query, &mut lines)?,
    };
    let (damage, mut notes) = lines.damage.into_lines();
    notes.extend(lines.notes);
    Ok(Answered {
        found,
        damage,
        notes,
    })
}

/// The present second.
pub(super) fn now() -> i64 {
    crate::event::now_micros().div_euclid(1_000_000)
}
