//! `incidents`: bursts in which the same field of many (sub)profiles changed within
//! minutes, as after a bad import.
//!
//! [`counts`] counts by field and slice of time, and [`detect`] finds the slices
//! that are a burst rather than a usual rate; then the changes of each burst are
//! read again for its [`detail`]. Only changes by updates count: a `create` and a
//! first sight change no known value (unless `--cause` asks for them). A field is
//! that of one database's profiles or of one collection's subprofiles.
//!
//! Whether there is a burst depends on the day before it and the day after. These are
//! always read: the requested range only selects the bursts that are listed. So an
//! incident has the same [`id`] in every answer with the same other filters, and later
//! events change it only if their times are near it. A name is valid as long as its event
//! belongs to an incident of that field.
//!
//! Memory is bounded: counts go to disk if there are many, and details are held for
//! one incident at a time.

mod counts;
mod detail;
mod detect;
mod id;
mod lines;
mod undo;
mod undo_file;

use std::cmp::Reverse;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use id::IncidentId;
pub use lines::{IncidentLine, SkipReason, UndoLine};
pub use undo_file::UndoFile;

use super::answer::{Lines, QueryError};
use super::changes::{answer_where, collect_changes, visit_changes};
use super::filter::{CauseKind, Filter, Span};
use super::moment::parse_seconds;
use super::request::ChangesQuery;
use crate::event::DecodeError;
use crate::store::Snapshot;
use counts::{Counter, Counts, GROUPS, Group};
use detail::Detail;
use detect::{Burst, Rule, SLICES};

/// Bursts of changes.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentsQuery {
    /// Which changes.
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: Filter,
    /// The longest time that a burst may take, from 1m to 1d
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = parse_within)]
    pub within: i64,
    /// The fewest profiles or subprofiles of an incident
    #[arg(long, value_name = "N", default_value_t = IncidentsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(2..))]
    pub least: u64,
    /// What is asked of them.
    #[arg(skip)]
    pub what: Wanted,
    /// At most this many incidents, those with the most profiles; or this many changes of one incident
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
}

fn parse_within(text: &str) -> Result<i64, String> {
    let (least, most) = IncidentsQuery::WITHINS;
    let seconds = parse_seconds(text)?;
    match (least..=most).contains(&seconds) {
        true => Ok(seconds),
        false => Err("it must be from 1m to 1d".to_owned()),
    }
}

/// What is asked of incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Which there are.
    #[default]
    List,
    /// The changes of one.
    Show(IncidentId),
    /// What each (sub)profile of one had before, and has now.
    Undo(IncidentId),
}

impl IncidentsQuery {
    /// Refuses a span for one incident, which has a time of its own.
    pub fn check(&self) -> Result<(), DecodeError> {
        let name = match (&self.what, self.filter.span.since, self.filter.span.until) {
            (Wanted::List, ..) | (_, None, None) => return Ok(()),
            (_, Some(_), _) => "since",
            (_, None, Some(_)) => "until",
        };
        let what = "an incident has its own time; leave it out";
        Err(DecodeError::new(what, name))
    }

    /// The default of `within`, in seconds.
    pub const WITHIN: i64 = 300;
    /// The default minimum number of (sub)profiles.
    pub const LEAST: u64 = 20;
    /// The range of `within`: from a minute to a day.
    pub const WITHINS: (i64, i64) = (60, DAY);
}

const DAY: i64 = 86_400;

/// The maximum number of incidents that are listed.
const MOST: usize = 200;

/// An incident that was found but whose changes were not read yet.
struct Found {
    group: Group,
    burst: Burst,
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &IncidentsQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let asking = Asking::new(snapshot, query);
    match &query.what {
        Wanted::List => asking.list(lines)?,
        Wanted::Show(id) => {
            if let Some((found, filter)) = asking.resolve(id, lines)? {
                let of = ChangesQuery {
                    filter,
                    ..ChangesQuery::default()
                };
                answer_where(snapshot, &of, &|event| found.group.is_of(event), lines)?;
            }
        }
        Wanted::Undo(id) => {
            if let Some((found, filter)) = asking.resolve(id, lines)? {
                undo::answer(snapshot, &filter, &found.group, lines)?;
            }
        }
    }
    Ok(lines.written > 0)
}

/// A query about incidents.
struct Asking<'q> {
    snapshot: &'q Snapshot<'q>,
    query: &'q IncidentsQuery,
    /// Its filter, without the span.
    filter: Filter,
    /// The length of a slice in seconds.
    slice: i64,
    /// How many seconds before and after an incident the usual rate is taken from.
    around: i64,
}

impl<'q> Asking<'q> {
    fn new(snapshot: &'q Snapshot<'q>, query: &'q IncidentsQuery) -> Self {
        let (least, most) = IncidentsQuery::WITHINS;
        let within = query.within.clamp(least, most);
        let mut filter = query.filter.clone();
        if filter.causes.is_empty() {
            filter.causes = vec![CauseKind::Set, CauseKind::Unexplained];
        }
        Self {
            snapshot,
            query,
            filter,
            slice: within / SLICES,
            around: DAY.max(within * 48),
        }
    }

