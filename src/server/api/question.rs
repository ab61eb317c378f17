//! From a request's target to the question that it asks.

use super::find::find;
use super::params::Params;
use crate::event::{DecodeError, ProfileKey, Zone, is_label};
use crate::query::{
    BlameQuery, ChangesQuery, DiffQuery, ExportQuery, HistoryQuery, Query, RejectedQuery, Rounding,
    ShowQuery, Span,
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
const CAUSES: [&str; 4] = ["create", "set", "unexplained", "first_seen"];

/// Reads a target, such as `/v1/history/123?field=mail`; `None` where nothing
/// is at that path. `now` is in Unix microseconds; times that name no zone are
/// in `zone`. The path is taken as it is sent: nothing of it is decoded.
///
/// # Errors
/// A parameter that is wrong, doubled, missing or not known: the error's place
/// is its name.
pub fn question(target: &str, zone: Zone, now: i64) -> Result<Option<Question>, DecodeError> {
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = path.strip_prefix("/v1/") else {
        return Ok(None);
    };
    let (name, key) = match path.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (path, None),
    };
    let of_one = matches!(name, "history" | "show" | "diff" | "blame");
    let of_all = matches!(name, "changes" | "export" | "find" | "rejected" | "stats");
    if !of_one && (!of_all || key.is_some()) {
        return Ok(None);
    }
    let mut params = Params::parse(query, zone, now)?;
    let read = if of_one {
        let key = key.unwrap_or_default().parse();
        let key = key.map_err(|error: String| DecodeError::new(error, "profile"))?;
        Question::Ask(Box::new(about(name, key, &mut params)?))
    } else {
        over_all(name, &mut params)?
    };
    params.finish()?;
    Ok(Some(read))
}

/// A question about one (sub)profile.
fn about(name: &str, key: ProfileKey, params: &mut Params) -> Result<Query, DecodeError> {
    Ok(match name {
        "show" => Query::Show(ShowQuery {
            key,
            at: params.time("at", Rounding::Down)?,
        }),
        "blame" => Query::Blame(BlameQuery {
            key,
            at: params.time("at", Rounding::Down)?,
        }),
        "diff" => {
            let from = params.time("from", Rounding::Down)?;
            let from = from.ok_or_else(|| DecodeError::new("it must be given", "from"))?;
            let to = params.time("to", Rounding::Down)?;
            if from > to.unwrap_or_else(|| params.now()) {
                return Err(DecodeError::new("it is later than to", "from"));
            }
            Query::Diff(DiffQuery { key, from, to })
        }
        _ => Query::History(HistoryQuery {
            key,
            fields: params.all("field"),
            interests: params.all("interest"),
            span: params.span()?,
            all: params.flag("all")?,
            limit: params.number("limit")?,
            reverse: params.flag("reverse")?,
            subprofiles: params.flag("subprofiles")?,
        }),
    })
}

/// A question over all profiles.
fn over_all(name: &str, params: &mut Params) -> Result<Question, DecodeError> {
    let query = match name {
        "stats" => return Ok(Question::Stats(params.span()?)),
        "rejected" => Query::Rejected(RejectedQuery {
            span: params.span()?,
            limit: params.number("limit")?,
        }),
        "export" => {
            let key = params.parsed::<ProfileKey>("profile", "profile: write 123 or 123/456")?;
            Query::Export(ExportQuery {
                span: params.span()?,
                profile: key.map(|key| key.profile),
                subprofile: key.and_then(|key| key.subprofile),
                database: params.number("database")?,
                raw: params.flag("raw")?,
            })
        }
        "find" => find(params)?,
        _ => changes(params)?,
    };
    Ok(Question::Ask(Box::new(query)))
}

fn changes(params: &mut Params) -> Result<Query, DecodeError> {
    let key = params.parsed::<ProfileKey>("profile", "profile: write 123 or 123/456")?;
    let causes = params.all("cause");
    if let Some(cause) = causes
        .iter()
        .find(|cause| !CAUSES.contains(&cause.as_str()))
    {
        let what = format!("{cause:?} is no cause: write {}", CAUSES.join(", "));
        return Err(DecodeError::new(what, "cause"));
    }
    let labels = params.all("label");
    if !labels.iter().all(|label| is_label(label)) {
        let what = "a label is 1 to 64 of A-Z, a-z, 0-9, _ and -";
        return Err(DecodeError::new(what, "label"));
    }
    Ok(Query::Changes(ChangesQuery {
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
        limit: params.number("limit")?,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::query::{By, FindQuery, Sought};
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
                "/v1/history/1/2?field=a&field=b&interest=c&since=@5&until=@9&all&limit=3&reverse=1&subprofiles=true"
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
            })
        );
        assert_eq!(
            asked("/v1/show/1/2?at=@7#x"),
            Query::Show(ShowQuery { key, at: Some(7) })
        );
        assert_eq!(
            asked("/v1/blame/1/2?"),
            Query::Blame(BlameQuery { key, at: None })
        );
        assert_eq!(
            asked("/v1/diff/1/2?from=@3"),
            Query::Diff(DiffQuery {
                key,
                from: 3,
                to: None
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
            find(mail(By::Whole, false), false, None)
        );
        assert_eq!(
            asked("/v1/find?field=mail&value=x%3Dy&prefix&ignore-case=1&at=@7"),
            find(mail(By::Prefix, true), false, Some(7))
        );
        assert_eq!(
            asked("/v1/find?q=mail=x=y&match&ever"),
            find(mail(By::Match, false), true, None)
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
            ("/v1/stats?token=ptr_x", "token"),
            ("/v1/stats?=", ""),
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
