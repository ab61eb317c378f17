//! The description of the query API for programs, in OpenAPI 3.1, and the list
//! of its questions.
//!
//! Paths and summaries come from [`super::questions`], parameters from the flags of the
//! questions ([`super::params`]), and the lines' schemas from their types
//! ([`crate::query::lines`]): nothing is declared twice. OpenAPI 3.1 cannot describe an
//! answer of lines: the schema of `application/x-ndjson` is that of one line.

use clap::{Arg, Command};
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::params::{choices, declared_params, is_flag, is_number, is_repeatable};
use super::questions::{Depends, ENTRIES, Entry, SubjectKind};
use crate::event::DecodeError;
use crate::metrics::Exposition;

pub(super) const PATH: &str = "/v1/openapi.json";

pub(super) const INDEX: &str = "/v1/";

/// What the API does not do is refused with one of these.
const REFUSALS: [(u16, &str, &[&str]); 13] = [
    (
        400,
        "A parameter, the path or a header is invalid; the error names it",
        &[],
    ),
    (401, "A token is required", &["WWW-Authenticate"]),
    (403, "The token is valid for /metrics only", &[]),
    (404, "There is nothing at this path", &[]),
    (405, "Only the methods in Allow are allowed", &["Allow"]),
    (408, "The request took too long to arrive", &[]),
    (413, "A question must not have a body", &[]),
    (417, "The request's Expect header is not supported", &[]),
    (
        429,
        "Too many requests without a valid token came from this address",
        &["Retry-After"],
    ),
    (431, "The head of the request is too large", &[]),
    (500, "The answer failed", &[]),
    (502, "The answer took too long", &[]),
    (
        503,
        "The server cannot answer now; ask again later",
        &["Retry-After"],
    ),
];

/// The list of questions.
pub(super) fn index() -> String {
    let question = |entry: &Entry| {
        let path = paths(entry).last().map(|names| path_of(entry, names));
        json!({ "path": path, "what": entry.what })
    };
    let questions: Vec<_> = ENTRIES.iter().map(question).collect();
    json!({ "description": PATH, "questions": questions }).to_string()
}

/// A generator of schemas for lines, which puts the types that they refer to at a path.
pub fn schema_generator(definitions: &'static str) -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = definitions.into())
        .with_transform(precise)
        .into_generator()
}

/// Removes `null` from the properties that are not required: without a value they are left out,
/// though in Rust they are an `Option` like those that are null then.
fn precise(schema: &mut Schema) {
    transform_subschemas(&mut precise, schema);
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required = |name: &String| {
        let names = required.as_array().map(Vec::as_slice).unwrap_or_default();
        names.iter().any(|known| known == name)
    };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if !is_required(name)
            && let Some(property) = property.as_object_mut()
        {
            never_null(property);
        }
    }
}

fn never_null(property: &mut Map<String, Value>) {
    if let Some(types) = property.get_mut("type")
        && let Some(list) = types.as_array_mut()
    {
        list.retain(|known| known != "null");
        if let [only] = list.as_slice() {
            *types = only.clone();
        }
    }
    if let Some(list) = property.get_mut("anyOf").and_then(Value::as_array_mut) {
        list.retain(|known| known.get("type").is_none_or(|known| known != "null"));
        if let [only] = list.as_slice()
            && let Some(only) = only.as_object().cloned()
        {
            property.remove("anyOf");
            property.extend(only);
        }
    }
}

/// The name of each question, and the schema of a line of its answer.
pub fn line_schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
    let entries = ENTRIES.iter();
    let lines = entries.map(|entry| (entry.name, entry.line(generator)));
    lines.collect()
}

/// All of the description.
pub fn openapi() -> Value {
    let mut generator = schema_generator("/components/schemas");
    let mut all = Map::new();
    for entry in ENTRIES.iter() {
        let line = entry.line(&mut generator);
        for names in paths(entry) {
            let get = operation(entry, names, &line);
            all.insert(path_of(entry, names), json!({ "get": get }));
        }
    }
    others(&mut generator, &mut all);
    let error = generator.subschema_for::<DecodeError>();
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Damage".to_owned(), damage());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "profiletrail",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What changed when in Copernica profiles",
            "description": "The commands' questions over HTTP. An answer consists of JSON lines, \
                one object per line; if nothing is found, it has no lines. If events that belong \
                to it cannot be read, the last line is {\"damage\":[…]}. A long answer is streamed; without its last chunk it is incomplete.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": all,
        "components": {
            "schemas": schemas,
            "headers": headers(),
            "responses": refusals(&error),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `profiletrail token create`",
                },
            },
        },
    })
}

