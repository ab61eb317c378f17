//! From a request's target to the question that it asks.

use form_urlencoded::Serializer;

use super::bursts;
use super::cursor;
use super::events::tail;
use super::params::Params;
use super::table::{Depends, Entry, Of};
use crate::event::{DecodeError, ProfileKey, Zone};
use crate::query::{
    BlameQuery, ChangesQuery, DiffQuery, DossierQuery, EvidenceQuery, ExplainQuery, ExportQuery,
    HistoryQuery, Page, Query, RejectedQuery, Rounding, ShowQuery, Span,
};

/// What can be asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// One of the questions.
    Ask(Box<Query>),
    /// What there is in a span of time.
    Stats(Span),
}

/// A question as it was posed.
#[derive(Debug)]
pub(super) struct Posed {
    pub entry: &'static Entry,
    pub question: Question,
    /// Which part of the answer is wanted, of one that has pages.
    pub page: Page,
    /// The target of the same question, written in one way, with times in Unix
    /// seconds; of one that has pages, without what says which.
    pub whole: String,
    /// Whether a moment that it is about is left out, and so is now.
    pub about_now: bool,
}

impl Posed {
    /// The target of the next page, which begins after a mark.
    pub fn next(&self, mark: &str) -> String {
        let joint = if self.whole.contains('?') { '&' } else { '?' };
        let limit = match self.page.limit {
            Some(limit) => format!("limit={limit}&"),
            None => String::new(),
        };
        format!("{}{joint}{limit}after={mark}", self.whole)
    }
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

/// The same with all that was said of it. Marks are those of a store.
pub(super) fn pose(
    target: &str,
    zone: Zone,
    now: i64,
    store: u64,
) -> Result<Option<Posed>, DecodeError> {
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = path.strip_prefix("/v1/") else {
        return Ok(None);
    };
    let (name, key) = match path.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (path, None),
    };
    let Some(entry) = Entry::named(name) else {
        return Ok(None);
    };
    let subject = match (entry.of, key) {
        (Of::Everything, Some(_)) => return Ok(None),
        (Of::Everything, None) => Subject::Everything,
        (Of::Profile, key) => {
            let key = key.unwrap_or_default().parse();
            Subject::Profile(key.map_err(|error: String| DecodeError::new(error, "profile"))?)
        }
        (Of::Event, seq) => Subject::Event(read_seq(seq.unwrap_or_default())?),
    };
    let mut params = Params::parse(query, zone, now)?;
    let (question, limit, after) = read(entry, subject, &mut params)?;
    params.finish()?;
    let path = match subject {
        Subject::Profile(key) => format!("/v1/{name}/{key}"),
        Subject::Event(seq) => format!("/v1/{name}/{seq}"),
        Subject::Everything => format!("/v1/{name}"),
    };
    let said = Serializer::new(String::new())
        .extend_pairs(params.said())
        .finish();
    let whole = match said.is_empty() {
        true => path,
        false => format!("{path}?{said}"),
    };
    let given = |moment: &str| params.said().iter().any(|(name, _)| *name == moment);
    let after = after.map(|text| cursor::read(&text, store, &whole));
    Ok(Some(Posed {
        entry,
        question,
        page: Page {
            limit,
            after: after.transpose()?,
        },
        whole,
        about_now: matches!(entry.depends, Depends::EventsOnce(moment) if !given(moment)),
    }))
}

/// Asks for the parameters of a question that has none.
pub(super) fn describe(entry: &Entry, params: &mut Params) -> Result<(), DecodeError> {
    let subject = match entry.of {
        Of::Everything => Subject::Everything,
        Of::Profile => Subject::Profile(ProfileKey::profile(0)),
        Of::Event => Subject::Event(0),
    };
    read(entry, subject, params).map(|_| ())
}

/// What the path names.
#[derive(Clone, Copy)]
enum Subject {
    Everything,
    Profile(ProfileKey),
    Event(u64),
}

fn read_seq(text: &str) -> Result<u64, DecodeError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seq = digits.then(|| text.parse().ok()).flatten();
    seq.ok_or_else(|| {
        let what = format!("'{text}' is no event: write its seq, such as 7");
        DecodeError::new(what, "seq")
    })
}

/// A question, the most lines of a page of it, and the text of the mark after which
/// it begins.
type Read = (Question, Option<u64>, Option<String>);

