//! The questions that can be asked over HTTP: one entry each.
//!
//! From this table come the paths, the list at `/v1/`, the description at
//! `/v1/openapi.json` ([`super::description`]) and the parsing of targets
//! ([`super::parse`]). A question's parameters are the flags of its struct in
//! [`crate::query`], which the command line parses too; what differs over HTTP has a
//! struct here.

use clap::{Arg, ArgMatches, Command, FromArgMatches};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::params::{Pairs, command_of, read};
use crate::event::DecodeError;
use crate::ops::StatsLine;
use crate::query::dossier::lines::DossierLine;
use crate::query::lines::{
    BlameLine, ChangesLine, DiffLine, EvidenceLine, ExportLine, FindLine, HistoryLine,
    RejectedLine, ShowLine,
};
use crate::query::{
    BlameQuery, ChangesQuery, DiffQuery, DossierQuery, EvidenceQuery, ExplainLine, ExplainQuery,
    ExportQuery, Filter, FindOptions, GapLine, GapsQuery, HistoryQuery, IncidentId, IncidentLine,
    IncidentsQuery, LoopGroupLine, LoopLine, LoopsQuery, Query, RejectedQuery, ReportLine,
    ReportQuery, Rounding, ShowQuery, Span, TailQuery, UndoLine, Wanted, unix_time,
};

/// What can be asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// One of the questions.
    Ask(Box<Query>),
    /// Counts of the events in a time range.
    Stats(Span),
}

/// What is known of a question before it is asked.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name in the path, which is the command's.
    pub name: &'static str,
    /// What the path names after it.
    pub subject: SubjectKind,
    /// What it asks, in a line.
    pub what: &'static str,
    /// The type of its answer's lines.
    pub line: fn(&mut SchemaGenerator) -> Schema,
    /// What decides whether its answer is the same as before.
    pub depends: Depends,
    /// Whether its answer can be had in pages.
    pub pages: bool,
    /// Its parameters, but for those of pages.
    params: fn() -> Command,
    /// The question that was parsed, and its parameters in canonical form.
    pub read: fn(&ArgMatches) -> ReadResult,
}

/// A parsed question, and its parameters in canonical form.
type ReadResult = Result<(Question, Pairs), DecodeError>;

/// What a question's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubjectKind {
    /// One profile or subprofile.
    Profile,
    /// One event, by its `seq`.
    Event,
    /// Nothing: the question is over everything.
    Everything,
}

/// What an answer depends on, beside the question with its times in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depends {
    /// The events that are there.
    Events,
    /// The same once this moment is given: else the answer is about now.
    EventsOnce(&'static str),
    /// The rejected calls that are there.
    Rejected,
    /// More: the files' sizes, or now.
    More,
}

impl Entry {
    /// The question of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ENTRIES.iter().find(|entry| entry.name == name)
    }

    /// Its parameters.
    pub fn command(&self) -> Command {
        let command = (self.params)();
        if !self.pages {
            return command;
        }
        let limit = command.get_arguments().any(|arg| arg.get_id() == "limit");
        let command = match limit {
            true => command,
            false => command.arg(
                Arg::new("limit")
                    .long("limit")
                    .value_parser(clap::value_parser!(u64))
                    .help("At most this many lines"),
            ),
        };
        let command = command.mut_arg("limit", |arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.help(format!(
                "{help}. If there are more, Link has the next page: in the headers, or in the \
                 trailer of a streamed answer"
            ))
        });
        command.arg(Arg::new("after").long("after").value_name("CURSOR").help(
            "The cursor in the previous page's Link. Everything that existed at the first page \
             is returned exactly once, whatever arrives meanwhile; an event that arrives late, \
             with a time before the cursor, is not returned",
        ))
    }
}

/// The schema of a question's lines.
fn line<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A question whose struct is the same over HTTP as on the command line.
fn ask<T: FromArgMatches + Serialize>(
    matches: &ArgMatches,
    make: impl FnOnce(T) -> Result<Query, DecodeError>,
) -> ReadResult {
    let (params, pairs) = read::<T>(matches)?;
    Ok((Question::Ask(Box::new(make(params)?)), pairs))
}

/// Everything about a (sub)profile; of `at` and `until` the earlier one counts.
#[derive(clap::Args, Serialize)]
struct DossierParams {
    #[command(flatten)]
    #[serde(flatten)]
    query: DossierQuery,
    /// As it was at this moment, all events up to it; with until, the earlier one counts
    #[arg(long, value_name = "TIME", value_parser = unix_time(Rounding::Down))]
    at: Option<i64>,
}

impl DossierParams {
    fn query(mut self) -> Query {
        let end = self.at.map(|at| at.saturating_add(1));
        let until = self.query.span.until;
        self.query.span.until = until.into_iter().chain(end).min();
        Query::Dossier(self.query)
    }
}