/// What the paths of a question name, the path that most ask last.
const fn paths(entry: &Entry) -> &'static [&'static [&'static str]] {
    match entry.subject {
        SubjectKind::Everything => &[&[]],
        SubjectKind::Event => &[&["seq"]],
        SubjectKind::Profile => &[&["profile", "subprofile"], &["profile"]],
    }
}

fn path_of(entry: &Entry, names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("/{{{name}}}"));
    format!("/v1/{}{}", entry.name, names.collect::<String>())
}

fn operation(entry: &Entry, names: &[&str], line: &Schema) -> Value {
    let id = match names {
        [_, subject] => format!("{}_{subject}", entry.name),
        _ => entry.name.to_owned(),
    };
    let in_path = |name: &&str| {
        let number = number_from(u64::from(*name == "seq"));
        json!({ "name": name, "in": "path", "required": true, "schema": number })
    };
    let mut parameters: Vec<_> = names.iter().map(in_path).collect();
    let command = &entry.command;
    let declared = declared_params(command);
    parameters.extend(declared.map(|(name, arg)| parameter(command, name, arg)));
    let mut sent = vec!["Profiletrail-Note"];
    if entry.pages {
        sent.push("Link");
    }
    let mut responses = Map::new();
    if entry.depends != Depends::More {
        sent.push("ETag");
        parameters.push(json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of an earlier answer",
            "schema": { "type": "string" },
        }));
        let unchanged =
            json!({ "description": "The answer has not changed", "headers": named(&["ETag"]) });
        responses.insert("304".to_owned(), unchanged);
    }
    let lines = json!({ "anyOf": [line, { "$ref": "#/components/schemas/Damage" }] });
    let answer = json!({
        "description": "Lines, each an object of this schema",
        "headers": named(&sent),
        "content": { "application/x-ndjson": { "schema": lines } },
    });
    responses.insert("200".to_owned(), answer);
    refer(&mut responses, |_| true);
    json!({ "operationId": id, "summary": entry.what, "parameters": parameters, "responses": responses })
}

fn parameter(command: &Command, name: &str, arg: &Arg) -> Value {
    let one = schema_of(command, name, arg);
    let schema = match is_repeatable(arg) {
        true => json!({ "type": "array", "items": one }),
        false => one,
    };
    let help = arg.get_help().map(ToString::to_string);
    json!({
        "name": name,
        "in": "query",
        "required": arg.is_required_set(),
        "description": help,
        "schema": schema,
    })
}

fn number_from(lowest: u64) -> Value {
    json!({ "type": "integer", "minimum": lowest, "maximum": u64::MAX, "format": "uint64" })
}

/// The lowest number that a parameter takes: the parser is asked.
fn lowest(command: &Command, name: &str) -> u64 {
    let takes = |number: &u64| {
        let arg = format!("--{name}={number}");
        command.clone().try_get_matches_from([arg]).is_ok()
    };
    (0..=9).find(takes).unwrap_or(0)
}

fn schema_of(command: &Command, name: &str, arg: &Arg) -> Value {
    if is_flag(arg) {
        return json!({ "type": "string", "enum": ["", "true", "1", "false", "0"] });
    }
    if is_number(arg) {
        return number_from(lowest(command, name));
    }
    let words = choices(arg);
    if !words.is_empty() {
        return json!({ "type": "string", "enum": words });
    }
    let kind = arg.get_value_names().and_then(|names| names.first());
    match kind.map_or("", |kind| kind.as_str()) {
        "P[/S]" => json!({ "type": "string", "pattern": "^[0-9]{1,19}(/[0-9]{1,19})?$" }),
        "L" => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{0,64}$" }),
        "SPAN" => json!({
            "type": "string",
            "description": "A duration: 90s, 30m, 6h or 2d",
            "pattern": "^[1-9][0-9]{0,4}[smhd]$",
            "examples": ["90s", "2h"],
        }),
        "ID" => json!({
            "type": "string",
            "pattern": "^[A-Za-z0-9_.]{1,24}-[1-9][0-9]{0,17}$",
            "examples": ["mail-1234"],
        }),
        "CURSOR" => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{16,100}$" }),
        "TIME" => json!({
            "type": "string",
            "description": "RFC 3339, a date, a date and time in the server's zone, @ and Unix seconds, or \
                a phrase such as now, yesterday or 2 hours ago",
            "anyOf": [
                { "format": "date-time" },
                { "format": "date" },
                { "pattern": "^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$" },
                { "pattern": "^@([0-9]{1,11}|-[0-9]{1,10})$" },
                { "enum": ["now", "today", "yesterday", "tomorrow"] },
                { "pattern": "^[0-9]{1,3} (second|minute|hour|day|week|month|year)s? ago$" },
            ],
            "examples": ["2025-10-09T08:53:20Z", "2025-10-09", "@1760000000", "yesterday", "2 hours ago"],
        }),
        _ => json!({ "type": "string" }),
    }
}

