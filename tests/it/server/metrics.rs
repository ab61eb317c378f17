//! The metrics, and the silence alarm.
//!
//! Proven: accepted, rejected and refused calls are counted, and sizes, lengths and
//! ages are exported, in a form that can be parsed; a silence is reported by
//! `/healthz` on both sides and logged once, across a restart, too, while calls are
//! accepted and `/readyz` stays well.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{BODY, Client, Server, cli, data, eventually, json_lines, new_server};

const API: [&str; 2] = ["--api", "127.0.0.1:0"];

fn token(data: &Path) -> String {
    let made = cli(data, &["token", "create", "--scope", "metrics"]).ok();
    json_lines(&made)[0]["token"].as_str().unwrap().to_owned()
}

/// Every sample by its name with labels.
fn scrape(server: &Server, token: &str) -> BTreeMap<String, f64> {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let reply = Client::connect(server.api()).request("GET", "/metrics", &headers, b"");
    assert_eq!(reply.status, 200);
    let kind = reply.header("Content-Type").unwrap();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn what_happens_is_counted() {
    let (dir, server) = new_server(&[&API[..], &["--max-body", "1000B"]].concat());
    let token = token(&data(&dir));
    let before = scrape(&server, &token);
    assert_eq!(before["profiletrail_calls_accepted_total"], 0.0);
    assert!(!before.contains_key("profiletrail_last_event_age_seconds"));
    let mut client = server.client();
    for number in 0..7 {
        client
            .post(
                "/webhook",
                format!("{BODY}&time={}", 1_760_000_000 + number),
            )
            .seq();
    }
    assert_eq!(client.post("/webhook", "type=update&profile=x").status, 400);
    assert_eq!(client.post("/elsewhere", BODY).status, 404);
    assert_eq!(client.post("/webhook/a.b", BODY).status, 404);
    assert_eq!(client.get("/webhook").status, 405);
    assert_eq!(client.request("PUT", "/healthz", &[], b"x").status, 405);
    let long = client.request("POST", "/webhook", &[], &[b'x'; 2000]);
    assert_eq!(long.status, 413);
    let mut other = server.client();
    other
        .send(b"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n")
        .unwrap();
    assert_eq!(other.receive(false).unwrap().status, 411);
    let mut other = server.client();
    other.send(b"rubbish\r\n\r\n").unwrap();
    assert_eq!(other.receive(false).unwrap().status, 400);
    // What is counted behind an answer is there a moment later at the latest.
    let now = || scrape(&server, &token);
    eventually("all events are indexed", || {
        now()["profiletrail_index_lag_events"] == 0.0
    });
    let now = now();
    for (name, value) in [
        ("calls_accepted_total", 7.0),
        ("calls_rejected_total{status=\"400\"}", 1.0),
        ("calls_rejected_total{status=\"413\"}", 1.0),
        ("calls_refused_total{reason=\"not_found\"}", 1.0),
        ("calls_rejected_total{status=\"404\"}", 1.0),
        ("calls_refused_total{reason=\"method\"}", 1.0),
        ("calls_refused_total{reason=\"no_length\"}", 1.0),
        ("gate_refused_total{gate=\"webhook\",status=\"400\"}", 1.0),
        ("commit_group_calls_sum", 10.0),
        ("last_event", 7.0),
        ("committer_queue_calls", 0.0),
        ("segments_unsealed", 0.0),
        ("silent", 0.0),
    ] {
        let name = format!("profiletrail_{name}");
        assert_eq!(now.get(&name), Some(&value), "{name} in {now:?}");
    }
    let commits = now["profiletrail_commit_seconds_count"];
    assert!((1.0..=10.0).contains(&commits), "{commits}");
    assert!(now["profiletrail_commit_seconds_sum"] > 0.0);
    for name in [
        "log_bytes{log=\"events\"}",
        "index_bytes",
        "disk_free_bytes",
        "resident_memory_bytes",
    ] {
        assert!(now[&format!("profiletrail_{name}")] > 1000.0, "{name}");
    }
    let age = now["profiletrail_last_event_age_seconds"];
    assert!((0.0..600.0).contains(&age), "{age}");
    assert!(
        now.keys()
            .any(|name| name.starts_with("profiletrail_connections{gate=\"webhook\""))
    );
    // What is not known has no sample.
    std::fs::rename(data(&dir).join("rejected"), dir.path().join("away")).unwrap();
    let without = scrape(&server, &token);
    assert!(!without.contains_key("profiletrail_log_bytes{log=\"rejected\"}"));
    std::fs::rename(dir.path().join("away"), data(&dir).join("rejected")).unwrap();
    server.stop();
}

#[test]
fn the_older_text_format_is_written_unless_openmetrics_is_asked_for() {
    let (dir, server) = new_server(&API);
    let bearer = format!("Bearer {}", token(&data(&dir)));
    let scrape = |accept: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Accept", accept)];
        let reply = Client::connect(server.api()).request("GET", "/metrics", &headers, b"");
        let kind = reply.header("Content-Type").unwrap().to_owned();
        (kind, String::from_utf8(reply.body).unwrap())
    };
    server.client().get("/elsewhere");
    let (kind, text) = scrape("text/plain;version=0.0.4");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "# TYPE profiletrail_calls_accepted_total counter",
        "profiletrail_calls_accepted_total 0",
        "# TYPE profiletrail_commit_seconds histogram",
    ] {
        assert!(lines.contains(&line), "{line} is not in {text}");
    }
    let build = concat!(
        "profiletrail_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\","
    );
    assert!(text.contains(build), "{text}");
    // What is not known has no sample.
    for absent in [
        "last_event_age",
        "last_signed_date_age",
        "-1",
        "# EOF",
        "# UNIT",
    ] {
        assert!(!text.contains(absent), "{absent} is in {text}");
    }
    let both =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for accept in [both, "*/*", "application/openmetrics-text"] {
        let (kind, text) = scrape(accept);
        assert!(
            kind.starts_with("application/openmetrics-text"),
            "{accept}: {kind}"
        );
        assert!(text.ends_with("# EOF\n"));
    }
    assert!(scrape("Text/Plain; q=0.5, */*").0.starts_with("text/plain"));
    server.stop();
}

