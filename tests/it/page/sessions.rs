//! The page for browsers: who is let in, and what binds them.
//!
//! Proven: nothing is shown without a session, and a session is had with a good
//! token alone, from this site's own form, and ends with it; the cookie and all
//! headers are as they must be; the only body that is taken is a login's; with a
//! `Bearer` the query API is what it is without the page.

use crate::support::hostile::judge_html;
use crate::support::http::{ask, token};
use crate::support::visitor::{UI, Visitor, visited};
use crate::support::{Server, cli, data, json_lines, new_server};

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
    let port = server.api().port();
    for cookie in [
        format!("profiletrail-{port}="),
        format!("profiletrail-{port}=x"),
        format!("__Host-profiletrail-{port}=x"),
        "x".to_owned(),
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
    assert!(cookie.starts_with("profiletrail-"), "{cookie}");
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
                cookie.starts_with("__Host-profiletrail-"),
                secure,
                "{cookie}"
            );
            assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
            // A session is known by its own cookie alone.
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            for (other, status) in [
                (name, 200),
                (
                    &match name.strip_prefix("__Host-") {
                        Some(plain) => plain.to_owned(),
                        None => format!("__Host-{name}"),
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
    server.client().post("/webhook", crate::support::BODY).seq();
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
