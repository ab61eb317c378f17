//! What a target asks for, and what is wrong with it.

use super::*;
use crate::query::{FindQuery, FindTarget, Matching};
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
            "/v1/changes?profile=1/2&database=3&collection=4&old=&new=x%20y&cause=set&cause=create&label=l-1&not-label=&not-label=l-2&reverse"
        ),
        Query::Changes(ChangesQuery {
            filter: Filter {
                database: Some(3),
                collection: Some(4),
                profile: Some(key),
                old: Some(String::new()),
                new: Some("x y".into()),
                causes: vec![CauseKind::Set, CauseKind::Create],
                labels: vec!["l-1".into()],
                not_labels: vec![String::new(), "l-2".into()],
                ..Filter::default()
            },
            reverse: true,
            ..ChangesQuery::default()
        })
    );
    let mail = |by, ignore_case| FindTarget::Field {
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
            cascade: false,
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
        asked("/v1/find?interest=news&database=3&limit=4&cascade"),
        Query::Find(FindQuery {
            sought: FindTarget::Interest("news".into()),
            ever: false,
            at: None,
            database: Some(3),
            limit: Some(4),
            cascade: true,
        })
    );
    assert_eq!(
        asked("/v1/changes?cause=cascade"),
        Query::Changes(ChangesQuery {
            filter: Filter {
                causes: vec![CauseKind::Cascade],
                ..Filter::default()
            },
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
            profile: Some(ProfileKey::profile(1)),
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
fn of_a_dossiers_two_ends_the_earlier_one_counts() {
    for (target, end) in [
        ("/v1/dossier/1?at=@5&until=@5", 5),
        ("/v1/dossier/1?at=@3&until=@5", 4),
    ] {
        let Query::Dossier(query) = asked(target) else {
            panic!("{target}");
        };
        assert_eq!(query.span.until, Some(end), "{target}");
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