#[test]
fn a_silence_is_logged_once_and_calls_are_accepted() {
    let args = [&API[..], &["--alert-after", "1s"]].concat();
    let (dir, server) = new_server(&args);
    let token = token(&data(&dir));
    let status = |server: &Server, target: &str| {
        let webhook = server.client().get(target);
        let api = Client::connect(server.api()).get(target);
        (webhook.status, api.status)
    };
    // From the start on, where there is no event.
    eventually("it is silent", || status(&server, "/healthz") == (503, 503));
    let reply = server.client().get("/healthz").json();
    assert_eq!(
        reply.to_string(),
        r#"{"status":"silent","last_event":null}"#
    );
    assert_eq!(status(&server, "/readyz"), (200, 200));
    assert_eq!(scrape(&server, &token)["profiletrail_silent"], 1.0);
    let silences = |server: &Server| server.log().matches("no event has arrived").count();
    eventually("it is logged", || silences(&server) == 1);
    server.client().post("/webhook", BODY).seq();
    eventually("its end is logged", || {
        server.log().contains("events arrive again")
    });
    // And anew.
    eventually("it is silent again", || silences(&server) == 2);
    let reply = server.client().get("/healthz").json();
    let last = reply["last_event"].as_str().unwrap().to_owned();
    // What is refused is no event.
    assert_eq!(server.client().post("/webhook", "x").status, 400);
    assert_eq!(status(&server, "/healthz"), (503, 503));
    let log = server.stop();
    assert_eq!(log.matches("events arrive again").count(), 1, "{log}");
    // A restart is none either, and a longer silence may be no alarm.
    let server = Server::start(&data(&dir), &args);
    assert_eq!(status(&server, "/healthz"), (503, 503));
    let reply = server.client().get("/healthz").json();
    assert_eq!(reply["last_event"], last);
    server.stop();
    let server = Server::start(&data(&dir), &[&API[..], &["--alert-after", "9d"]].concat());
    assert_eq!(status(&server, "/healthz"), (200, 200));
    server.stop();
}

#[test]
fn a_span_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for span in ["0s", "soon", "5", "1w"] {
        let said = cli(&data(&dir), &["serve", "--alert-after", span]).failed(2);
        assert!(said.contains("--alert-after"), "{said}");
    }
}
