//! Pages of the query API.
//!
//! Proven: following `Link` yields every line once, whatever the question; and a
//! mark that was tampered with, or belongs to another question or store, is refused
//! by name.

use std::net::SocketAddr;

use crate::support::api::{API, fill_hostile, hostile_call, text};
use crate::support::http::{Reply, ask, token};
use crate::support::{BODY, Server, data, json_lines, new_server};

/// The target of the next page.
fn next(reply: &Reply) -> Option<String> {
    let link = reply.header("Link")?;
    let target = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
    Some(target.to_owned())
}

/// All lines of all pages, and how many there were.
fn pages(address: SocketAddr, token: &str, first: &str) -> (String, usize) {
    let (mut all, mut count, mut target) = (String::new(), 0, first.to_owned());
    loop {
        let reply = ask(address, token, &target);
        assert_eq!(reply.status, 200, "{target}: {}", text(&reply));
        all.push_str(text(&reply));
        count += 1;
        match next(&reply) {
            Some(next) => target = next,
            None => return (all, count),
        }
        assert!(count < 1000, "{target}");
    }
}

#[test]
fn following_the_links_yields_every_line_once() {
    let (dir, server) = new_server(&API);
    fill_hostile(&server);
    let token = token(&data(&dir), "read");
    let (api, token) = (server.api(), token.as_str());
    for question in [
        "/v1/history/123?",
        "/v1/history/123?all&reverse&subprofiles&",
        "/v1/history/123?field=city&since=10%20years%20ago&",
        "/v1/history/0123/456?",
        "/v1/changes?",
        "/v1/changes?field=%00%22%3Cscript%3E&interest=blue&until=tomorrow&",
        "/v1/export?",
        "/v1/export?raw&profile=124&",
        "/v1/rejected?since=@0&",
    ] {
        let whole = ask(api, token, question);
        let lines = text(&whole).lines().count();
        assert!(lines > 0, "{question}");
        assert_eq!(whole.header("Link"), None);
        for limit in [1, 2, lines - 1, lines, 1000] {
            if limit == 0 {
                continue;
            }
            let first = format!("{question}limit={limit}");
            let (joined, count) = pages(api, token, &first);
            assert!(joined == text(&whole), "{first}");
            assert_eq!(count, lines.div_ceil(limit), "{first}");
        }
        let none = ask(api, token, &format!("{question}limit=0"));
        assert_eq!((none.status, text(&none), next(&none)), (200, "", None));
    }
    // An event that arrives meanwhile appears if it comes after the pages so far.
    let first = ask(api, token, "/v1/export?limit=12");
    let seq = server.client().post("/webhook", BODY).seq();
    let (rest, _) = pages(api, token, &next(&first).unwrap());
    assert_eq!(json_lines(&rest).last().unwrap()["seq"], seq);
    server.stop();
}

#[test]
fn a_mark_of_something_else_is_refused_by_name() {
    let (dir, server) = new_server(&API);
    fill_hostile(&server);
    let read = token(&data(&dir), "read");
    let first = ask(server.api(), &read, "/v1/history/123?limit=2");
    let target = next(&first).unwrap();
    let (_, mark) = target.split_once("after=").unwrap();
    let refused = |address, token: &str, target: &str| {
        let reply = ask(address, token, target);
        assert_eq!(
            (reply.status, &reply.json()["where"]),
            (400, &"after".into()),
            "{target}"
        );
    };
    let half = &mark[..mark.len() / 2];
    for other in [
        format!("/v1/history/124?after={mark}"),
        format!("/v1/history/123?reverse&after={mark}"),
        format!("/v1/history/123?all&after={mark}"),
        format!("/v1/changes?after={mark}"),
        format!("/v1/history/123?after={half}"),
        format!("/v1/history/123?after={mark}A"),
        format!("/v1/history/123?after={mark}&after={mark}"),
        "/v1/history/123?after=".to_owned(),
        "/v1/history/123?after=%00".to_owned(),
        format!("/v1/history/123?after={}", "A".repeat(8000)),
    ] {
        refused(server.api(), &read, &other);
    }
    // Another limit is another page of the same question.
    let wider = ask(server.api(), &read, &target.replace("limit=2", "limit=200"));
    let both = format!("{}{}", text(&first), text(&wider));
    assert_eq!(both, text(&ask(server.api(), &read, "/v1/history/123")));
    // After a restart it still is one, and in another store it is not.
    server.stop();
    let server = Server::start(&data(&dir), &API);
    assert_eq!(ask(server.api(), &read, &target).status, 200);
    server.stop();
    let (other_dir, other) = new_server(&API);
    fill_hostile(&other);
    refused(other.api(), &token(&data(&other_dir), "read"), &target);
    other.stop();
}

#[test]
fn a_long_page_names_the_next_one_in_its_trailer() {
    let (dir, server) = new_server(&API);
    let mut client = server.client();
    let long = "x".repeat(90_000);
    for number in 0..10 {
        client
            .post("/webhook", hostile_call(1, 1_760_000_000 + number, &long))
            .seq();
    }
    let token = token(&data(&dir), "read");
    let whole = ask(server.api(), &token, "/v1/export?");
    for (limit, streamed) in [(1, false), (9, true)] {
        let target = format!("/v1/export?limit={limit}");
        let reply = ask(server.api(), &token, &target);
        assert_eq!(reply.header("Transfer-Encoding").is_some(), streamed);
        assert!(next(&reply).is_some(), "{:?}", reply.headers);
        assert_eq!(
            reply
                .header("Trailer")
                .is_some_and(|names| names.contains("Link")),
            streamed
        );
        let (joined, _) = pages(server.api(), &token, &target);
        assert!(joined == text(&whole));
    }
    server.stop();
}