/// A page of a tail: the events after one, or the newest.
#[derive(clap::Args, Serialize)]
struct TailParams {
    #[command(flatten)]
    #[serde(flatten)]
    filter: Filter,
    /// Only events after this one, by its seq [default: the newest]
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// At most this many events [default: 100, or 10 of the newest]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl TailParams {
    /// How many events a page has where no limit is given: after an event, and of
    /// the newest.
    const EVENTS: (u64, u64) = (100, 10);

    fn query(self) -> Query {
        let (page, newest) = Self::EVENTS;
        let all = self.filter.span == Span::default();
        let (last, limit) = match self.after {
            Some(_) => (None, self.limit.or(Some(page))),
            None => (self.limit.or(all.then_some(newest)), None),
        };
        Query::Tail(TailQuery {
            filter: self.filter,
            after: self.after,
            last,
            limit,
        })
    }
}

/// Who has a value: `q=FIELD=VALUE`, or `field` and `value`, or `interest`.
#[derive(clap::Args, Serialize)]
struct FindParams {
    /// FIELD=VALUE; instead of field and value, or of interest
    #[arg(long, value_name = "FIELD=VALUE")]
    q: Option<String>,
    /// The value; goes with field
    #[arg(long, value_name = "VALUE")]
    value: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    options: FindOptions,
}

impl FindParams {
    fn query(self) -> Result<Query, DecodeError> {
        let refused = |what: &str, name| Err(DecodeError::new(what, name));
        match (&self.q, &self.value, &self.options.field) {
            (Some(_), Some(_), _) => {
                let what = "write q=FIELD=VALUE, or field=FIELD and value=VALUE";
                return refused(what, "value");
            }
            (_, None, Some(_)) => {
                return refused("field needs value: the value to find", "field");
            }
            (_, Some(_), None) => {
                return refused("value needs field: the field's name", "value");
            }
            _ => {}
        }
        let (text, name) = match self.value {
            Some(value) => (Some(value), "value"),
            None => (self.q, "q"),
        };
        Ok(Query::Find(self.options.query(text, name)?))
    }
}

/// Incidents, the changes of one, or what would undo one.
#[derive(clap::Args, Serialize)]
struct IncidentsParams {
    #[command(flatten)]
    #[serde(flatten)]
    query: IncidentsQuery,
    /// The changes of this incident instead
    #[arg(long, value_name = "ID")]
    show: Option<IncidentId>,
    /// What each (sub)profile of this incident had and has, instead
    #[arg(long, value_name = "ID")]
    undo: Option<IncidentId>,
}

impl IncidentsParams {
    fn query(self) -> Result<Query, DecodeError> {
        let what = match (self.show, self.undo) {
            (None, None) => Wanted::List,
            (Some(id), None) => Wanted::Show(id),
            (None, Some(id)) => Wanted::Undo(id),
            (Some(_), Some(_)) => {
                return Err(DecodeError::new("it cannot be combined with show", "undo"));
            }
        };
        let query = IncidentsQuery { what, ..self.query };
        query.check()?;
        Ok(Query::Incidents(query))
    }
}