/// The paths that are no questions.
fn others(generator: &mut SchemaGenerator, all: &mut Map<String, Value>) {
    let text = json!({ "type": "string" });
    let object = json!({ "type": "object" });
    let status = json!({
        "type": "object",
        "properties": { "status": { "type": "string" } },
        "required": ["status"],
    });
    let index = json!({
        "type": "object",
        "required": ["description", "questions"],
        "properties": {
            "description": text,
            "questions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["path", "what"],
                    "properties": { "path": text, "what": text },
                },
            },
        },
    });
    let error = generator.subschema_for::<DecodeError>();
    let (json, metrics) = ("application/json", Exposition::OpenMetrics.content_type());
    let answer = |description: &str, content_type: &str, schema: &Value| json!({ "description": description, "content": { content_type: { "schema": schema } } });
    let mut add = |path: &str, id: &str, what: &str, content_type: &str, schema: &Value| {
        // They need no token.
        let is_health = *schema == status;
        let mut responses = Map::new();
        let description = if is_health { "Yes" } else { what };
        responses.insert("200".to_owned(), answer(description, content_type, schema));
        refer(&mut responses, |status| {
            !is_health || !matches!(status, 401 | 403 | 413 | 429)
        });
        let mut get = Map::new();
        get.insert("operationId".to_owned(), id.into());
        get.insert("summary".to_owned(), what.into());
        if is_health {
            let ill = json!({ "anyOf": [status, error] });
            responses.insert("503".to_owned(), answer("No", json, &ill));
            get.insert("security".to_owned(), json!([]));
        }
        get.insert("responses".to_owned(), responses.into());
        all.insert(path.to_owned(), json!({ "get": get }));
    };
    let what = "The questions that can be asked";
    add(INDEX, "index", what, json, &index);
    add(PATH, "openapi", "This description", json, &object);
    let what = "Figures for Prometheus";
    add("/metrics", "metrics", what, metrics, &text);
    let what = "Whether events can be kept";
    add("/healthz", "healthz", what, json, &status);
    let what = "Whether calls should be sent here";
    add("/readyz", "readyz", what, json, &status);
}

/// Adds the refusals whose status `of` accepts.
fn refer(responses: &mut Map<String, Value>, of: impl Fn(u16) -> bool) {
    for (status, ..) in REFUSALS.iter().filter(|(status, ..)| of(*status)) {
        let refusal = json!({ "$ref": format!("#/components/responses/Refused{status}") });
        responses.insert(status.to_string(), refusal);
    }
}

fn refusals(error: &Schema) -> Value {
    let refusal = |(status, what, sent): &(u16, &str, &[&str])| {
        let refusal = json!({
            "description": what,
            "headers": named(sent),
            "content": { "application/json": { "schema": error } },
        });
        (format!("Refused{status}"), refusal)
    };
    REFUSALS.iter().map(refusal).collect::<Map<_, _>>().into()
}

fn named(headers: &[&str]) -> Value {
    let refer = |name: &&str| {
        let header = json!({ "$ref": format!("#/components/headers/{name}") });
        ((*name).to_owned(), header)
    };
    headers.iter().map(refer).collect::<Map<_, _>>().into()
}

fn headers() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "Allow": { "description": "The methods that are allowed here", "schema": text },
        "ETag": { "description": "Identifies this version of the answer; absent if the answer depends on the present moment", "schema": text },
        "Link": { "description": "The next page, with rel=\"next\", if there is more; in the trailer of a streamed answer", "schema": text },
        "Profiletrail-Note": { "description": "Notes on the answer; in the trailer of a streamed one", "schema": text },
        "Retry-After": { "description": "Seconds to wait before asking again", "schema": { "type": "integer", "minimum": 0 } },
        "WWW-Authenticate": { "description": "How to authenticate", "schema": text },
    })
}

fn damage() -> Value {
    json!({
        "description": "Events that belong to the answer but cannot be read; after all other lines",
        "type": "object",
        "properties": { "damage": { "type": "array", "items": { "type": "string" } } },
        "required": ["damage"],
        "additionalProperties": false,
    })
}
