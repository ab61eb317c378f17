//! From a request's target to the question that it asks.
//!
//! What is here says how each question is read from its parameters;
//! [`super::posed`] finds which one is meant, and [`super::table`] lists them.

use super::bursts;
use super::events::tail;
use super::find::find;
use super::params::Params;
use super::posed::pose;
use crate::event::{DecodeError, ProfileKey, Zone};
use crate::query::{
    BlameQuery, CauseKind, ChangesQuery, DiffQuery, DossierQuery, EvidenceQuery, ExplainQuery,
    ExportQuery, Filter, HistoryQuery, Query, RejectedQuery, Rounding, ShowQuery, Span,
};

/// What can be asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// One of the questions.
    Ask(Box<Query>),
    /// What there is in a span of time.
    Stats(Span),
}

/// The causes of changes, as `cause` names them.
const CAUSES: [&str; 6] = [
    "create",
    "set",
    "unexplained",
    "observed",
    "first_seen",
    "cascade",
];

/// The cause that is told only where it is asked for.
const CASCADE: &str = "cascade";

/// Reads a target, such as `/v1/history/123?field=mail`; `None` where nothing
/// is at that path. `now` is in Unix microseconds; times that name no zone are
/// in `zone`. The path is taken as it is sent: nothing of it is decoded.
///
/// # Errors
/// A parameter that is wrong, doubled, missing or not known: the error's place
/// is its name.
pub fn question(target: &str, zone: Zone, now: i64) -> Result<Option<Question>, DecodeError> {
    Ok(pose(target, zone, now, 0)?.map(|posed| posed.question))
}

/// A question about one (sub)profile.
pub(super) fn about(
    name: &str,
    key: ProfileKey,
    params: &mut Params,
) -> Result<Query, DecodeError> {
    Ok(match name {
        "show" => Query::Show(ShowQuery {
            key,
            at: params.time("at", Rounding::Down)?,
            cascade: params.flag(CASCADE)?,
        }),
        "blame" => Query::Blame(BlameQuery {
            key,
            at: params.time("at", Rounding::Down)?,
            cascade: params.flag(CASCADE)?,
        }),
        "diff" => {
            let from = params.needed_time("from", Rounding::Down)?;
            let to = params.time("to", Rounding::Down)?;
            if from > to.unwrap_or_else(|| params.now()) {
                return Err(DecodeError::new("it is later than to", "from"));
            }
            Query::Diff(DiffQuery {
                key,
                from,
                to,
                cascade: params.flag(CASCADE)?,
            })
        }
        "dossier" => {
            let at = params.time("at", Rounding::Down)?;
            let mut span = params.span()?;
            // Of both the earlier one counts.
            let end = at.map(|at| at.saturating_add(1));
            span.until = span.until.into_iter().chain(end).min();
            Query::Dossier(DossierQuery {
                key,
                fields: params.all("field"),
                interests: params.all("interest"),
                span,
            })
        }
        "history" => Query::History(HistoryQuery {
            key,
            fields: params.all("field"),
            interests: params.all("interest"),
            span: params.span()?,
            all: params.flag("all")?,
            limit: params.limit()?,
            reverse: params.flag("reverse")?,
            subprofiles: params.flag("subprofiles")?,
            cascade: params.flag(CASCADE)?,
        }),
        _ => return Err(unread(name)),
    })
}

/// A question about one event.
pub(super) fn of_event(name: &str, seq: u64) -> Result<Query, DecodeError> {
    match name {
        "explain" => Ok(Query::Explain(ExplainQuery { seq, head: false })),
        "evidence" => Ok(Query::Evidence(EvidenceQuery { seq })),
        _ => Err(unread(name)),
    }
}

/// A question over all profiles.
pub(super) fn over_all(name: &str, params: &mut Params) -> Result<Question, DecodeError> {
    let query = match name {
        "stats" => return Ok(Question::Stats(params.span()?)),
        "rejected" => Query::Rejected(RejectedQuery {
            span: params.span()?,
            limit: params.limit()?,
            reverse: params.flag("reverse")?,
        }),
        "export" => {
            let profile = params.key("profile")?;
            Query::Export(ExportQuery {
                span: params.span()?,
                profile,
                database: params.number("database")?,
                raw: params.flag("raw")?,
            })
        }
        "find" => find(params)?,
        "tail" => tail(params)?,
        "report" => bursts::report(params)?,
        "gaps" => bursts::gaps(params)?,
        "incidents" => bursts::incidents(params)?,
        "loops" => bursts::loops(params)?,
        "changes" => Query::Changes(ChangesQuery {
            limit: params.limit()?,
            reverse: params.flag("reverse")?,
            filter: filter(params, Causes::All)?,
        }),
        _ => return Err(unread(name)),
    };
    Ok(Question::Ask(Box::new(query)))
}

/// There is an entry in the table, and nobody who reads it: a test finds it.
fn unread(name: &str) -> DecodeError {
    DecodeError::new("this question cannot be asked", name)
}

/// By which causes changes can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Causes {
    /// By any.
    All,
    /// The question itself decides.
    None,
}

/// Which changes are meant, as the flags of that name say; how many of them is
/// the question's own matter.
pub(super) fn filter(params: &mut Params, by: Causes) -> Result<Filter, DecodeError> {
    let profile = params.key("profile")?;
    let causes = match by {
        Causes::All => params.choices("cause", &CAUSES, "cause")?,
        Causes::None => Vec::new(),
    };
    let cascade = params.flag(CASCADE)?;
    let labels = params.labels("label")?;
    let not_labels = params.labels("not-label")?;
    Ok(Filter {
        fields: params.all("field"),
        interests: params.all("interest"),
        database: params.number("database")?,
        collection: params.number("collection")?,
        profile,
        span: params.span()?,
        old: params.one("old")?,
        new: params.one("new")?,
        causes: causes
            .iter()
            .filter_map(|cause| CauseKind::from_name(cause))
            .collect(),
        labels,
        not_labels,
        types: params.all("type"),
        cascade,
    })
}

#[cfg(test)]
#[path = "question_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