/// All of them.
pub(super) const ENTRIES: [Entry; 17] = [
    Entry {
        name: "history",
        subject: SubjectKind::Profile,
        what: "The events of a (sub)profile, oldest first, and what each changed",
        line: line::<HistoryLine<'static>>,
        depends: Depends::Events,
        pages: true,
        params: command_of::<HistoryQuery>,
        read: |matches| ask(matches, |query| Ok(Query::History(query))),
    },
    Entry {
        name: "show",
        subject: SubjectKind::Profile,
        what: "The state of a (sub)profile at a moment",
        line: line::<ShowLine<'static>>,
        depends: Depends::EventsOnce("at"),
        pages: false,
        params: command_of::<ShowQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Show(query))),
    },
    Entry {
        name: "diff",
        subject: SubjectKind::Profile,
        what: "The net differences of a (sub)profile between two moments",
        line: line::<DiffLine<'static>>,
        depends: Depends::EventsOnce("to"),
        pages: false,
        params: command_of::<DiffQuery>,
        read: |matches| ask(matches, |query: DiffQuery| Ok(Query::Diff(query))),
    },
    Entry {
        name: "blame",
        subject: SubjectKind::Profile,
        what: "The last change of every field and interest of a (sub)profile",
        line: line::<BlameLine<'static>>,
        depends: Depends::EventsOnce("at"),
        pages: false,
        params: command_of::<BlameQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Blame(query))),
    },
    Entry {
        name: "dossier",
        subject: SubjectKind::Profile,
        what: "Everything about a (sub)profile, or about some fields and interests of it",
        line: line::<DossierLine<'static>>,
        depends: Depends::More,
        pages: false,
        params: command_of::<DossierParams>,
        read: |matches| ask(matches, |params: DossierParams| Ok(params.query())),
    },
    Entry {
        name: "evidence",
        subject: SubjectKind::Event,
        what: "What proves that Copernica sent an event",
        line: line::<EvidenceLine<'static>>,
        depends: Depends::Events,
        pages: false,
        params: command_of::<EvidenceQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Evidence(query))),
    },
    Entry {
        name: "changes",
        subject: SubjectKind::Everything,
        what: "What changed when, over all profiles",
        line: line::<ChangesLine<'static>>,
        depends: Depends::Events,
        pages: true,
        params: command_of::<ChangesQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Changes(query))),
    },
    Entry {
        name: "explain",
        subject: SubjectKind::Event,
        what: "What an event requested, and what it changed",
        line: line::<ExplainLine<'static>>,
        depends: Depends::Events,
        pages: false,
        params: command_of::<ExplainQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Explain(query))),
    },
    Entry {
        name: "tail",
        subject: SubjectKind::Everything,
        what: "The newest events in the order of arrival, or those after one, and what each changed",
        line: line::<HistoryLine<'static>>,
        depends: Depends::Events,
        pages: false,
        params: command_of::<TailParams>,
        read: |matches| ask(matches, |params: TailParams| Ok(params.query())),
    },
    Entry {
        name: "find",
        subject: SubjectKind::Everything,
        what: "Which (sub)profiles have or had a value, and from when until when",
        line: line::<FindLine<'static>>,
        depends: Depends::EventsOnce("at"),
        pages: false,
        params: command_of::<FindParams>,
        read: |matches| ask(matches, FindParams::query),
    },
    Entry {
        name: "report",
        subject: SubjectKind::Everything,
        what: "The number of changes by field, label, hour, …",
        line: line::<ReportLine>,
        depends: Depends::Events,
        pages: false,
        params: command_of::<ReportQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Report(query))),
    },
    Entry {
        name: "gaps",
        subject: SubjectKind::Everything,
        what: "Unexplained changes, and which lost calls would explain them",
        line: line::<GapLine>,
        depends: Depends::Events,
        pages: false,
        // The cause is known.
        params: || command_of::<GapsQuery>().mut_arg("causes", |arg| arg.hide(true)),
        read: |matches| {
            ask(matches, |query: GapsQuery| {
                query.check()?;
                Ok(Query::Gaps(query))
            })
        },
    },
    Entry {
        name: "incidents",
        subject: SubjectKind::Everything,
        what: "Changes of one field in many (sub)profiles at once; with show or undo, the changes of one incident or what would undo it",
        line: |generator| {
            json_schema!({ "anyOf": [
                line::<IncidentLine>(generator),
                line::<ChangesLine<'static>>(generator),
                line::<UndoLine>(generator),
            ]})
        },
        depends: Depends::Events,
        pages: false,
        params: command_of::<IncidentsParams>,
        read: |matches| ask(matches, IncidentsParams::query),
    },
    Entry {
        name: "loops",
        subject: SubjectKind::Everything,
        what: "Fields that go from one value to another and back, again and again",
        line: |generator| {
            json_schema!({ "anyOf": [
                line::<LoopLine>(generator),
                line::<LoopGroupLine>(generator),
            ]})
        },
        depends: Depends::Events,
        pages: false,
        params: command_of::<LoopsQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Loops(query))),
    },
    Entry {
        name: "export",
        subject: SubjectKind::Everything,
        what: "Every event in the order of arrival",
        line: line::<ExportLine<'static>>,
        depends: Depends::Events,
        pages: true,
        params: command_of::<ExportQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Export(query))),
    },
    Entry {
        name: "rejected",
        subject: SubjectKind::Everything,
        what: "The calls that could not be read",
        line: line::<RejectedLine<'static>>,
        depends: Depends::Rejected,
        pages: true,
        params: command_of::<RejectedQuery>,
        read: |matches| ask(matches, |query| Ok(Query::Rejected(query))),
    },
    Entry {
        name: "stats",
        subject: SubjectKind::Everything,
        what: "Counts of the events in a time range",
        line: line::<StatsLine>,
        depends: Depends::More,
        pages: false,
        params: command_of::<Span>,
        read: |matches| {
            let (span, pairs) = read::<Span>(matches)?;
            Ok((Question::Stats(span), pairs))
        },
    },
];

#[cfg(test)]
mod tests {
    use super::super::params::declared_params;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_question_can_be_described() {
        for entry in &ENTRIES {
            let command = entry.command();
            command.clone().debug_assert();
            let mut names = BTreeSet::new();
            for (name, arg) in declared_params(&command) {
                assert!(arg.get_help().is_some(), "{}: {name}", entry.name);
                assert!(names.insert(name), "{}: {name} twice", entry.name);
            }
            let pages = names.contains("after") && names.contains("limit");
            assert!(!entry.pages || pages, "{}", entry.name);
            if let Depends::EventsOnce(moment) = entry.depends {
                assert!(names.contains(moment), "{}", entry.name);
            }
        }
    }
}
