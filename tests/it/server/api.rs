//! The query API.
//!
//! Proven: every question's answer is that of the command, byte for byte; wrong
//! parameters, paths, methods and bodies are refused by name; without a good
//! token nothing is answered, and a good one always is; nothing of it is there without `--api`.

use std::net::TcpStream;

use crate::support::api::{API, fill, text};
use crate::support::http::{ask, token};
use crate::support::{
    BODY, Client, Server, cli, data, eventually, has, json_lines, keys, new_server,
};

#[test]
fn every_answer_is_that_of_the_command() {
    let (dir, server) = new_server(&API);
    let data = data(&dir);
    fill(&server);
    let token = token(&data, "read");
    let mut answered = 0;
    for (target, command) in [
        ("/v1/history/123", "history 123"),
        (
            "/v1/history/123?all&reverse&limit=2",
            "history 123 --all --reverse --limit 2",
        ),
        (
            "/v1/history/123?subprofiles=true&since=2025-10-10",
            "history 123 --subprofiles --since 2025-10-10",
        ),
        ("/v1/history/123/456", "history 123/456"),
        (
            "/v1/history/123?field=city&interest=blue&until=@1760000001",
            "history 123 --field city --interest blue --until @1760000001",
        ),
        (
            "/v1/show/123?at=2025-10-09%2012:00:00",
            "show 123 --at 2025-10-09T12:00:00+02:00",
        ),
        (
            "/v1/diff/123?from=2025-10-01&to=2025-10-11",
            "diff 123 --from 2025-10-01 --to 2025-10-11",
        ),
        (
            "/v1/blame/123/456?at=@1760000200",
            "blame 123/456 --at @1760000200",
        ),
        ("/v1/changes", "changes"),
        (
            "/v1/changes?field=city&new=%C3%89%26+%2B",
            "changes --field city --new É&_+",
        ),
        (
            "/v1/changes?label=crm&label=form&cause=set&cause=create&old=Utrecht&database=3&profile=123&limit=9",
            "changes --label crm --label form --cause set --cause create --old Utrecht --database 3 --profile 123 --limit 9",
        ),
        ("/v1/export", "export"),
        (
            "/v1/export?raw&profile=123&database=3&since=@0",
            "export --raw --profile 123 --database 3 --since @0",
        ),
        ("/v1/rejected?limit=1", "rejected --limit 1"),
        ("/v1/stats?since=2025-10-01", "stats --since 2025-10-01"),
        ("/v1/tail", "tail"),
        ("/v1/tail?limit=2&label=crm", "tail -n 2 --label crm"),
        (
            "/v1/tail?since=2025-10-10&field=city&new=Gouda",
            "tail --since 2025-10-10 --field city --new Gouda",
        ),
        ("/v1/explain/2", "explain 2"),
    ] {
        let args: Vec<String> = command
            .split(' ')
            .map(|arg| arg.replace('_', " "))
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let expected = cli(&data, &args).ok();
        let reply = ask(server.api(), &token, target);
        assert_eq!(
            (reply.status, text(&reply)),
            (200, expected.as_str()),
            "{target}"
        );
        assert_eq!(reply.header("Content-Type"), Some("application/x-ndjson"));
        answered += usize::from(!expected.is_empty());
    }
    assert_eq!(answered, 19, "an empty answer proves little");
    // Nothing found: no line, and no error.
    for target in [
        "/v1/history/999",
        "/v1/show/999",
        "/v1/changes?field=none",
        "/v1/export?profile=9",
    ] {
        let reply = ask(server.api(), &token, target);
        assert_eq!((reply.status, text(&reply)), (200, ""), "{target}");
    }
    server.stop();
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let (dir, server) = new_server(&API);
    let data = data(&dir);
    let token = token(&data, "read");
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    for (target, status, place) in [
        ("/v1/history/123?fields=a", 400, "fields"),
        ("/v1/history/123?limit=1&limit=2", 400, "limit"),
        ("/v1/history/12x", 400, "profile"),
        ("/v1/show/1?at=never", 400, "at"),
        ("/v1/diff/1", 400, "from"),
        ("/v1/changes?cause=luck", 400, "cause"),
        ("/v1/changes?field=%FF", 400, "field"),
        ("/v1/nothing", 404, "/v1/nothing"),
        ("/", 404, "/"),
        ("/webhook", 404, "/webhook"),
        (
            "/v1/export/../../../../etc/passwd",
            404,
            "/v1/export/../../../../etc/passwd",
        ),
        ("/v1/show/../../tokens", 400, "profile"),
        ("/..%2f..%2fetc/passwd", 404, "/..%2f..%2fetc/passwd"),
        ("//etc/passwd", 404, "//etc/passwd"),
        ("/tokens", 404, "/tokens"),
        ("http://x/../tokens", 404, "/../tokens"),
    ] {
        let reply = ask(server.api(), &token, target);
        assert_eq!(
            (reply.status, &reply.json()["where"]),
            (status, &place.into()),
            "{target}"
        );
        assert_eq!(keys(&reply.json()), ["error", "where"]);
    }
    let mut client = Client::connect(server.api());
    for method in ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"] {
        let reply = client.request(method, "/v1/export", &headers, b"");
        assert_eq!(
            (reply.status, reply.header("Allow")),
            (405, Some("GET")),
            "{method}"
        );
        assert_eq!(reply.header("Access-Control-Allow-Origin"), None);
    }
    let reply = client.request("GET", "/v1/stats", &headers, b"a body");
    assert_eq!(reply.status, 413);
    server.stop();
}

