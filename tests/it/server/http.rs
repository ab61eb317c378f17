//! What a sender of calls sees where all is well, or goes to the wrong place.
//!
//! Proven: paths, methods and `/healthz`; labels, query strings, forms and
//! JSON; `HEAD`; pipelining; a subprofile whose profile is known from before;
//! environment variables in the place of flags.

use crate::support::http::FORM;
use crate::support::{
    BODY, Cli, Client, Server, cli, data, exported, json_lines, keys, new_server,
};
use serde_json::Value;

#[test]
fn paths_and_methods_that_are_not_there() {
    let (dir, server) = new_server(&[]);
    let mut client = server.client();
    let too_long = format!("/webhook/{}", "x".repeat(65));
    for target in [
        "/",
        "/webhooks",
        "/webhook/a/b",
        "/webhook/a%20b",
        "/webhook/a.b",
        "/healthz/x",
        &too_long,
    ] {
        let reply = client.post(target, BODY);
        assert_eq!(reply.status, 404, "{target}");
        assert_eq!(keys(&reply.json()), ["error", "where"]);
        assert_eq!(reply.json()["where"], target);
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
        let reply = client.request(method, "/webhook/x", &[], b"");
        assert_eq!(
            (reply.status, reply.header("Allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
    let reply = client.post("/healthz", "");
    assert_eq!(
        (reply.status, reply.header("Allow")),
        (405, Some("GET, HEAD"))
    );
    // Only what came below the webhook's address is kept, as rejected.
    assert_eq!(client.post("/webhook", BODY).seq(), 1);
    let rejected = json_lines(&cli(&data(&dir), &["rejected", "--format", "jsonl"]).ok());
    let places: Vec<_> = rejected.iter().map(|line| &line["where"]).collect();
    let below = ["/webhook/a/b", "/webhook/a%20b", "/webhook/a.b", &too_long];
    assert_eq!(places, below);
    assert!(rejected.iter().all(|line| line["status"] == 404));
    // Other ways to write a label.
    assert_eq!(client.post("/webhook/crm/", BODY).seq(), 2);
    assert_eq!(client.post("/webhook/nieuws%2Dbrief", BODY).seq(), 3);
    let labels: Vec<_> = exported(&data(&dir))
        .iter()
        .map(|line| line["label"].clone())
        .collect();
    assert_eq!(labels, [Value::Null, "crm".into(), "nieuws-brief".into()]);
    server.stop();
}

#[test]
fn a_busy_port_leaves_the_data_folder_as_it_is() {
    let (dir, server) = new_server(&[]);
    let other = dir.path().join("other");
    let address = server.address.to_string();
    let said = Cli::new(&other, &["serve", "--listen", &address])
        .run()
        .failed(3);
    assert!(said.contains("cannot listen on"), "{said}");
    assert_eq!(said.matches("in use").count(), 1, "{said}");
    assert!(!other.exists());
    server.stop();
}

#[test]
fn health_and_head() {
    let (_dir, server) = new_server(&[]);
    let mut client = server.client();
    let reply = client.get("/healthz?x=1");
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (200, br#"{"status":"ok"}"#.as_slice())
    );
    let head = client.request("HEAD", "/healthz", &[], b"");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("Content-Length"), Some("15"));
    // The connection goes on right behind a head without a body.
    assert_eq!(client.post("/webhook", BODY).seq(), 1);
    server.stop();
}

#[test]
fn labels_query_strings_and_json() {
    let (dir, server) = new_server(&[]);
    let mut client = server.client();
    let label = format!("aZ0_-{}", "x".repeat(59));
    let json = br#"{"type":"update","profile":5,"time":1760000001,"fields":{"mail":"b","n":7,"yes":true}}"#;
    let json_type = [("Content-Type", "application/json; charset=utf-8")];
    client.post("/webhook", BODY).seq();
    client
        .post(&format!("/webhook/{label}?label=other&type=delete"), BODY)
        .seq();
    client
        .request("POST", "/webhook/json", &json_type, json)
        .seq();
    // A body of no stated type is a form, as this webhook's are.
    client
        .request("POST", "/webhook/", &[], BODY.as_bytes())
        .seq();
    let events = exported(&data(&dir));
    let labels: Vec<_> = events.iter().map(|event| event["label"].as_str()).collect();
    assert_eq!(labels, [None, Some(label.as_str()), Some("json"), None]);
    assert_eq!(events[3]["fields"], events[0]["fields"]);
    assert_eq!(
        events[2]["fields"].to_string(),
        r#"{"mail":"b","n":"7","yes":"1"}"#
    );
    assert_eq!(events[2]["body"], std::str::from_utf8(json).unwrap());
    server.stop();
}

#[test]
fn names_and_values_are_read_in_the_charset_of_the_call() {
    let (dir, server) = new_server(&[]);
    let mut client = server.client();
    let latin = [(
        "Content-Type",
        "application/x-www-form-urlencoded; charset=ISO-8859-1",
    )];
    for (headers, body) in [
        (
            &[][..],
            "action=update&profile=1&fields[name]=Ren%E9&tags[]=1&tags[]=2",
        ),
        (&[], "action=update&profile=1&fields[name]=Ren%E8"),
        (&latin, "type=update&profile=1&fields[name]=Ren%C3%A9"),
    ] {
        client
            .request("POST", "/webhook", headers, body.as_bytes())
            .seq();
    }
    let events = exported(&data(&dir));
    let names: Vec<_> = events
        .iter()
        .map(|event| event["fields"]["name"].as_str())
        .collect();
    assert_eq!(names, [Some("René"), Some("Renè"), Some("RenÃ©")]);
    assert_eq!(
        events[0]["extra"].to_string(),
        r#"{"action":"update","tags[0]":"1","tags[1]":"2"}"#
    );
    // The charset is kept with the event.
    server.stop();
    assert_eq!(exported(&data(&dir)), events);
}

#[test]
fn a_subprofile_s_profile_is_known_from_an_earlier_event() {
    let (dir, server) = new_server(&[]);
    let mut client = server.client();
    let lone = "type=delete&subprofile=77&time=1760000009";
    assert_eq!(client.post("/webhook", lone).status, 400);
    client
        .post(
            "/webhook",
            "type=create&profile=5&subprofile=77&collection=3&time=1760000000",
        )
        .seq();
    client.post("/webhook", lone).seq();
    let found = json_lines(&cli(&data(&dir), &["history", "5/77"]).ok());
    let types: Vec<_> = found
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["create", "delete"]);
    // It is known in the next life, too.
    server.stop();
    let server = Server::start(&data(&dir), &[]);
    assert_eq!(
        server
            .client()
            .post("/webhook", "type=click&subprofile=77")
            .seq(),
        3
    );
    server.stop();
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let (_dir, server) = new_server(&[]);
    let mut client = server.client();
    let call = Client::bytes(
        "POST",
        "/webhook",
        &[("Content-Type", FORM)],
        BODY.as_bytes(),
    );
    let health = Client::bytes("GET", "/healthz", &[], b"");
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend_from_slice(&call);
        all.extend_from_slice(&health);
    }
    client.send(&all).unwrap();
    for seq in 1..=20 {
        assert_eq!(client.receive(false).unwrap().seq(), seq);
        assert_eq!(client.receive(false).unwrap().json()["status"], "ok");
    }
    server.stop();
}

#[test]
fn environment_variables_stand_for_flags() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = crate::support::clean(crate::support::BINARY);
    command
        .arg("serve")
        .env("PROFILETRAIL_DATA", dir.path().join("data"))
        .env("PROFILETRAIL_LISTEN", "127.0.0.1:0")
        .env("PROFILETRAIL_MAX_BODY", "60B")
        .env("PROFILETRAIL_TIMEZONE", "UTC");
    let server = Server::spawn(command).unwrap();
    let mut client = server.client();
    let body = "type=update&profile=5&timestamp=2025-01-01+00:00:00";
    assert_eq!(client.post("/webhook", body).seq(), 1);
    assert_eq!(
        client
            .post("/webhook", format!("{body}&longer=than-sixty"))
            .status,
        413
    );
    server.stop();
    let history = Cli::bare(&["history", "5"])
        .env("PROFILETRAIL_DATA", dir.path().join("data"))
        .env("PROFILETRAIL_FORMAT", "jsonl")
        .run()
        .ok();
    assert_eq!(json_lines(&history)[0]["time"], "2025-01-01T00:00:00Z");
}
