//! The question of a target, and its faults.

use super::*;
use crate::event::{ProfileKey, Zone};
use crate::query::{
    By, CauseKind, ChangesQuery, DiffQuery, DossierQuery, EventQuery, ExplainQuery, ExportQuery,
    Filter, FindQuery, GapsQuery, HistoryQuery, IncidentsQuery, LoopsQuery, Mark, Query,
    RejectedQuery, ReportQuery, Span, StateQuery, StatsQuery, TailQuery, Wanted,
};
use proptest::prelude::*;

/// 2025-10-09T08:53:20Z, and so many seconds later.
fn clock(later: i64) -> Clock {
    Clock {
        zone: chrono_tz::UTC,
        now: 1_760_000_000 + later,
    }
}

fn read(target: &str) -> Result<Option<Query>, DecodeError> {
    Ok(parse_query(target, clock(0), 0)?.map(|parsed| parsed.query))
}

fn parsed(target: &str) -> ParsedQuery {
    parse_query(target, clock(0), 7).unwrap().unwrap()
}

fn asked(target: &str) -> Query {
    read(target).unwrap().unwrap()
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
        asked(
            "/v1/history/1?field=a%2Bb+c&&limit=3&field=%C3%A9%26&reverse&all=0&interest=%EF%BF%BD"
        ),
        Query::History(HistoryQuery {
            key: ProfileKey::profile(1),
            fields: vec!["a+b c".into(), "é&".into()],
            interests: vec!["\u{fffd}".into()],
            span: Span::default(),
            all: false,
            limit: Some(3),
            reverse: true,
            subprofiles: false,
            cascade: false,
        })
    );
    assert_eq!(
        asked("/v1/show/1/2?at=@7#x"),
        Query::Show(StateQuery {
            key,
            at: Some(7),
            cascade: false
        })
    );
    assert_eq!(
        asked("/v1/blame/1/2?cascade=1"),
        Query::Blame(StateQuery {
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
    let mail = || FindQuery {
        field: Some("mail".into()),
        value: "x=y".into(),
        ..FindQuery::default()
    };
    assert_eq!(asked("/v1/find?q=mail%3Dx%3Dy"), Query::Find(mail()));
    assert_eq!(
        asked("/v1/find?field=mail&value=x%3Dy&prefix&ignore-case=1&at=@7"),
        Query::Find(FindQuery {
            prefix: true,
            ignore_case: true,
            at: Some(7),
            ..mail()
        })
    );
    assert_eq!(
        asked("/v1/find?q=mail=x=y&match&ever"),
        Query::Find(FindQuery {
            matches: true,
            ever: true,
            ..mail()
        })
    );
    assert_eq!(
        asked("/v1/find?interest=news&database=3&limit=4&cascade"),
        Query::Find(FindQuery {
            interest: Some("news".into()),
            database: Some(3),
            limit: Some(4),
            cascade: true,
            ..FindQuery::default()
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
        asked("/v1/export?raw&profile=1&database=9&from-seq=5"),
        Query::Export(ExportQuery {
            profile: Some(ProfileKey::profile(1)),
            database: Some(9),
            from_seq: Some(5),
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
        Query::Evidence(EventQuery { seq: 7 })
    );
    let (span, zone) = (Span::default(), chrono_tz::UTC);
    assert_eq!(asked("/v1/stats"), Query::Stats(StatsQuery { span, zone }));
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
        "/v1/tail/1",
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
    for name in ["evidence", "explain"] {
        for rest in ["", "/", "/+1", "/1/2", "/18446744073709551616"] {
            let target = format!("/v1/{name}{rest}");
            assert_eq!(place(&target), "seq", "{target}");
        }
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
        ("/v1/history/1?since=x", "since"),
        ("/v1/history/1?since=", "since"),
        ("/v1/history/1?limit=1&limit=1", "limit"),
        ("/v1/history/1?limit=-1", "limit"),
        ("/v1/history/1?limit=18446744073709551616", "limit"),
        ("/v1/history/1?all&all", "all"),
        ("/v1/history/1?reverse=yes", "reverse"),
        ("/v1/history/1?raw", "raw"),
        ("/v1/history/1?key=2", "key"),
        ("/v1/history/1?help", "help"),
        ("/v1/history/1?S=@1", "S"),
        ("/v1/history/1?Field=a", "Field"),
        ("/v1/history/1?%41%0a=1", "A\n"),
        ("/v1/history/1?field=%ff", "field"),
        ("/v1/history/1?field=%EF%BF%BD%ff", "field"),
        ("/v1/history/1?field=%c3+%a9", "field"),
        ("/v1/show/1?at=2025-13-01", "at"),
        ("/v1/diff/1", "from"),
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
        ("/v1/report?by=colour", "by"),
        ("/v1/report?by=", "by"),
        ("/v1/report?within=1h", "within"),
        ("/v1/gaps?least=0", "least"),
        ("/v1/gaps?within=soon", "within"),
        ("/v1/incidents?show=mail", "show"),
        ("/v1/incidents?show=a-1&undo=a-1", "undo"),
        ("/v1/incidents?undo=a-1&since=@1", "since"),
        ("/v1/incidents?within=59s", "within"),
        ("/v1/incidents?least=1", "least"),
        ("/v1/loops?least=2", "least"),
        ("/v1/loops?within=soon", "within"),
        ("/v1/loops?label=a%2Fb", "label"),
    ] {
        assert_eq!(place(target), name, "{target}");
    }
}

#[test]
fn a_question_has_one_canonical_form() {
    for (target, canonical) in [
        ("/v1/history/01", "/v1/history/1"),
        (
            "/v1/history/1/2?limit=3&all=0&reverse&since=yesterday&field=a%26%20b",
            "/v1/history/1/2?field=a%26+b&since=%401759881600&reverse=true",
        ),
        (
            "/v1/history/01/2?until=2025-10-09T08:53:19.5Z&limit=03&reverse=1&field=+y",
            "/v1/history/1/2?field=+y&until=%401760000000&reverse=true",
        ),
        ("/v1/export?raw=1&limit=5", "/v1/export?raw=true"),
        ("/v1/export?profile=01/2&raw=0", "/v1/export?profile=1%2F2"),
        (
            "/v1/loops?within=2h&limit=03",
            "/v1/loops?within=7200s&least=4&limit=3",
        ),
        ("/v1/show/1?at=@5", "/v1/show/1?at=%405"),
    ] {
        let parsed = parsed(target);
        assert_eq!(parsed.canonical, canonical, "{target}");
        let again = parse_query(&parsed.canonical, clock(90_000), 7);
        assert_eq!(again.unwrap().unwrap().canonical, canonical);
    }
    assert!(parsed("/v1/show/1").about_now && parsed("/v1/diff/1?from=@1").about_now);
    assert!(!parsed("/v1/show/1?at=now").about_now && !parsed("/v1/changes").about_now);
}

#[test]
fn the_next_page_is_one_of_the_same_question() {
    for target in ["/v1/export?limit=3", "/v1/changes?old=&until=@9&limit=1"] {
        let parsed = parsed(target);
        let mark = Mark::Number(9);
        let next = parsed.next(&cursor::write(mark, 7, &parsed.canonical));
        let read = parse_query(&next, clock(1), 7).unwrap().unwrap();
        assert_eq!(
            (read.page.limit, read.page.after),
            (parsed.page.limit, Some(mark))
        );
        assert_eq!(read.canonical, parsed.canonical);
        // Neither in another store nor of another question.
        let other = next.replace("/v1/export?", "/v1/export?raw&");
        let other = other.replace("&old=", "");
        for (target, store) in [(&next, 8), (&other, 7)] {
            let error = parse_query(target, clock(0), store).unwrap_err();
            assert_eq!(error.place, "after", "{target}");
        }
    }
}

#[test]
fn questions_that_group_changes_can_be_asked() {
    let of = |field: &str| Filter {
        fields: vec![field.to_owned()],
        ..Filter::default()
    };
    assert_eq!(
        asked("/v1/report?by=day&by=label&by=type&field=a&limit=3"),
        Query::Report(ReportQuery {
            filter: of("a"),
            limit: Some(3),
            by: vec![By::Day, By::Label, By::Type],
            zone: Zone::UTC,
        })
    );
    assert_eq!(
        asked("/v1/gaps?field=a&limit=3&within=2h&least=9"),
        Query::Gaps(GapsQuery {
            filter: of("a"),
            limit: Some(3),
            within: 7_200,
            least: 9
        })
    );
    let incidents = |what| {
        let (within, least) = (IncidentsQuery::WITHIN, IncidentsQuery::LEAST);
        Query::Incidents(IncidentsQuery {
            filter: of("a"),
            limit: Some(3),
            within,
            least,
            what,
        })
    };
    let id = || "mail-12".parse().unwrap();
    assert_eq!(
        asked("/v1/incidents?field=a&limit=3"),
        incidents(Wanted::List)
    );
    assert_eq!(
        asked("/v1/incidents?field=a&limit=3&show=mail-12"),
        incidents(Wanted::Show(id()))
    );
    assert_eq!(
        asked("/v1/incidents?field=a&limit=3&undo=mail-12"),
        incidents(Wanted::Undo(id()))
    );
    assert_eq!(
        asked("/v1/loops?field=a&limit=3&least=5"),
        Query::Loops(LoopsQuery {
            filter: of("a"),
            limit: Some(3),
            within: LoopsQuery::WITHIN,
            least: 5
        })
    );
}

#[test]
fn a_page_and_an_event_can_be_asked_for() {
    assert_eq!(
        asked("/v1/tail?after=7&limit=3&field=a&since=@5"),
        Query::Tail(TailQuery {
            filter: Filter {
                fields: vec!["a".into()],
                span: Span {
                    since: Some(5),
                    until: None
                },
                ..Filter::default()
            },
            after: Some(7),
            last: None,
            limit: Some(3),
        })
    );
    for (target, last) in [
        ("/v1/tail", Some(10)),
        ("/v1/tail?limit=0&since=@5", Some(0)),
        ("/v1/tail?since=@5", None),
    ] {
        match asked(target) {
            Query::Tail(query) => {
                assert_eq!((query.last, query.after, query.limit), (last, None, None));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        asked("/v1/explain/17"),
        Query::Explain(ExplainQuery {
            seq: 17,
            head: false,
            cascade: false
        })
    );
}

proptest! {
    #[test]
    fn nothing_panics(target in "/v1/(history|diff|changes|export|find|stats)[!-~é]{0,60}") {
        let _ = read(&target);
    }
}
