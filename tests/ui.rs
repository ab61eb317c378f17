//! The page for browsers, as far as it shows without one.
//!
//! Proven: nothing is shown without a session, and a session is had with a good
//! token alone, from this site's own form, and ends with it; the cookie and all
//! headers are as they must be; the only body that is taken is a login's; pages
//! tell what the commands tell; a text from outside is text wherever it stands;
//! with a `Bearer` the query API is what it is without the page.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/hostile.rs"]
mod hostile;
mod support;

use hostile::{PAYLOADS, hostile_calls, judge_html, judge_text};
use std::net::SocketAddr;
use support::http::{FORM, Reply, ask, token};
use support::{Client, Server, cli, data, json_lines, new_server};

const UI: [&str; 3] = ["--api", "127.0.0.1:0", "--ui"];

/// A browser without an engine.
struct Visitor {
    address: SocketAddr,
    cookie: String,
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Visitor {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookie: String::new(),
        }
    }

    fn ask(&self, method: &str, target: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let mut headers = more.to_vec();
        if !self.cookie.is_empty() {
            headers.push(("Cookie", &self.cookie));
        }
        Client::connect(self.address).request(method, target, &headers, body.as_bytes())
    }

    fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, &[], "")
    }

    fn post(&self, target: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let headers = [&[("Content-Type", FORM)], more].concat();
        self.ask("POST", target, &headers, body)
    }

    fn log_in(&mut self, token: &str) -> Reply {
        let reply = self.post("/login", &[], &format!("token={token}&next=/profile/1"));
        if let Some(cookie) = reply.header("Set-Cookie") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        reply
    }

    /// A page that must be there.
    #[track_caller]
    fn page(&self, target: &str) -> String {
        let reply = self.get(target);
        let text = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, 200, "{target}: {text}");
        text
    }
}

/// A server with a page, and who has logged in there.
fn visited() -> (tempfile::TempDir, Server, Visitor) {
    let (dir, server) = new_server(&UI);
    let mut visitor = Visitor::new(server.api());
    let token = token(&data(&dir), "read");
    assert_eq!(visitor.log_in(&token).status, 303);
    (dir, server, visitor)
}

#[test]
fn nothing_is_shown_without_a_session() {
    let (dir, server) = new_server(&UI);
    let stranger = Visitor::new(server.api());
    for (target, next) in [
        ("/", "%2F"),
        ("/profile/1?at=%402", "%2Fprofile%2F1%3Fat%3D%25402"),
        ("/event/1", "%2Fevent%2F1"),
        ("/nothing", "%2Fnothing"),
        ("//evil.example", "%2F"),
    ] {
        let reply = stranger.get(target);
        let location = format!("/login?next={next}");
        assert_eq!(
            (reply.status, reply.header("Location")),
            (303, Some(&*location)),
            "{target}"
        );
        assert!(reply.body.is_empty() && reply.header("Set-Cookie").is_none());
    }
    for target in ["/live?after=0", "/gaps?part=panel", "/profile/1?part=state"] {
        assert_eq!(stranger.get(target).status, 401, "{target}");
    }
    let mut visitor = Visitor::new(server.api());
    for cookie in [
        "profiletrail=",
        "profiletrail=x",
        "__Host-profiletrail=x",
        "x",
    ] {
        cookie.clone_into(&mut visitor.cookie);
        assert_eq!(visitor.get("/").status, 303, "{cookie}");
    }
    // The form, its style and its icon are for everybody.
    let form = String::from_utf8(stranger.get("/login?next=/event/7").body).unwrap();
    assert!(form.contains("value=\"/event/7\"") && form.contains("profiletrail token create"));
    judge_html(&form);
    let style = form.split('"').find(|text| text.ends_with(".css")).unwrap();
    let reply = stranger.get(style);
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("Content-Type"),
        Some("text/css; charset=utf-8")
    );
    assert!(reply.header("Cache-Control").unwrap().contains("immutable"));
    assert_eq!(
        stranger.get("/static/page-0000000000000000.css").status,
        404
    );
    // Without the flag there is no page.
    let other = Server::start(&dir.path().join("other"), &["--api", "127.0.0.1:0"]);
    assert_eq!(Visitor::new(other.api()).get("/").status, 401);
    other.stop();
    server.stop();
}