#[test]
fn every_answer_has_the_headers_that_bind_browsers() {
    let (dir, server) = new_server(&API);
    let token = token(&data(&dir), "read");
    let gate = {
        let mut client = server.client();
        client.send(b"rubbish\r\n\r\n").unwrap();
        client.receive(false).unwrap()
    };
    for reply in [
        ask(server.api(), &token, "/v1/stats"),
        ask(server.api(), &token, "/v1/history/1?x=y"),
        ask(server.api(), &token, "/metrics"),
        ask(server.api(), "ptr_x", "/v1/stats"),
        Client::connect(server.api()).get("/healthz"),
        server.client().post("/webhook", BODY),
        server.client().post("/webhook", "x"),
        server.client().get("/elsewhere"),
        server.client().get("/healthz"),
        gate,
    ] {
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            (
                "Content-Security-Policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name} in {reply:?}");
        }
        let cors = |(name, _): &(String, String)| name.to_lowercase().starts_with("access-control");
        assert!(!reply.headers.iter().any(cors), "{reply:?}");
    }
    server.stop();
}

#[test]
fn only_a_good_token_is_answered_and_it_always_is() {
    let (dir, server) = new_server(&API);
    let data = data(&dir);
    fill(&server);
    // Before there is any token.
    assert_eq!(ask(server.api(), "", "/v1/stats").status, 401);
    let made = json_lines(&cli(&data, &["token", "create"]).ok());
    let (good, id) = (
        made[0]["token"].as_str().unwrap(),
        made[0]["id"].as_str().unwrap(),
    );
    let metrics = token(&data, "metrics");
    assert_eq!(ask(server.api(), good, "/v1/stats").status, 200);
    assert_eq!(ask(server.api(), good, "/metrics").status, 200);
    assert_eq!(ask(server.api(), &metrics, "/metrics").status, 200);
    let reply = ask(server.api(), &metrics, "/v1/stats");
    assert_eq!(
        (reply.status, &reply.json()["where"]),
        (403, &"Authorization".into())
    );
    // Neither path nor method nor parameter is judged for a stranger.
    for target in ["/v1/stats", "/metrics", "/nothing", "/v1/history/1?limit=x"] {
        let reply = ask(server.api(), "ptr_x", target);
        assert_eq!(reply.status, 401, "{target}");
        assert!(
            reply
                .header("WWW-Authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
        assert!(!text(&reply).contains("ptr_"));
    }
    let mut client = Client::connect(server.api());
    let reply = client.request("GET", &format!("/v1/stats?token={good}"), &[], b"");
    assert_eq!(reply.status, 401);
    let basic = format!("Basic {good}");
    let reply = client.request("POST", "/v1/stats", &[("Authorization", &basic)], b"");
    assert_eq!(reply.status, 401);
    // One after the other, up to the limit; then not even a reason.
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let reply = ask(server.api(), "ptr_guess", "/v1/stats");
        if reply.status == 429 {
            let wait: u64 = reply.header("Retry-After").unwrap().parse().unwrap();
            assert!((1..=61).contains(&wait));
        }
        statuses.push(reply.status);
    }
    assert!(
        statuses.is_sorted() && statuses.last() == Some(&429),
        "{statuses:?}"
    );
    assert_eq!(ask(server.api(), good, "/v1/stats").status, 200);
    // Revoked, it is worth nothing from then on.
    cli(&data, &["token", "revoke", id]).ok();
    assert_eq!(ask(server.api(), good, "/v1/stats").status, 429);
    assert_eq!(ask(server.api(), &metrics, "/metrics").status, 200);
    let log = server.stop();
    let logged = log.matches("without a valid token").count();
    // The first, and the number of the others when the server stopped.
    assert!((1..=2).contains(&logged), "{log}");
    assert!(!log.contains("ptr_"), "{log}");
}

#[test]
fn health_needs_no_token_and_nothing_is_there_without_the_flag() {
    let (dir, server) = new_server(&API);
    let mut client = Client::connect(server.api());
    for target in ["/healthz", "/readyz"] {
        let reply = client.get(target);
        assert_eq!((reply.status, text(&reply)), (200, "{\"status\":\"ok\"}"));
        assert_eq!(client.request("HEAD", target, &[], b"").status, 200);
        let reply = client.post(target, "");
        assert_eq!(
            (reply.status, reply.header("Allow")),
            (405, Some("GET, HEAD"))
        );
    }
    assert!(!server.log().contains("TLS"), "{}", server.log());
    let token = token(&data(&dir), "read");
    assert!(data(&dir).join("private-api").exists());
    server.stop();
    assert!(!data(&dir).join("private-api").exists());
    let server = Server::start(&data(&dir), &[]);
    assert!(!server.log().contains("answering questions"));
    assert_eq!(ask(server.address, &token, "/v1/stats").status, 404);
    assert_eq!(ask(server.address, &token, "/metrics").status, 404);
    server.stop();
    // Where others can reach it, that is said.
    let server = Server::start(&data(&dir), &["--api", "0.0.0.0:0"]);
    has(&server.log(), &["put TLS in front"]);
    server.stop();
}

/// The connection that one address opens too many of takes the place of an idle one
/// of its own, never of another address.
#[test]
fn one_address_does_not_take_all_connections() {
    let (_dir, server) = new_server(&API);
    let api = server.api();
    let idle: Vec<_> = (0..50).map(|_| TcpStream::connect(api).unwrap()).collect();
    assert_eq!(Client::connect(api).get("/healthz").status, 200);
    let is_open = |stream: &&TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let seen = stream.peek(&mut [0]);
        seen.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    eventually("only so many of one address stay open", || {
        idle.iter().filter(is_open).count() < 32
    });
}

/// A parameter of the filter is taken by every question over all profiles, and means
/// the same: here that of labels that are left out.
#[test]
fn every_question_over_all_profiles_takes_the_filter() {
    let (dir, server) = new_server(&API);
    let data = data(&dir);
    fill(&server);
    let token = token(&data, "read");
    for (target, command) in [
        ("/v1/changes", "changes"),
        ("/v1/tail", "tail"),
        ("/v1/report", "report"),
        ("/v1/gaps", "gaps"),
        ("/v1/incidents", "incidents"),
        ("/v1/loops", "loops"),
    ] {
        let filter = "not-label=crm&not-label=&type=update&cascade";
        let reply = ask(server.api(), &token, &format!("{target}?{filter}"));
        assert_eq!(reply.status, 200, "{target}: {}", text(&reply));
        let flags = [
            "--not-label",
            "crm",
            "--not-label",
            "",
            "--type",
            "update",
            "--cascade",
        ];
        let mut words = vec![command];
        words.extend(flags);
        assert_eq!(text(&reply), cli(&data, &words).stdout, "{target}");
        if matches!(command, "changes" | "tail") {
            let lines = json_lines(text(&reply));
            assert!(!lines.is_empty());
            assert!(
                lines
                    .iter()
                    .all(|line| line["label"] == "form" && line["type"] == "update")
            );
        }
    }
}
