//! The questions that can be asked over HTTP: one entry each.
//!
//! From this table come the paths, the list at `/v1/`, the description at
//! `/v1/openapi.json` ([`super::description`]) and the parsing of targets
//! ([`super::parse`]). A question's parameters are the flags of its struct in
//! [`crate::query`], which the command line parses, too; questions that differ over HTTP
//! have a struct here.

use std::fmt;
use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Args, Command};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::params::{Pairs, command_of, read};
use crate::event::{DecodeError, Zone};
use crate::proofs::BundleFile;
use crate::query::dossier::lines::DossierLine;
use crate::query::lines::{
    BlameLine, ChangesLine, DiffLine, EvidenceLine, ExportLine, FindLine, HistoryLine,
    RejectedLine, ShowLine,
};
use crate::query::{
    AnchorLine, AnchorsQuery, ChangesQuery, CheckpointLine, CheckpointQuery, DiffQuery,
    DossierQuery, EventQuery, ExplainLine, ExplainQuery, ExportQuery, Filter, FindQuery, GapLine,
    GapsQuery, HistoryQuery, IncidentId, IncidentLine, IncidentsQuery, LoopGroupLine, LoopLine,
    LoopsQuery, Query, RejectedQuery, ReportLine, ReportQuery, Span, StateQuery, StatsLine,
    StatsQuery, TailQuery, UndoLine, Wanted, unix_time,
};

/// What is known of a question before it is asked.
pub(super) struct Entry {
    /// Its name in the path, which is the command's.
    pub name: &'static str,
    /// What the path names after it.
    pub subject: SubjectKind,
    /// What it asks, in a line.
    pub what: &'static str,
    /// The types of its answer's lines.
    lines: Vec<fn(&mut SchemaGenerator) -> Schema>,
    /// What decides whether its answer is the same as before.
    pub depends: Depends,
    /// Whether its answer can be had in pages.
    pub pages: bool,
    /// Its parameters.
    pub command: Command,
    /// Makes it of its parsed parameters.
    pub read: Box<dyn Fn(&ArgMatches) -> ReadResult + Send + Sync>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A parsed question, and its parameters in canonical form.
type ReadResult = Result<(Query, Pairs), DecodeError>;

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

/// What an answer depends on, in addition to the question with its times in Unix seconds.
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
    /// A question of a name about a subject, with the parameters `T` and an answer of lines `L`,
    /// which depends on the events.
    fn new<T: Args + Serialize + 'static, L: JsonSchema>(
        (name, subject): (&'static str, SubjectKind),
        what: &'static str,
        question: impl Fn(T) -> Result<Query, DecodeError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            subject,
            what,
            lines: vec![SchemaGenerator::subschema_for::<L>],
            depends: Depends::Events,
            pages: false,
            command: command_of::<T>(),
            read: Box::new(move |matches| {
                let (params, pairs) = read::<T>(matches)?;
                Ok((question(params)?, pairs))
            }),
        }
    }

    /// The same, where lines can be of another type, too.
    fn or_line<L: JsonSchema>(mut self) -> Self {
        self.lines.push(SchemaGenerator::subschema_for::<L>);
        self
    }

    /// The same with an answer that depends on something else.
    fn depends(self, depends: Depends) -> Self {
        Self { depends, ..self }
    }

    /// The schema of a line of its answer.
    pub fn line(&self, generator: &mut SchemaGenerator) -> Schema {
        match self.lines.as_slice() {
            [line] => line(generator),
            lines => {
                let lines: Vec<Schema> = lines.iter().map(|line| line(generator)).collect();
                json_schema!({ "anyOf": lines })
            }
        }
    }

    /// The same with an answer that can be had in pages, and with the parameters of pages.
    fn in_pages(mut self) -> Self {
        self.pages = true;
        let has_limit = |arg: &Arg| arg.get_id() == "limit";
        if !self.command.get_arguments().any(has_limit) {
            self.command = self.command.arg(
                Arg::new("limit")
                    .long("limit")
                    .value_parser(clap::value_parser!(u64))
                    .help("At most this many lines"),
            );
        }
        let command = self.command.mut_arg("limit", |arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.help(format!(
                "{help}. If there are more, Link has the next page: in the headers, or in the \
                 trailer of a streamed answer"
            ))
        });
        self.command = command.arg(Arg::new("after").long("after").value_name("CURSOR").help(
            "The cursor in the previous page's Link. Everything that existed at the first page \
             is returned exactly once, whatever arrives meanwhile; an event that arrives late, \
             with a time before the cursor, is not returned",
        ));
        self
    }
}

