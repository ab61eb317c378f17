//! The fuzz target of decoding.

#![allow(
    clippy::expect_used,
    reason = "a broken promise must end the run of a target"
)]

use serde_json::{Map, Value, json};

use super::decode::SCALARS;
use super::variable::{Variable, each_variable};
use super::{
    BodyKind, Charset, Content, DecodeError, Interests, Zone, decode_content, decode_envelope,
    narrow_form, seconds_in_range,
};

/// Decodes a body. Its first byte chooses the kind, the zone and the charset.
///
/// Invariants: nothing panics; an error has its reason and its place; a time can be
/// printed; the content survives a round trip through JSON; and every shortcut for forms
/// gives the same result as the full decoder.
pub fn decoder(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let zone = match choice / 3 % 4 {
        0 => chrono_tz::Europe::Amsterdam,
        1 => chrono_tz::UTC,
        2 => chrono_tz::America::New_York,
        _ => chrono_tz::Pacific::Apia,
    };
    let label = ["utf-8", "iso-8859-1", "shift_jis"];
    let charset = label.get(usize::from(choice / 12)).copied();
    let charset = charset.and_then(Charset::from_label);
    let kind = match (choice % 3, charset.filter(|charset| !charset.is_utf8())) {
        (0, None) => BodyKind::Form,
        (0, Some(charset)) => BodyKind::FormIn(charset),
        (1, None) => BodyKind::Json,
        (1, Some(charset)) => BodyKind::JsonIn(charset),
        _ => BodyKind::Content,
    };
    match decode_envelope(kind, body, zone) {
        Ok(envelope) => {
            assert!(envelope.profile.is_some() || envelope.subprofile.is_some());
            let (seconds, _) = envelope.time_or(0);
            assert!(seconds_in_range(seconds), "{seconds} cannot be printed");
        }
        Err(error) => check_error(&error),
    }
    match decode_content(kind, body) {
        Ok(content) => {
            let kept = serde_json::to_vec(&content).expect("content is JSON");
            let again = decode_content(BodyKind::Content, &kept);
            assert_eq!(again.as_ref(), Ok(&content), "kept as JSON");
            if kind == BodyKind::Form {
                form(body, &content, zone);
            }
        }
        Err(error) => check_error(&error),
    }
}

fn check_error(error: &DecodeError) {
    assert!(!error.reason.is_empty() && !error.place.is_empty());
}

/// The invariants of a readable form.
fn form(body: &[u8], content: &Content<'_>, zone: Zone) {
    let mut scalars = Map::new();
    let mut independent = form_urlencoded::parse(body);
    let each = |variable: Variable<'_>| {
        let scalar = variable.key.is_none();
        let pair = variable.into_full_name_and_value();
        let other = independent.next().expect("as many pairs");
        // The standard replaces invalid bytes, and knows no arrays.
        let replaced = other.0.contains('\u{fffd}') || other.1.contains('\u{fffd}');
        if !replaced && !other.0.ends_with("[]") {
            assert_eq!(pair, other);
        }
        let (name, value) = pair;
        if scalar && SCALARS.contains(&name.as_ref()) {
            scalars.insert(name.into_owned(), Value::String(value.into_owned()));
        }
    };
    each_variable(BodyKind::Form, body, each).expect("a form that was read");
    assert_eq!(independent.next(), None);
    if !scalars.is_empty() {
        let scalars = Value::Object(scalars).to_string();
        assert_eq!(
            decode_envelope(BodyKind::Form, body, zone),
            decode_envelope(BodyKind::Json, scalars.as_bytes(), zone),
            "the envelope read from all variables"
        );
    }

    for wanted in [|_: &str| true, |name: &str| name.len() % 2 == 1] {
        let narrowed = narrow_form(body, wanted);
        let narrow = decode_content(BodyKind::Form, &narrowed).expect("a part of what was read");
        assert_eq!(narrow.interests, content.interests);
        assert_eq!(narrow.fields.is_empty(), content.fields.is_empty());
        for (all, few) in [
            (&content.fields, &narrow.fields),
            (&content.parameters, &narrow.parameters),
        ] {
            for (name, value) in all.iter().filter(|(name, _)| wanted(name)) {
                assert_eq!(few.get(name), Some(value), "{name:?} of a narrowed form");
            }
        }
    }

    if let Some(body) = as_json(content) {
        // JSON repeats no names, so it may have less room than the form had.
        if let Ok(read) = decode_content(BodyKind::Json, body.as_bytes()) {
            assert_eq!(&read, content, "sent as JSON");
        }
    }
}

/// The JSON body of this content; `None` where two variables would need one name.
fn as_json(content: &Content<'_>) -> Option<String> {
    let mut body = Map::new();
    for (name, value) in content.extra.iter() {
        body.insert(name.to_string(), json!(value));
    }
    let taken = ["parameters", "fields", "interests"];
    if taken.iter().any(|name| body.contains_key(*name)) {
        return None;
    }
    body.insert("parameters".to_owned(), json!(content.parameters));
    body.insert("fields".to_owned(), json!(content.fields));
    body.insert(
        "interests".to_owned(),
        match &content.interests {
            None => Value::Null,
            Some(Interests::List(names)) => json!(names),
            Some(Interests::Map(map)) => json!(map),
        },
    );
    for (name, value) in [
        ("created", &content.created),
        ("modified", &content.modified),
    ] {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    Some(Value::Object(body).to_string())
}
