//! What to ask instead, where nothing was found.
//!
//! Proven: names and numbers that are near are named, by the running server and
//! from the folder alike, and by the query API in a header; standard output stays empty, the exit status 1; and an
//! answer that found something says nothing more.

use std::path::Path;

use crate::support::api::API;
use crate::support::http::{ask, token};
use crate::support::{Server, cli};

const CALLS: [&str; 6] = [
    "type=create&profile=123&time=1760000000&fields[mail]=a&fields[First name]=b&interests[]=blue",
    "type=update&profile=123&time=1760000100&fields[mail]=c&fields[First name]=b&interests[]=blue",
    "type=create&profile=5&subprofile=456&time=1760000000&fields[price]=1",
    "type=create&profile=5&subprofile=457&time=1760000000&fields[price]=1",
    "type=create&profile=77&time=1760000000&fields[x%1B[31m]=1",
    "type=click&profile=88&time=1760000000",
];

fn check(data: &Path, how: &str) {
    for (question, hint) in [
        (
            &["history", "123", "--field", "mial"][..],
            "did you mean --field mail?",
        ),
        (
            &["history", "123", "--field", "first_name"],
            "did you mean --field 'First name'?",
        ),
        (
            &["history", "123", "--field", "blue"],
            "did you mean --interest blue?",
        ),
        (
            &["history", "123", "--interest", "mail"],
            "did you mean --field mail?",
        ),
        (
            &["history", "123", "--interest", "blu"],
            "did you mean --interest blue?",
        ),
        (
            &["history", "123", "--field", "telephone"],
            "these fields occur: First name, mail",
        ),
        (&["history", "77", "--field", "x"], "x\\u{1b}[31m"),
        (
            &["history", "123", "--since", "2026-01-01"],
            "the events of 123 are of 2025-10-09 10:53:20 CEST to 2025-10-09 10:55:00 CEST",
        ),
        (&["history", "456"], "did you mean 5/456?"),
        (&["history", "9/456"], "did you mean 5/456?"),
        (&["show", "456"], "did you mean 5/456?"),
        (&["history", "5"], "did you mean 5/456, 5/457?"),
        (
            &["blame", "88"],
            "its first event is of 2025-10-09 10:53:20 CEST:",
        ),
        (
            &["changes", "--field", "mial"],
            "did you mean --field mail?",
        ),
        (&["changes", "--label", "cmr"], "did you mean --label crm?"),
        (&["changes", "--label", "zzzzzz"], "these labels occur: crm"),
        (&["changes", "--profile", "456"], "did you mean 5/456?"),
        (&["evidence", "700"], "the last event is 6"),
    ] {
        let outcome = cli(data, question);
        assert_eq!(outcome.stdout, "", "{question:?}");
        let said = outcome.failed(1);
        assert!(said.contains(hint), "{how}: {question:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
    for (question, next) in [
        // The numbers of other people are never suggested.
        (
            &["diff", "132", "--from", "@0"][..],
            Some("changes --reverse"),
        ),
        (&["blame", "124"], Some("changes --reverse")),
        // Far from all, or as it is.
        (&["history", "99999"], Some("changes --reverse")),
        (
            &["changes", "--field", "mail", "--new", "zzz"],
            Some("stats"),
        ),
        (
            &["history", "123", "--field", "mail", "-n", "0"],
            Some("history 123"),
        ),
        (&["rejected"], None),
    ] {
        let said = cli(data, question).failed(1);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            lines.len(),
            1 + usize::from(next.is_some()),
            "{question:?}: {said}"
        );
        assert!(
            lines.last().unwrap().contains(next.unwrap_or_default()),
            "{said}"
        );
    }
}

#[test]
fn what_was_meant_is_named_live_and_offline() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &API);
    let mut client = server.client();
    for call in CALLS {
        client.post("/webhook/crm", call).seq();
    }
    check(&data, "live");
    let token = token(&data, "read");
    for (target, hint) in [
        (
            "/v1/history/123?field=mial",
            Some("did you mean --field mail?"),
        ),
        (
            "/v1/show/456",
            Some("456 is a subprofile of 5: did you mean 5/456?"),
        ),
        ("/v1/history/123?field=mail", None),
    ] {
        let reply = ask(server.api(), &token, target);
        assert_eq!(reply.status, 200, "{target}");
        assert_eq!(reply.header("Profiletrail-Note"), hint, "{target}");
    }
    server.stop();
    check(&data, "offline");
}
