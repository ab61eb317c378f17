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
    BlameQuery, ChangesQuery, DiffQuery, DossierQuery, EvidenceQuery, ExplainQuery, ExportQuery,
    HistoryQuery, Query, RejectedQuery, Rounding, ShowQuery, Span,
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
    CASCADE,
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
            let key = params.key("profile")?;
            Query::Export(ExportQuery {
                span: params.span()?,
                profile: key.map(|key| key.profile),
                subprofile: key.and_then(|key| key.subprofile),
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
            ..filter(params, Causes::All)?
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
pub(super) fn filter(params: &mut Params, by: Causes) -> Result<ChangesQuery, DecodeError> {
    let key = params.key("profile")?;
    let causes = match by {
        Causes::All => params.choices("cause", &CAUSES, "cause")?,
        Causes::None => Vec::new(),
    };
    let cascade = params.flag(CASCADE)? || causes.iter().any(|cause| cause == CASCADE);
    let labels = params.labels("label")?;
    Ok(ChangesQuery {
        fields: params.all("field"),
        interests: params.all("interest"),
        database: params.number("database")?,
        collection: params.number("collection")?,
        profile: key.map(|key| key.profile),
        subprofile: key.and_then(|key| key.subprofile),
        span: params.span()?,
        old: params.one("old")?,
        new: params.one("new")?,
        causes,
        labels,
        types: params.all("type"),
        limit: None,
        cascade,
        reverse: false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::query::{FindQuery, Matching, Sought};
    use proptest::prelude::*;

    const NOW: i64 = 1_760_000_000_000_000;

    fn read(target: &str) -> Result<Option<Question>, DecodeError> {
        question(target, chrono_tz::UTC, NOW)
    }

    fn asked(target: &str) -> Query {
        match read(target).unwrap().unwrap() {
            Question::Ask(query) => *query,
            Question::Stats(_) => panic!("{target}"),
        }
    }

    fn place(target: &str) -> String {
        let error = serde_json::to_value(read(target).unwrap_err()).unwrap();
        error["where"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_question_can_be_asked() {
        let key = ProfileKey::subprofile(1, 2);
        assert_eq!(
            asked(
                "/v1/history/1/2?field=a&field=b&interest=c&since=@5&until=@9&all&limit=3&reverse=1&subprofiles=true&cascade"
            ),
            Query::History(HistoryQuery {
                key,
                fields: vec!["a".into(), "b".into()],
                interests: vec!["c".into()],
                span: Span {
                    since: Some(5),
                    until: Some(9)
                },
                all: true,
                limit: Some(3),
                reverse: true,
                subprofiles: true,
                cascade: true,
            })
        );
        assert_eq!(
            asked("/v1/show/1/2?at=@7#x"),
            Query::Show(ShowQuery {
                key,
                at: Some(7),
                cascade: false
            })
        );
        assert_eq!(
            asked("/v1/blame/1/2?cascade=1"),
            Query::Blame(BlameQuery {
                key,
                at: None,
                cascade: true
            })
        );
        assert_eq!(
            asked("/v1/diff/1/2?from=@3"),
            Query::Diff(DiffQuery {
                key,
                from: 3,
                to: None,
                cascade: false
            })
        );
        assert_eq!(
            asked(
                "/v1/changes?profile=1/2&database=3&collection=4&old=&new=x%20y&cause=set&cause=create&label=l-1&reverse"
            ),
            Query::Changes(ChangesQuery {
                database: Some(3),
                collection: Some(4),
                profile: Some(1),
                subprofile: Some(2),
                old: Some(String::new()),
                new: Some("x y".into()),
                causes: vec!["set".into(), "create".into()],
                labels: vec!["l-1".into()],
                reverse: true,
                ..ChangesQuery::default()
            })
        );
        let mail = |by, ignore_case| Sought::Field {
            name: "mail".into(),
            value: "x=y".into(),
            by,
            ignore_case,
        };
        let find = |sought, ever, at| {
            Query::Find(FindQuery {
                sought,
                ever,
                at,
                database: None,
                limit: None,
            })
        };
        assert_eq!(
            asked("/v1/find?q=mail%3Dx%3Dy"),
            find(mail(Matching::Whole, false), false, None)
        );
        assert_eq!(
            asked("/v1/find?field=mail&value=x%3Dy&prefix&ignore-case=1&at=@7"),
            find(mail(Matching::Prefix, true), false, Some(7))
        );
        assert_eq!(
            asked("/v1/find?q=mail=x=y&match&ever"),
            find(mail(Matching::Match, false), true, None)
        );
        assert_eq!(
            asked("/v1/find?interest=news&database=3&limit=4"),
            Query::Find(FindQuery {
                sought: Sought::Interest("news".into()),
                ever: false,
                at: None,
                database: Some(3),
                limit: Some(4),
            })
        );
        assert_eq!(
            asked("/v1/changes?cause=cascade"),
            Query::Changes(ChangesQuery {
                causes: vec!["cascade".into()],
                cascade: true,
                ..ChangesQuery::default()
            })
        );
        assert_eq!(
            asked("/v1/dossier/1/2?field=a&interest=b&since=@3&at=@5"),
            Query::Dossier(DossierQuery {
                key,
                fields: vec!["a".into()],
                interests: vec!["b".into()],
                span: Span {
                    since: Some(3),
                    until: Some(6)
                },
            })
        );
        assert_eq!(
            asked("/v1/export?raw&profile=1&database=9"),
            Query::Export(ExportQuery {
                profile: Some(1),
                database: Some(9),
                raw: true,
                ..ExportQuery::default()
            })
        );
        assert_eq!(
            asked("/v1/rejected?limit=0&reverse"),
            Query::Rejected(RejectedQuery {
                limit: Some(0),
                reverse: true,
                ..RejectedQuery::default()
            })
        );
        assert_eq!(
            asked("/v1/evidence/007"),
            Query::Evidence(EvidenceQuery { seq: 7 })
        );
        assert_eq!(
            read("/v1/stats"),
            Ok(Some(Question::Stats(Span::default())))
        );
    }

    #[test]
    fn no_other_path_leads_anywhere() {
        for target in [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v2/stats",
            "//v1/stats",
            "/v1//stats",
            "/v1/stats/",
            "/v1/stats/1",
            "/v1/../v1/stats",
            "/v1/export/../../etc/passwd",
            "/v1/%73tats",
            "/etc/passwd",
            "/v1/STATS",
            "/v1/import",
            "/v1/prune",
            "/v1/tokens",
        ] {
            assert_eq!(read(target), Ok(None), "{target}");
        }
        for target in [
            "/v1/history",
            "/v1/history/",
            "/v1/history/..",
            "/v1/show/../../tokens",
            "/v1/blame/1/2/3",
            "/v1/diff/1%2F2?from=@1",
            "/v1/history/-1",
            "/v1/history/+1",
            "/v1/show/1/..",
        ] {
            assert_eq!(place(target), "profile", "{target}");
        }
        for target in [
            "/v1/evidence",
            "/v1/evidence/",
            "/v1/evidence/+1",
            "/v1/evidence/1/2",
            "/v1/evidence/18446744073709551616",
        ] {
            assert_eq!(place(target), "seq", "{target}");
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (target, name) in [
            ("/v1/history/1?since=@1&since=@1", "since"),
            ("/v1/history/1?raw", "raw"),
            ("/v1/history/1?Field=a", "Field"),
            ("/v1/show/1?at=2025-13-01", "at"),
            ("/v1/diff/1", "from"),
            ("/v1/diff/1?from=@5&to=@4", "from"),
            ("/v1/diff/1?from=tomorrow", "from"),
            ("/v1/changes?cause=why", "cause"),
            ("/v1/dossier/1?at=@5&until=@5", "at"),
            ("/v1/dossier/", "profile"),
            ("/v1/changes?label=a%2Fb", "label"),
            ("/v1/changes?profile=x", "profile"),
            ("/v1/export?database=1&database=2", "database"),
            ("/v1/find", "q"),
            ("/v1/find?q=mail", "q"),
            ("/v1/find?q=a=b&value=c", "value"),
            ("/v1/find?field=a", "field"),
            ("/v1/find?field=a&q=b=c", "field"),
            ("/v1/find?value=a", "value"),
            ("/v1/find?q=a=b&interest=c", "interest"),
            ("/v1/find?q=a=b&prefix&match", "match"),
            ("/v1/find?q=a=(&match", "q"),
            ("/v1/find?field=a&value=(&match", "value"),
            ("/v1/find?q=a=b&ever&at=@1", "at"),
            ("/v1/find?q=a=b&q=a=c", "q"),
            ("/v1/rejected?limit=many", "limit"),
            ("/v1/tail?after=-1", "after"),
            ("/v1/tail?follow", "follow"),
            ("/v1/explain/1?head", "head"),
            ("/v1/stats?token=ptr_x", "token"),
            ("/v1/stats?=", ""),
            ("/v1/stats?limit=1", "limit"),
            ("/v1/show/1?after=x", "after"),
            ("/v1/export?after=", "after"),
            ("/v1/export?after=AAAA", "after"),
            ("/v1/changes?after=x&after=x", "after"),
        ] {
            assert_eq!(place(target), name, "{target}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(target in "/v1/(history|diff|changes|export|find|stats)[!-~é]{0,60}") {
            let _ = read(&target);
        }
    }
}