#[test]
fn a_session_begins_with_a_good_token_and_ends_with_it() {
    let (dir, server) = new_server(&UI);
    let data = data(&dir);
    let made = json_lines(&cli(&data, &["token", "create"]).ok());
    let (good, id) = (
        made[0]["token"].as_str().unwrap(),
        made[0]["id"].as_str().unwrap(),
    );
    let mut visitor = Visitor::new(server.api());
    let reply = visitor.log_in("ptr_wrong");
    assert_eq!((reply.status, reply.header("Set-Cookie")), (401, None));
    let reply = visitor.log_in(&token(&data, "metrics"));
    assert_eq!((reply.status, reply.header("Set-Cookie")), (403, None));
    let reply = visitor.log_in(&format!("%20{good}%0A"));
    assert_eq!(
        (reply.status, reply.header("Location")),
        (303, Some("/profile/1"))
    );
    let cookie = reply.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("profiletrail="), "{cookie}");
    for part in [
        "; Path=/",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "there is no TLS on loopback");
    assert_eq!(visitor.get("/").status, 200);
    // Whoever logs in again has another session, and the old one has ended.
    let old = visitor.cookie.clone();
    visitor.log_in(good);
    assert_ne!(old, visitor.cookie);
    let before = Visitor {
        address: server.api(),
        cookie: old,
    };
    assert_eq!(
        (before.get("/").status, visitor.get("/").status),
        (303, 200)
    );
    assert_eq!(visitor.get("/login").header("Location"), Some("/"));
    // It ends when its owner says so, …
    let reply = visitor.post("/logout", &[], "");
    assert_eq!(
        (reply.status, reply.header("Location")),
        (303, Some("/login"))
    );
    assert_eq!(visitor.get("/").status, 303);
    // … and when its token does.
    visitor.log_in(good);
    assert_eq!(visitor.get("/").status, 200);
    cli(&data, &["token", "revoke", id]).ok();
    assert_eq!(visitor.get("/").status, 303);
    // Nobody tries tokens for long, not even in two ways at once.
    let statuses: Vec<_> = (0..12)
        .map(|_| visitor.log_in("ptr_guess").status)
        .collect();
    assert!(
        statuses.is_sorted() && statuses.last() == Some(&429),
        "{statuses:?}"
    );
    let wait = visitor.log_in("ptr_guess");
    assert!(wait.header("Retry-After").unwrap().parse::<u64>().unwrap() <= 61);
    assert_eq!(ask(server.api(), "ptr_x", "/v1/stats").status, 429);
    let log = server.stop();
    assert!(!log.contains(good) && !log.contains("ptr_"), "{log}");
}

#[test]
fn no_other_site_and_no_open_line_can_log_in() {
    let (dir, server) = new_server(&UI);
    let token = token(&data(&dir), "read");
    let visitor = Visitor::new(server.api());
    let body = format!("token={token}&next=//evil.example");
    let sent = |headers: &[(&str, &str)]| visitor.post("/login", headers, &body);
    for (headers, status) in [
        (&[("Sec-Fetch-Site", "cross-site")][..], 403),
        (
            &[
                ("Sec-Fetch-Site", "same-site"),
                ("Origin", "http://localhost"),
            ],
            403,
        ),
        (&[("Sec-Fetch-Site", "none")], 403),
        (&[("Origin", "https://evil.example")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "http://localhost")], 303),
        (&[("Origin", "https://localhost")], 303),
        (
            &[
                ("Sec-Fetch-Site", "same-origin"),
                ("Origin", "https://trail.example"),
            ],
            303,
        ),
        (
            &[
                ("Sec-Fetch-Site", "same-origin"),
                ("Origin", "http://10.0.0.1"),
            ],
            403,
        ),
    ] {
        let reply = sent(headers);
        assert_eq!(reply.status, status, "{headers:?}");
        assert_eq!(
            reply.header("Set-Cookie").is_some(),
            status == 303,
            "{headers:?}"
        );
        if status == 303 {
            // Nor does it lead to one.
            assert_eq!(reply.header("Location"), Some("/"));
            let secure = headers.iter().any(|(_, value)| value.starts_with("https"));
            let cookie = reply.header("Set-Cookie").unwrap();
            assert_eq!(
                cookie.starts_with("__Host-profiletrail="),
                secure,
                "{cookie}"
            );
            assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
            // A session is known by its own cookie alone.
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            for (other, status) in [
                (name, 200),
                (
                    if secure {
                        "profiletrail"
                    } else {
                        "__Host-profiletrail"
                    },
                    303,
                ),
            ] {
                let visitor = Visitor {
                    address: server.api(),
                    cookie: format!("{other}={value}"),
                };
                assert_eq!(visitor.get("/").status, status);
            }
        }
    }
    assert_eq!(
        visitor
            .post("/logout", &[("Sec-Fetch-Site", "cross-site")], "")
            .status,
        403
    );
    server.stop();
}

#[test]
fn behind_a_proxy_the_limits_are_each_client_s_own() {
    let (_dir, server) = new_server(&[&UI[..], &["--trusted-proxy", "127.0.0.1"]].concat());
    let visitor = Visitor::new(server.api());
    let tried = |address: &str| {
        let headers = [("X-Forwarded-For", address)];
        visitor.post("/login", &headers, "token=ptr_guess").status
    };
    let statuses: Vec<_> = (0..12).map(|_| tried("192.0.2.1")).collect();
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(tried("192.0.2.2"), 401);
    server.stop();
}

