//! What the query API says of its answers: that one is the same as before, and
//! what all of them are, in its description.
//!
//! Proven: an answer is called unchanged only where nothing came, and always
//! where that is so; and what is described is answered, with all its parameters.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::api::{API, fill_hostile, hostile_call};
use crate::support::http::{again, ask, token};
use crate::support::{Cli, Client, Server, cli, data, keys, new_server};
use serde_json::Value;

/// What comes, how, and the statuses of [`TAGGED`] then.
type Coming<'a> = (&'a str, &'a dyn Fn(), [u16; 8]);

/// Questions that can be answered as unchanged.
const TAGGED: [&str; 8] = [
    "/v1/history/123",
    "/v1/history/123?limit=2&since=yesterday",
    "/v1/show/123?at=2025-10-10",
    "/v1/diff/123?from=2025-10-01&to=@1760000003",
    "/v1/blame/123?at=@1760000003",
    "/v1/changes?since=2025-01-01",
    "/v1/export?raw",
    "/v1/rejected",
];

/// Events that came in 2025, as an import keeps them: only such can be pruned.
fn came_long_ago(data: &Path) {
    let (dir, server) = new_server(&[]);
    fill_hostile(&server);
    let mut lines = crate::support::exported(&crate::support::data(&dir));
    server.stop();
    for line in &mut lines {
        line["received"] = "2025-10-09T08:00:00.000000Z".into();
    }
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    // Each makes a segment.
    for part in lines.chunks(5) {
        Cli::new(data, &["import", "--segment-size", "1KB"])
            .stdin(part.join("\n"))
            .run()
            .ok();
    }
}

#[test]
fn an_answer_is_unchanged_only_as_long_as_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    came_long_ago(&data);
    let server = Server::start(&data, &API);
    fill_hostile(&server);
    let token = token(&data, "read");
    let tag_of = |address, target| {
        let reply = ask(address, &token, target);
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.header("Cache-Control"),
            Some("private, no-cache"),
            "{target}"
        );
        reply.header("ETag").unwrap().to_owned()
    };
    let tags = || TAGGED.map(|target| tag_of(server.api(), target));
    let statuses = |address, tags: &[String]| -> Vec<u16> {
        let both = TAGGED.iter().zip(tags);
        both.map(|(target, tag)| again(address, &token, target, tag).status)
            .collect()
    };
    let mut known = tags();
    assert_eq!(statuses(server.api(), &known), [304; 8]);
    let reply = again(
        server.api(),
        &token,
        TAGGED[0],
        &format!("\"x\", {}", known[0]),
    );
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    assert_eq!(reply.header("ETag"), Some(known[0].as_str()));
    assert_eq!(reply.header("Cache-Control"), Some("private, no-cache"));
    assert_eq!(reply.header("Content-Length"), None);
    assert_eq!(again(server.api(), &token, TAGGED[0], "*").status, 304);
    assert_eq!(
        again(server.api(), &token, TAGGED[0], &known[1]).status,
        200
    );
    // Who has no good token learns nothing, and a wrong question is wrong.
    assert_eq!(
        again(server.api(), "ptr_x", TAGGED[0], &known[0]).status,
        401
    );
    assert_eq!(
        again(server.api(), &token, "/v1/history/x", "*").status,
        400
    );
    let events = [200, 200, 200, 200, 200, 200, 200, 304];
    let everything: [Coming<'_>; 5] = [
        (
            "an event",
            &|| {
                server
                    .client()
                    .post("/webhook", "type=update&profile=123&fields[city]=new")
                    .seq();
            },
            events,
        ),
        (
            "a late event",
            &|| {
                server
                    .client()
                    .post("/webhook", hostile_call(123, 1_760_000_001, "late"))
                    .seq();
            },
            events,
        ),
        (
            "an import",
            &|| {
                let line = cli(&data, &["export", "--profile", "124"]).ok();
                let line = line
                    .lines()
                    .next()
                    .unwrap()
                    .replace("\"city\":\"", "\"city\":\"imported ");
                let imported = Cli::new(&data, &["import", "-"]).stdin(line).run();
                imported.ok();
            },
            events,
        ),
        (
            "a rejected call",
            &|| {
                assert_eq!(
                    server
                        .client()
                        .post("/webhook", "type=update&profile=x")
                        .status,
                    400
                );
            },
            [304, 304, 304, 304, 304, 304, 304, 200],
        ),
        (
            "a prune",
            &|| {
                cli(&data, &["prune", "--before", "@1760000002", "--yes"]).ok();
            },
            [200; 8],
        ),
    ];
    for (what, come, expected) in everything {
        come();
        assert_eq!(statuses(server.api(), &known), expected, "{what}");
        known = tags();
        assert_eq!(statuses(server.api(), &known), [304; 8], "{what}");
    }
    // About now, or of sizes: none has a tag.
    for target in [
        "/v1/show/123",
        "/v1/blame/123",
        "/v1/diff/123?from=@1",
        "/v1/stats",
    ] {
        let reply = again(server.api(), &token, target, "*");
        assert_eq!(
            (reply.status, reply.header("ETag")),
            (200, None),
            "{target}"
        );
        assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    }
    // Another run may be of another version, or of a repaired folder.
    server.stop();
    let server = Server::start(&data, &API);
    assert_eq!(statuses(server.api(), &known), [200; 8]);
    server.stop();
}

