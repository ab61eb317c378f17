//! The committed schemas: they are those of the code, and no change of the code may
//! break a program that was written against them.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::support::Cli;

/// The committed files, and how they are made.
const FILES: [(&str, &[&str]); 2] = [
    ("docs/schema/lines.json", &["schema"]),
    ("docs/schema/openapi.json", &["schema", "--openapi"]),
];

/// The kinds of value that a schema allows.
fn kinds(schema: &Value) -> Vec<String> {
    let mut kinds = Vec::new();
    match &schema["type"] {
        Value::String(kind) => kinds.push(kind.clone()),
        Value::Array(several) => {
            kinds.extend(several.iter().map(|kind| kind.as_str().unwrap().to_owned()))
        }
        _ => {}
    }
    kinds.extend(schema["$ref"].as_str().map(str::to_owned));
    for list in ["anyOf", "oneOf"] {
        for one in schema[list].as_array().into_iter().flatten() {
            kinds.extend(self::kinds(one));
        }
    }
    kinds
}

fn names(required: &Value) -> Vec<&str> {
    let names = required.as_array().into_iter().flatten();
    names.map(|name| name.as_str().unwrap()).collect()
}

/// Adds what a reader of the old schema may rely on, and the new one does not give.
fn compare(place: &str, old: &Value, new: &Value, breaks: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => compare_objects(place, old, new, breaks),
        // Parameters have names; alternatives have places.
        (Value::Array(olds), Value::Array(news)) => {
            for (number, old) in olds.iter().enumerate() {
                let name = old["name"].as_str();
                let same = |new: &&Value| name.is_some() && new["name"].as_str() == name;
                let new = news.iter().find(same).or(match name {
                    None => news.get(number),
                    Some(_) => None,
                });
                let place = format!("{place}/{}", name.unwrap_or(&number.to_string()));
                compare(&place, old, new.unwrap_or(&Value::Null), breaks);
            }
        }
        (Value::Object(_) | Value::Array(_), _) => breaks.push(format!("{place} is gone")),
        _ => {}
    }
}

fn compare_objects(
    place: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    breaks: &mut Vec<String>,
) {
    for name in names(old.get("required").unwrap_or(&Value::Null)) {
        // Of a question it is what must be asked.
        let required = names(new.get("required").unwrap_or(&Value::Null));
        if !required.contains(&name) {
            breaks.push(format!("{place}: {name} is no longer required"));
        }
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) =
        (old.get("properties"), new.get("properties"))
    {
        for (name, old) in old {
            let Some(new) = new.get(name) else {
                breaks.push(format!("{place}: {name} is gone"));
                continue;
            };
            let allowed = kinds(old);
            let mut found = kinds(new);
            if found.is_empty() && !allowed.is_empty() {
                found.push("anything".to_owned());
            }
            for kind in found.iter().filter(|kind| !allowed.contains(kind)) {
                breaks.push(format!("{place}: {name} can be {kind}"));
            }
        }
    }
    for (key, old) in old {
        let texts = matches!(key.as_str(), "required" | "enum" | "examples" | "type");
        if !texts {
            let new = new.get(key).unwrap_or(&Value::Null);
            compare(&format!("{place}/{key}"), old, new, breaks);
        }
    }
}

fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut breaks = Vec::new();
    compare("", old, new, &mut breaks);
    breaks
}

#[test]
fn the_committed_schemas_are_those_of_the_code_and_nothing_breaks_a_reader() {
    for (file, args) in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let old = fs::read_to_string(&path).unwrap_or_default();
        let new = Cli::bare(args).run().ok();
        let [promised, given] = [&old, &new].map(|text| serde_json::from_str(text).unwrap());
        let found: Vec<String> = breaks(&promised, &given);
        assert!(
            found.is_empty(),
            "programs that read answers would break:\n{}",
            found.join("\n")
        );
        let command = args.join(" ");
        assert!(old == new, "run: profiletrail {command} > {file}");
    }
    // Of one command, with all that it refers to.
    let one = Cli::bare(&["schema", "rejected --retry"]).run().ok();
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(
        one["anyOf"],
        json!([{ "$ref": "#/$defs/rejected%20--retry" }])
    );
    assert!(one["$defs"]["rejected --retry"].is_object());
    let said = Cli::bare(&["schema", "histroy"]).run().failed(2);
    assert!(said.contains("did you mean history?"), "{said}");
}

#[test]
fn what_would_break_a_reader_is_found() {
    let old = json!({ "$defs": {
        "Line": {
            "type": "object",
            "properties": {
                "seq": { "type": "integer" },
                "label": { "type": ["string", "null"] },
                "cause": { "$ref": "#/$defs/Cause" },
            },
            "required": ["seq", "label"],
        },
        "Cause": { "type": "string" },
    } });
    assert_eq!(breaks(&old, &old), [""; 0]);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        change(&mut new["$defs"]["Line"]);
        breaks(&old, &new)
    };
    // More of it, or less that can be, breaks nothing.
    let more = changed(&|line| {
        line["properties"]["new"] = json!({ "type": "string" });
        line["properties"]["label"] = json!({ "type": "string" });
        line["required"] = json!(["new", "label", "seq"]);
    });
    assert_eq!(more, [""; 0]);
    let removed =
        changed(&|line| drop(line["properties"].as_object_mut().unwrap().remove("cause")));
    assert!(
        removed.iter().any(|found| found.ends_with("cause is gone")),
        "{removed:?}"
    );
    for (to, expected) in [
        (json!({ "type": "string" }), "seq can be string"),
        (json!({ "type": ["integer", "null"] }), "seq can be null"),
        (
            json!({ "anyOf": [{ "type": "integer" }, { "$ref": "#/x" }] }),
            "seq can be #/x",
        ),
    ] {
        let found = changed(&|line| line["properties"]["seq"] = to.clone());
        assert!(found[0].ends_with(expected), "{found:?}");
    }
    let absent = changed(&|line| line["required"] = json!(["seq"]));
    assert_eq!(absent, ["/$defs/Line: label is no longer required"]);
    let mut without = old.clone();
    without["$defs"].as_object_mut().unwrap().remove("Cause");
    assert_eq!(breaks(&old, &without), ["/$defs/Cause is gone"]);
}
