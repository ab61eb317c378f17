//! The page for browsers: what it shows.
//!
//! Proven: pages show what the commands show; what is missing or wrong is reported
//! with what to do next; text from outside is rendered as text wherever it appears.

use crate::support::hostile::{PAYLOADS, hostile_calls, judge_html, judge_text};
use crate::support::http::token;
use crate::support::visitor::{UI, Visitor, encoded, visited};
use crate::support::{Cli, Server, cli, data, flip, has};

#[test]
fn pages_show_what_the_commands_show() {
    let (dir, server, visitor) = visited();
    let start = visitor.page("/");
    has(&start, &["No event has arrived yet", "curl -d"]);
    judge_html(&start);
    let mut client = server.client();
    for (target, body) in [
        (
            "/webhook/form",
            "type=create&profile=123&database=3&time=1760000000&fields[mail]=johny%40example.com&fields[city]=Utrecht",
        ),
        (
            "/webhook/crm",
            "type=update&profile=123&database=3&time=1760086400&parameters[mail]=johnny%40example.com&fields[mail]=johnny%40example.com&fields[city]=Gouda&interests[]=news",
        ),
        (
            "/webhook/crm",
            "type=update&profile=123&database=3&time=1760086400&parameters[mail]=johnny%40example.com&fields[mail]=johnny%40example.com&fields[city]=Gouda&interests[]=news",
        ),
        (
            "/webhook",
            "type=create&profile=123&subprofile=456&collection=7&time=1760000100&fields[a]=b",
        ),
        (
            "/webhook",
            "type=create&profile=124&time=1760000100&fields[mail]=johny%40example.com",
        ),
        ("/webhook", "type=delete&profile=124&time=1760000200"),
    ] {
        client.post(target, body).seq();
    }
    assert_eq!(
        client.post("/webhook", "type=update&profile=12x").status,
        400
    );
    let page = visitor.page("/profile/123");
    for part in [
        "Profile 123",
        "href=\"/profile/123/456\"",
        "href=\"/event/2\"",
        "john<ins>n</ins>y@example.com",
        "unexplained",
        "mail: johny@example.com → johnny@example.com, 2025-10-10 10:53:20, set, event 2",
        "Same as now.",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    judge_html(&page);
    // As it was: with the moment in each form, and as a fragment.
    for at in [
        "%401760000000",
        "2025-10-09T10:53:20",
        "2025-10-09T10:53",
        "2025-10-09%2010:53:20",
    ] {
        let expected = if at.ends_with("10:53") {
            "not known"
        } else {
            "Utrecht"
        };
        for part in ["", "&part=state"] {
            let page = visitor.page(&format!("/profile/123?at={at}{part}"));
            assert!(page.contains(expected), "{at}: {page}");
            assert_eq!(page.contains("<html"), part.is_empty());
        }
    }
    let then = visitor.page("/profile/123?at=@1760000000&part=state");
    assert!(then.contains("3 differences from now"), "{then}");
    // A part of the time, a field alone, a page of the list.
    let page = visitor.page("/profile/123?from=@1760000001&to=@1760090000&field=city");
    assert!(
        page.contains(">Gouda<") && !page.contains("aria-label=\"mail\""),
        "{page}"
    );
    let page = visitor.page("/profile/123?before=1760086400.2");
    assert!(
        page.contains("data-seq=\"1\"") && !page.contains("data-seq=\"2\""),
        "{page}"
    );
    // Events.
    let page = visitor.page("/event/2");
    for part in [
        "Event 2",
        "Gouda",
        "href=\"/event/1\"",
        "crm",
        "at some moment since",
        "Parameters (1)",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(
        visitor
            .page("/event/3")
            .contains("A duplicate of <a href=\"/event/2\">")
    );
    for (target, text) in [
        ("/event/99", "The last event that is kept is"),
        ("/event/0", "No event 0"),
        ("/profile/9", "None of the 6 kept events belongs to it"),
        ("/profile/9/9", "Look at profile 9"),
        ("/nothing", "This address has no page"),
    ] {
        let reply = visitor.get(target);
        let page = String::from_utf8(reply.body).unwrap();
        assert!(
            reply.status == 404 && page.contains(text),
            "{target}: {page}"
        );
        judge_html(&page);
    }
    for (target, text) in [("/event/6", "deleted"), ("/profile/124", "deleted")] {
        assert!(visitor.page(target).contains(text), "{target}");
    }
    // Searching.
    for (asked, location) in [
        ("123", "/profile/123"),
        (" 123/456 ", "/profile/123/456"),
        ("event 2", "/event/2"),
        ("#2", "/event/2"),
    ] {
        let reply = visitor.get(&format!("/search?q={}", encoded(asked)));
        assert_eq!(
            (reply.status, reply.header("Location")),
            (303, Some(location)),
            "{asked}"
        );
    }
    let page = visitor.page("/search?q=mail%3Djohny%40example.com");
    has(&page, &["href=\"/profile/123\"", "href=\"/profile/124\""]);
    assert!(
        !page.contains(">now<") && page.contains("href=\"/event/6\""),
        "{page}"
    );
    assert!(
        visitor
            .page("/search?q=mail%3Djohnny%40example.com")
            .contains(">now<")
    );
    let nobody = visitor.get("/search?q=mail%3Dx");
    assert_eq!(nobody.status, 404);
    let page = String::from_utf8(visitor.get("/search?q=johny%40example.com").body).unwrap();
    has(&page, &["/search?q=mail%3Djohny%40example.com"]);
    // What stands out.
    assert!(
        visitor
            .page("/gaps")
            .contains("None: a call claims every change"),
        "they are of last year"
    );
    assert!(
        visitor
            .page("/rejected?part=panel")
            .contains("is not a number")
    );
    // What comes live, and only that.
    let live = visitor.page("/live?after=4");
    assert!(
        live.contains("data-seq=\"6\"") && !live.contains("data-seq=\"4\""),
        "{live}"
    );
    has(&live, &["data-cursor=\"6\"", "2 new events"]);
    assert_eq!(
        visitor
            .ask("GET", "/live?after=6", &[("If-None-Match", "\"6\"")], "")
            .status,
        304
    );
    assert_eq!(
        visitor
            .ask("GET", "/live?after=6", &[("If-None-Match", "\"5\"")], "")
            .status,
        200
    );
    // What is wrong is said on the page.
    let reply = visitor.get("/profile/123?at=sometime");
    let page = String::from_utf8(reply.body).unwrap();
    assert!(
        reply.status == 400 && page.contains("is not a time") && page.contains("johnny"),
        "{page}"
    );
    drop(dir);
    server.stop();
}

#[test]
fn a_text_from_outside_is_text_wherever_it_stands() {
    let (_dir, server, visitor) = visited();
    let mut client = server.client();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let calls = hostile_calls(77, i64::try_from(now).unwrap() - 3600);
    for call in &calls {
        client.post("/webhook/label", call).seq();
    }
    for payload in PAYLOADS {
        let body = format!("type=update&profile={}", encoded(payload));
        assert_eq!(client.post("/webhook", body).status, 400);
    }
    let mut targets = vec![
        "/".to_owned(),
        "/live?after=0".into(),
        "/gaps".into(),
        "/changes".into(),
        "/rejected".into(),
        "/rejected?part=panel".into(),
    ];
    targets.extend(
        [
            "",
            "?at=@0",
            "?span=day",
            "?part=state",
            "?before=9999999999.1",
        ]
        .map(|more| format!("/profile/77{more}")),
    );
    targets.extend((1..=calls.len()).map(|seq| format!("/event/{seq}")));
    for payload in PAYLOADS {
        let text = encoded(payload);
        for target in [
            "/search?q=",
            "/search?q=mail%3D",
            "/profile/77?at=",
            "/profile/77?field=",
            "/profile/77?interest=",
            "/profile/77?span=",
            "/login?next=",
            "/live?after=",
            "/profile/77?before=",
            "/changes?field=",
            "/changes?since=",
            "/changes?form=1&new=",
            "/changes?type=",
            "/incident?id=",
        ] {
            targets.push(format!("{target}{text}"));
        }
        targets.push(format!("/search?q={text}%3D{text}"));
        targets.push(format!("/profile/{text}"));
        targets.push(format!("/{text}"));
    }
    let mut tags = 0;
    for target in &targets {
        let reply = visitor.get(target);
        assert!(
            matches!(reply.status, 200 | 303 | 400 | 404),
            "{target}: {}",
            reply.status
        );
        let page = String::from_utf8(reply.body).unwrap();
        tags += judge_html(&page);
        judge_text(&page);
    }
    assert!(tags > 10_000, "{tags}");
    // They are there all the same, as text.
    let page = visitor.page("/event/1");
    has(
        &page,
        &["&lt;script&gt;window.hit=1;alert(1)&lt;/script&gt;"],
    );
    let page = visitor.page("/profile/77?part=state");
    assert!(page.contains("\\u{1b}[31m"), "{page}");
    server.stop();
}

#[test]
fn what_cannot_be_read_is_said() {
    let (dir, server, _) = visited();
    let mut client = server.client();
    for (days, city) in [(900, "Utrecht"), (800, "Gouda"), (700, "Delft")] {
        let time = 1_760_000_000 - days * 86_400;
        let body = format!("type=update&profile=5&time={time}&fields[city]={city}-was-here");
        client.post("/webhook", body).seq();
    }
    server.stop();
    let log = data(&dir).join("log/00000000000000000001.log");
    flip(&log, |bytes| memchr::memmem::find(bytes, b"Gouda").unwrap());
    let server = Server::start(&data(&dir), &UI);
    let mut visitor = Visitor::new(server.api());
    visitor.log_in(&token(&data(&dir), "read"));
    let page = visitor.page("/profile/5");
    has(
        &page,
        &[
            "Some events that belong here cannot be read",
            "profiletrail verify",
        ],
    );
    assert!(page.contains("Delft-was-here"), "{page}");
    let page = visitor.page("/event/3");
    has(&page, &["Some events that belong here cannot be read"]);
    let reply = visitor.get("/event/2");
    let page = String::from_utf8(reply.body).unwrap();
    assert!(
        reply.status == 404 && page.contains("profiletrail verify"),
        "{page}"
    );
    for target in [
        "/",
        "/live?after=0",
        "/gaps",
        "/search?q=city%3DDelft-was-here",
    ] {
        judge_html(&visitor.page(target));
    }
    server.stop();
}

#[test]
fn what_was_pruned_is_said_and_what_is_left_of_it_is_shown() {
    let (dir, server, _) = visited();
    server.stop();
    // One segment for each of a profile that has an event later, and of one that has none.
    for (profile, year, city) in [
        (7, 2017, "Utrecht"),
        (8, 2017, "Gouda"),
        (7, 2024, "Delft"),
        (9, 2025, "Rijswijk"),
    ] {
        let line = format!(
            "{{\"seq\":1,\"received\":\"{year}-01-01T00:00:01.000000Z\",\"remote\":null,\"label\":null,\"type\":\"update\",\
             \"time\":\"{year}-01-01T00:00:00Z\",\"time_source\":\"time\",\"profile\":{profile},\"subprofile\":null,\"database\":1,\
             \"collection\":null,\"created\":null,\"modified\":null,\"parameters\":{{}},\"fields\":{{\"city\":\"{city}\"}},\
             \"interests\":[],\"extra\":{{}}}}\n"
        );
        Cli::new(&data(&dir), &["import", "--segment-size", "1B"])
            .stdin(line)
            .run()
            .ok();
    }
    cli(&data(&dir), &["prune", "--before", "2020-01-01", "--yes"]).ok();
    let server = Server::start(&data(&dir), &UI);
    let mut visitor = Visitor::new(server.api());
    visitor.log_in(&token(&data(&dir), "read"));
    for (profile, city) in [(7, "Delft"), (8, "Gouda")] {
        let page = visitor.page(&format!("/profile/{profile}"));
        has(&page, &["were pruned", city]);
        assert!(page.contains("aria-label=\"city\""), "it is drawn: {page}");
        assert_eq!(
            page.contains("city: Utrecht → Delft"),
            profile == 7,
            "{page}"
        );
        judge_html(&page);
    }
    let reply = visitor.get("/event/1");
    let page = String::from_utf8(reply.body).unwrap();
    assert!(
        reply.status == 404 && page.contains("It was pruned"),
        "{page}"
    );
    server.stop();
}