    fn list(&self, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        let span = self.query.filter.span;
        let reach = self.around + self.query.within.saturating_mul(24).min(self.around);
        let read = Span {
            since: span.since.map(|since| since.saturating_sub(reach)),
            until: span.until.map(|until| until.saturating_add(reach)),
        };
        let mut found = self.find(read, None, false, lines)?;
        found.retain(|found| {
            let (first, last) = self.seconds(&found.burst);
            let (since, until) = span.bounds();
            first < until && since < last
        });
        // Their changes are already counted, but not their (sub)profiles.
        let most = self.query.limit.map_or(MOST, |limit| {
            usize::try_from(limit).unwrap_or(MOST).min(MOST)
        });
        let mut selected = Vec::new();
        let all = found.len();
        found.truncate(MOST);
        if all > MOST {
            lines.note(format!(
                "{} of {all} bursts were not examined: ask for a shorter span, or for a field",
                all - MOST
            ));
        }
        for found in found {
            let detail = self.detail(&found, &self.span_of(&found), 0, lines)?;
            let count = detail.extent.profiles + detail.extent.subprofiles;
            if let Some((first, last)) = detail.extent.times.get()
                && count >= self.query.least
                && span.bounds().0 <= last
                && first < span.bounds().1
            {
                let line = detail.into_line(self.query, found.burst.usual);
                selected.push((count, first, line));
            }
        }
        selected.sort_by_key(|(count, time, _)| (Reverse(*count), *time));
        selected.truncate(most);
        selected.sort_by_key(|(_, time, line)| (*time, line.first_seq));
        for (_, _, line) in selected {
            lines.put(&line)?;
        }
        Ok(())
    }

    /// The bursts of a span, the largest first; only of the fields with the given
    /// word in an incident's name, if there is one.
    fn find(
        &self,
        span: Span,
        word: Option<&str>,
        any_rate: bool,
        lines: &mut Lines<'_>,
    ) -> Result<Vec<Found>, QueryError> {
        let filter = Filter {
            span,
            ..self.filter.clone()
        };
        let counts = Mutex::new(Counts::new(self.snapshot, self.slice, word));
        let make = || Counter::new(&counts);
        visit_changes(self.snapshot, &filter, lines, &make, &mut |_| Ok(()))?;
        let counts = counts.into_inner();
        if counts.groups.others > 0 {
            lines.note(format!(
                "there are more than {GROUPS} fields: {} changes of others were not examined",
                counts.groups.others
            ));
        }
        let Some((first, last)) = counts.time_range.get() else {
            return Ok(Vec::new());
        };
        let first = first.min(self.time_of(1).unwrap_or(first));
        let last = last.max(self.time_of(self.snapshot.last_seq()).unwrap_or(last));
        let rule = Rule {
            least: self.query.least.max(1),
            around: self.around / self.slice,
            known: (first.div_euclid(self.slice), last.div_euclid(self.slice)),
            any_rate,
        };
        let mut found = counts.bursts(rule)?;
        // The same order, regardless of the thread that counted a field first.
        found.sort_by(|a, b| {
            let rank = |found: &Found| (Reverse(found.burst.count), found.burst.first);
            (rank(a), &a.group).cmp(&(rank(b), &b.group))
        });
        Ok(found)
    }

    /// The incident with the given name, and the query for its changes.
    fn resolve(
        &self,
        id: &IncidentId,
        lines: &mut Lines<'_>,
    ) -> Result<Option<(Found, Filter)>, QueryError> {
        let Some(time) = self.time_of(id.seq) else {
            return Ok(None);
        };
        // The maximum length of the incident, and twice the period of the usual
        // rate around it.
        let reach = self.around.saturating_mul(3);
        let span = Span {
            since: Some(time.saturating_sub(reach)),
            until: Some(time.saturating_add(reach)),
        };
        // If later events make its rate a usual one, it still has its name.
        for any_rate in [false, true] {
            for found in self.find(span, Some(&id.word), any_rate, lines)? {
                let (first, last) = self.seconds(&found.burst);
                if !(first..last).contains(&time) {
                    continue;
                }
                let filter = self.span_of(&found);
                if self.detail(&found, &filter, id.seq, lines)?.has_named {
                    return Ok(Some((found, filter)));
                }
            }
        }
        Ok(None)
    }

    /// The first second of a burst, and the first after it.
    const fn seconds(&self, burst: &Burst) -> (i64, i64) {
        (
            burst.first.saturating_mul(self.slice),
            burst.last.saturating_add(1).saturating_mul(self.slice),
        )
    }

    /// The query for the changes of an incident, and possibly of others.
    fn span_of(&self, found: &Found) -> Filter {
        let (since, until) = self.seconds(&found.burst);
        Filter {
            database: found.group.database,
            collection: found.group.collection,
            span: Span {
                since: Some(since),
                until: Some(until),
            },
            ..self.filter.clone()
        }
        .of_subject(&found.group.subject)
    }

    fn detail<'g>(
        &self,
        found: &'g Found,
        filter: &Filter,
        named: u64,
        lines: &mut Lines<'_>,
    ) -> Result<Detail<'g>, QueryError> {
        let make = || Detail::new(&found.group, named);
        // Unreadable events were reported when they were counted.
        let damage = lines.damage.clone();
        let all = collect_changes(self.snapshot, filter, lines, &make)?;
        lines.damage = damage;
        Ok(all)
    }

    /// The time of an event; `None` if it does not exist or is unreadable.
    fn time_of(&self, seq: u64) -> Option<i64> {
        let (_, time) = self.snapshot.head_of(seq).ok()??;
        Some(time)
    }
}