/// A value that a parameter takes.
fn value(name: &str, schema: &Value) -> String {
    if let Some(one) = schema.get("items") {
        return value(name, one);
    }
    let first = |key: &str| schema.get(key).and_then(|list| list[0].as_str());
    match (first("enum").or(first("examples")), name) {
        (_, "until" | "to") => "2030-01-01".to_owned(),
        (_, "profile") => "123".to_owned(),
        (Some(text), _) => text.replace(' ', "%20"),
        _ => schema["minimum"].as_u64().unwrap_or(1).max(1).to_string(),
    }
}

/// What is asked where not all parameters go together.
fn together(path: &str) -> Option<&'static [&'static str]> {
    match path {
        "/v1/find" => Some(&[
            "q=mail%3D1&ever&limit=1",
            "field=mail&value=1&prefix&ignore-case&at=@1760000000",
            "q=mail%3D1&match",
            "interest=news&database=1",
        ]),
        "/v1/incidents" => Some(&[
            "",
            "since=@1&until=2030-01-01&within=90s&least=2&limit=1&field=1&type=1",
            "show=mail-1234&label=crm&cause=set",
            "undo=mail-1234&within=2h&least=3",
        ]),
        _ => None,
    }
}

#[test]
fn what_is_described_is_answered() {
    let (dir, server) = new_server(&API);
    fill_hostile(&server);
    let token = token(&data(&dir), "read");
    let mut stranger = Client::connect(server.api());
    for target in ["/v1/", "/v1/openapi.json"] {
        assert_eq!(stranger.get(target).status, 401, "{target}");
        let reply = ask(server.api(), &token, target);
        let tag = reply.header("ETag").unwrap();
        assert_eq!(again(server.api(), &token, target, tag).status, 304);
        let reply = ask(server.api(), &token, &format!("{target}?x=1"));
        assert_eq!((reply.status, &reply.json()["where"]), (400, &"x".into()));
    }
    let described = ask(server.api(), &token, "/v1/openapi.json").json();
    assert_eq!(described["openapi"], "3.1.0");
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = described["paths"].as_object().unwrap();
    let index = ask(server.api(), &token, "/v1/").json();
    let questions = index["questions"].as_array().unwrap();
    let mut questioned = 0;
    for question in questions {
        let path = question["path"].as_str().unwrap();
        assert!(paths.contains_key(path), "{question}");
        questioned += if path.contains("{profile}") { 2 } else { 1 };
    }
    for (path, item) in paths {
        assert_eq!(keys(item), ["get"], "{path}");
        let target = path
            .replace("{profile}", "123")
            .replace("{subprofile}", "456")
            .replace("{seq}", "1");
        let none = Vec::new();
        let parameters = item["get"]["parameters"].as_array().unwrap_or(&none);
        let (mut needed, mut others) = (Vec::new(), Vec::new());
        for parameter in parameters.iter().filter(|known| known["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let schema = &parameter["schema"];
            let given = format!("{name}={}", value(name, schema));
            if name == "after" && schema["type"] == "string" {
                let reply = ask(server.api(), &token, &format!("{target}?{given}"));
                let place = &reply.json()["where"];
                assert_eq!((reply.status, place), (400, &"after".into()));
            } else if parameter["required"] == true {
                needed.push(given);
            } else {
                others.push(given);
            }
        }
        // Those that must be given, each of the others beside them, and all.
        let needed = needed.join("&");
        let alone = others.iter().map(|given| format!("{needed}&{given}"));
        let all = format!("{needed}&{}", others.join("&"));
        let queries: Vec<String> = match together(path) {
            Some(queries) => queries.iter().map(|query| (*query).to_owned()).collect(),
            None => alone.chain([needed.clone(), all]).collect(),
        };
        for query in queries {
            let target = format!("{target}?{query}");
            let reply = ask(server.api(), &token, &target);
            assert_eq!(
                reply.status,
                200,
                "{target}: {}",
                String::from_utf8_lossy(&reply.body)
            );
            let statuses = keys(&item["get"]["responses"]);
            assert!(statuses.contains(&"200"));
            let content = &item["get"]["responses"]["200"]["content"];
            assert_eq!(
                Some(keys(content)[0]),
                reply.header("Content-Type"),
                "{target}"
            );
        }
        let reply = ask(server.api(), &token, &format!("{target}?nothing=1"));
        let strict = path.starts_with("/v1/");
        assert_eq!(reply.status == 400, strict, "{path}");
    }
    // What the paths lead to is what the module documents.
    let known: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/v1/",
        "/v1/openapi.json",
    ] {
        assert!(known.contains(path), "{path}");
    }
    assert_eq!(known.len(), 5 + questioned);
    server.stop();
}

#[test]
fn omitted_keys_are_distinguished_from_null() {
    let (dir, server) = new_server(&API);
    let token = token(&data(&dir), "read");
    let described = ask(server.api(), &token, "/v1/openapi.json").json();
    let schemas = &described["components"]["schemas"];
    let change = &schemas["ChangeLine"];
    let required = change["required"].as_array().unwrap();
    assert_eq!(required, &["new", "cause"]);
    assert_eq!(change["additionalProperties"], false);
    assert_eq!(
        change["properties"]["old"]["$ref"],
        "#/components/schemas/Value"
    );
    assert_eq!(change["properties"]["since"]["type"], "string");
    let value = schemas["Value"]["anyOf"].as_array().unwrap();
    let types: Vec<_> = value
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["null", "boolean", "string"]);
    let label = &schemas["ChangesLine"]["properties"]["label"]["type"];
    assert_eq!(label.as_array().unwrap(), &["string", "null"]);
    server.stop();
}