fn read(entry: &Entry, subject: Subject, params: &mut Params) -> Result<Read, DecodeError> {
    let question = match subject {
        Subject::Profile(key) => Question::Ask(Box::new(about(entry.name, key, params)?)),
        Subject::Event(seq) => Question::Ask(Box::new(of_event(entry.name, seq))),
        Subject::Everything => over_all(entry.name, params)?,
    };
    Ok(match entry.pages {
        true => (question, params.limit()?, params.after()?),
        false => (question, None, None),
    })
}

/// A question about one (sub)profile.
fn about(name: &str, key: ProfileKey, params: &mut Params) -> Result<Query, DecodeError> {
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
            if let Some(at) = at {
                if span.until.is_some() {
                    return Err(DecodeError::new("it cannot be given with until", "at"));
                }
                span.until = Some(at.saturating_add(1));
            }
            Query::Dossier(DossierQuery {
                key,
                fields: params.all("field"),
                interests: params.all("interest"),
                span,
            })
        }
        _ => Query::History(HistoryQuery {
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
    })
}

/// A question about one event.
fn of_event(name: &str, seq: u64) -> Query {
    match name {
        "explain" => Query::Explain(ExplainQuery { seq, head: false }),
        _ => Query::Evidence(EvidenceQuery { seq }),
    }
}

/// A question over all profiles.
fn over_all(name: &str, params: &mut Params) -> Result<Question, DecodeError> {
    let query = match name {
        "stats" => return Ok(Question::Stats(params.span()?)),
        "rejected" => Query::Rejected(RejectedQuery {
            span: params.span()?,
            limit: params.limit()?,
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
        "tail" => tail(params)?,
        "report" => bursts::report(params)?,
        "gaps" => bursts::gaps(params)?,
        "incidents" => bursts::incidents(params)?,
        "loops" => bursts::loops(params)?,
        _ => Query::Changes(ChangesQuery {
            limit: params.limit()?,
            ..filter(params, Causes::All)?
        }),
    };
    Ok(Question::Ask(Box::new(query)))
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
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
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
                "/v1/changes?profile=1/2&database=3&collection=4&old=&new=x%20y&cause=set&cause=create&label=l-1"
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
                ..ChangesQuery::default()
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
            asked("/v1/rejected?limit=0"),
            Query::Rejected(RejectedQuery {
                limit: Some(0),
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

    fn posed(target: &str) -> Posed {
        pose(target, chrono_tz::UTC, NOW, 7).unwrap().unwrap()
    }

    #[test]
    fn a_question_is_said_in_one_way() {
        for (target, whole) in [
            ("/v1/history/01", "/v1/history/1"),
            (
                "/v1/history/1/2?limit=3&all=0&reverse&since=yesterday&field=a%26%20b",
                "/v1/history/1/2?field=a%26+b&since=%401759881600&reverse=true",
            ),
            ("/v1/export?raw=1&limit=5", "/v1/export?raw=true"),
            ("/v1/show/1?at=@5", "/v1/show/1?at=%405"),
        ] {
            let posed = posed(target);
            assert_eq!(posed.whole, whole, "{target}");
            let again = pose(&posed.whole, chrono_tz::UTC, NOW + 90_000_000_000, 7);
            assert_eq!(again.unwrap().unwrap().whole, whole);
        }
        assert!(posed("/v1/show/1").about_now && posed("/v1/diff/1?from=@1").about_now);
        assert!(!posed("/v1/show/1?at=now").about_now && !posed("/v1/changes").about_now);
    }

    #[test]
    fn the_next_page_is_one_of_the_same_question() {
        use crate::query::Mark;
        for target in ["/v1/export?limit=3", "/v1/changes?old=&until=@9&limit=1"] {
            let posed = posed(target);
            let mark = Mark::Number(9);
            let next = posed.next(&cursor::write(mark, 7, &posed.whole));
            let read = pose(&next, chrono_tz::UTC, NOW + 1, 7).unwrap().unwrap();
            assert_eq!(
                (read.page.limit, read.page.after),
                (posed.page.limit, Some(mark))
            );
            assert_eq!(read.whole, posed.whole);
            // Neither in another store nor of another question.
            let other = next.replace("/v1/export?", "/v1/export?raw&");
            let other = other.replace("&old=", "");
            for (target, store) in [(&next, 8), (&other, 7)] {
                let error = pose(target, chrono_tz::UTC, NOW, store).unwrap_err();
                assert_eq!(error.place, "after", "{target}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(target in "/v1/(history|diff|changes|export|stats)[!-~é]{0,60}") {
            let _ = read(&target);
        }
    }
}