/// Everything about a (sub)profile; of `at` and `until` the earlier one counts.
#[derive(clap::Args, Serialize)]
struct DossierParams {
    #[command(flatten)]
    #[serde(flatten)]
    query: DossierQuery,
    /// As it was at this moment, all events up to it; with until, the earlier one counts
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
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
    fn query(self) -> Query {
        let all = self.filter.span == Span::default();
        let (last, limit) = match self.after {
            Some(_) => (None, self.limit.or(Some(100))),
            None => (self.limit.or(all.then_some(10)), None),
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
    query: FindQuery,
}

impl FindParams {
    fn query(self) -> Result<Query, DecodeError> {
        let refused = |what: &str, name| Err(DecodeError::new(what, name));
        match (&self.q, &self.value, &self.query.field) {
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
        Ok(Query::Find(self.query.of(text, name)?))
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

pub(super) static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    use SubjectKind::{Event, Everything, Profile};
    vec![
        Entry::new::<HistoryQuery, HistoryLine<'static>>(
            ("history", Profile),
            "The events of a (sub)profile, oldest first, and what each changed",
            |query| Ok(Query::History(query)),
        )
        .in_pages(),
        Entry::new::<StateQuery, ShowLine<'static>>(
            ("show", Profile),
            "The state of a (sub)profile at a moment",
            |query| Ok(Query::Show(query)),
        )
        .depends(Depends::EventsOnce("at")),
        Entry::new::<DiffQuery, DiffLine<'static>>(
            ("diff", Profile),
            "The net differences of a (sub)profile between two moments",
            |query| Ok(Query::Diff(query)),
        )
        .depends(Depends::EventsOnce("to")),
        Entry::new::<StateQuery, BlameLine<'static>>(
            ("blame", Profile),
            "The last change of every field and interest of a (sub)profile",
            |query| Ok(Query::Blame(query)),
        )
        .depends(Depends::EventsOnce("at")),
        Entry::new::<DossierParams, DossierLine<'static>>(
            ("dossier", Profile),
            "Everything about a (sub)profile, or about some fields and interests of it",
            |params| Ok(params.query()),
        )
        .depends(Depends::More),
        Entry::new::<EventQuery, EvidenceLine<'static>>(
            ("evidence", Event),
            "What proves that Copernica sent an event",
            |query| Ok(Query::Evidence(query)),
        ),
        Entry::new::<ChangesQuery, ChangesLine<'static>>(
            ("changes", Everything),
            "What changed when, over all profiles",
            |query| Ok(Query::Changes(query)),
        )
        .in_pages(),
        Entry::new::<ExplainQuery, ExplainLine<'static>>(
            ("explain", Event),
            "What an event requested, and what it changed",
            |query| Ok(Query::Explain(query)),
        ),
        Entry::new::<TailParams, HistoryLine<'static>>(
            ("tail", Everything),
            "The newest events in the order of arrival, or those after one, and what each \
             changed",
            |params| Ok(params.query()),
        ),
        Entry::new::<FindParams, FindLine<'static>>(
            ("find", Everything),
            "Which (sub)profiles have or had a value, and from when until when",
            |params| params.query(),
        )
        .depends(Depends::EventsOnce("at")),
        Entry::new::<ReportQuery, ReportLine>(
            ("report", Everything),
            "The number of changes by field, label, hour, …",
            |query| Ok(Query::Report(query)),
        ),
        Entry::new::<GapsQuery, GapLine>(
            ("gaps", Everything),
            "Unexplained changes, and which lost calls would explain them",
            |query| Ok(Query::Gaps(query)),
        ),
        Entry::new::<IncidentsParams, IncidentLine>(
            ("incidents", Everything),
            "Changes of one field in many (sub)profiles at once; with show or undo, the changes \
             of one incident or what would undo it",
            |params| params.query(),
        )
        .or_line::<ChangesLine<'static>>()
        .or_line::<UndoLine>(),
        Entry::new::<LoopsQuery, LoopLine>(
            ("loops", Everything),
            "Fields that go from one value to another and back, again and again",
            |query| Ok(Query::Loops(query)),
        )
        .or_line::<LoopGroupLine>(),
        Entry::new::<ExportQuery, ExportLine<'static>>(
            ("export", Everything),
            "Every event in the order of arrival",
            |query| Ok(Query::Export(query)),
        )
        .in_pages(),
        Entry::new::<RejectedQuery, RejectedLine<'static>>(
            ("rejected", Everything),
            "The calls that could not be read",
            |query| Ok(Query::Rejected(query)),
        )
        .depends(Depends::Rejected)
        .in_pages(),
        Entry::new::<Span, StatsLine>(
            ("stats", Everything),
            "Counts of the events in a time range",
            |span| {
                let zone = Zone::UTC;
                Ok(Query::Stats(StatsQuery { span, zone }))
            },
        )
        .depends(Depends::More),
        Entry::new::<CheckpointQuery, CheckpointLine>(
            ("checkpoint", Everything),
            "A signed checkpoint of now, and whether the log only grew since an older one",
            |query| Ok(Query::Checkpoint(query)),
        )
        .depends(Depends::More),
        Entry::new::<AnchorsQuery, AnchorLine>(
            ("anchors", Everything),
            "The checkpoints that others have signed, too, with their signatures",
            |query| Ok(Query::Anchors(query)),
        )
        .depends(Depends::More),
        Entry::new::<EventQuery, BundleFile>(
            ("proof", Event),
            "The files that prove that an event was in the log, each as a line; with the event itself",
            |query| Ok(Query::Proof(query)),
        )
        .depends(Depends::More),
    ]
});

#[cfg(test)]
mod tests {
    use super::super::params::declared_params;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_question_can_be_described() {
        for entry in ENTRIES.iter() {
            entry.command.clone().debug_assert();
            let mut names = BTreeSet::new();
            for (name, arg) in declared_params(&entry.command) {
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