#[test]
fn the_only_body_is_a_login_s_and_it_is_bounded() {
    let (dir, server, visitor) = visited();
    let token = token(&data(&dir), "read");
    let stranger = Visitor::new(server.api());
    assert_eq!(
        stranger
            .ask(
                "POST",
                "/login",
                &[("Content-Type", "text/plain")],
                "token=x"
            )
            .status,
        400
    );
    let long = format!("token={token}&x={}", "x".repeat(5000));
    assert_eq!(stranger.post("/login", &[], &long).status, 400);
    for (method, target, status) in [
        ("POST", "/", 405),
        ("PUT", "/profile/1", 405),
        ("DELETE", "/event/1", 405),
        ("GET", "/logout", 405),
        ("GET", "/profile/1", 413),
        ("HEAD", "/", 413),
    ] {
        let body = if status == 413 { "x" } else { "" };
        assert_eq!(
            visitor.ask(method, target, &[], body).status,
            status,
            "{method} {target}"
        );
    }
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    for body in ["x", &long] {
        let reply = visitor.ask("GET", "/v1/stats", &headers, body);
        assert_eq!(
            (reply.status, &reply.json()["where"]),
            (413, &"Content-Length".into())
        );
    }
    // A session asks no questions of the query API, and a token is no session.
    assert_eq!(visitor.get("/v1/stats").status, 401);
    assert_eq!(visitor.get("/metrics").status, 401);
    assert_eq!(ask(server.api(), &token, "/").status, 404);
    assert_eq!(ask(server.api(), &token, "/v1/stats").status, 200);
    assert_eq!(visitor.ask("HEAD", "/", &[], "").status, 200);
    server.stop();
}

#[test]
fn every_page_has_the_headers_that_bind_browsers() {
    let (_dir, server, visitor) = visited();
    server.client().post("/webhook", support::BODY).seq();
    let stranger = Visitor::new(server.api());
    for reply in [
        stranger.get("/login"),
        stranger.get("/"),
        stranger.post("/login", &[], "token=x"),
        visitor.get("/"),
        visitor.get("/profile/5"),
        visitor.get("/profile/5?part=state"),
        visitor.get("/profile/x"),
        visitor.get("/event/1"),
        visitor.get("/nothing"),
        visitor.get("/live?after=0"),
        visitor.ask("DELETE", "/", &[], ""),
    ] {
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
            form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        for (name, value) in [
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            let given: Vec<_> = reply
                .headers
                .iter()
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .collect();
            assert_eq!(given.len(), 1, "{name} in {reply:?}");
            assert_eq!(given[0].1, value, "{name}");
        }
    }
    server.stop();
}

#[test]
fn pages_tell_what_the_commands_tell() {
    let (dir, server, visitor) = visited();
    let start = visitor.page("/");
    assert!(
        start.contains("No event has come yet") && start.contains("curl -d"),
        "{start}"
    );
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
        "Nothing differs now.",
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
    assert!(then.contains("3 things differ now"), "{then}");
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
            .contains("repeats <a href=\"/event/2\">")
    );
    for (target, text) in [
        ("/event/99", "The last event that is kept is"),
        ("/event/0", "No event 0"),
        ("/profile/9", "None of the 6 events that are kept is of it"),
        ("/profile/9/9", "Look at profile 9"),
        ("/nothing", "Nothing is here"),
    ] {
        let reply = visitor.get(target);
        let page = String::from_utf8(reply.body).unwrap();
        assert!(
            reply.status == 404 && page.contains(text),
            "{target}: {page}"
        );
        judge_html(&page);
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
    assert!(
        page.contains("href=\"/profile/123\"") && page.contains("href=\"/profile/124\""),
        "{page}"
    );
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
    assert!(
        page.contains("/search?q=mail%3Djohny%40example.com"),
        "{page}"
    );
    // What stands out.
    assert!(
        visitor.page("/gaps").contains("None: every change"),
        "they are of last year"
    );
    assert!(
        visitor
            .page("/rejected?part=panel")
            .contains("is no number")
    );
    // What comes live, and only that.
    let live = visitor.page("/live?after=4");
    assert!(
        live.contains("data-seq=\"6\"") && !live.contains("data-seq=\"4\""),
        "{live}"
    );
    assert!(
        live.contains("data-cursor=\"6\"") && live.contains("2 new events"),
        "{live}"
    );
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
        reply.status == 400 && page.contains("is no time") && page.contains("johnny"),
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
    assert!(
        page.contains("&lt;script&gt;window.hit=1;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    let page = visitor.page("/profile/77?part=state");
    assert!(page.contains("\\u{1b}[31m"), "{page}");
    server.stop();
}
