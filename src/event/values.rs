//! The values that a body can set some fields to, without the rest of it.
//!
//! Millions of bodies are read for them, so only the wanted values are decoded. They
//! include all values that a replay of the event can set, and more if the event's type
//! changes nothing: callers confirm them.

use std::borrow::Cow;

use super::body::BodyKind;
use super::decode::decode_content;
use super::error::DecodeError;
use super::variable::each_variable;

/// The value of one field in a body.
#[derive(Clone, Debug, Default)]
struct Sent<'a> {
    field: Option<Cow<'a, str>>,
    parameter: Option<Cow<'a, str>>,
}

/// Passes the value that a body can set each of some fields to on to `each`, with
/// the field's place among their `names`: that of its `fields`, or if it has no
/// fields at all, that of its `parameters`, which are merged into the state.
///
/// # Errors
/// The body cannot be read.
pub fn values_of<'a, N: AsRef<str>>(
    kind: BodyKind,
    body: &'a [u8],
    names: &[N],
    mut each: impl FnMut(usize, Cow<'a, str>),
) -> Result<(), DecodeError> {
    let mut sent = vec![Sent::default(); names.len()];
    let mut has_fields = false;
    if kind.is_as_sent() {
        each_variable(kind, body, |variable| {
            let is_field = variable.name == "fields";
            let Some(key) = &variable.key else { return };
            if !is_field && variable.name != "parameters" {
                return;
            }
            has_fields |= is_field;
            let place = names.iter().position(|name| name.as_ref() == key);
            if let Some(sent) = place.and_then(|place| sent.get_mut(place)) {
                // The last one wins, as everywhere.
                let value = Some(variable.into_value());
                if is_field {
                    sent.field = value;
                } else {
                    sent.parameter = value;
                }
            }
        })?;
    } else {
        let content = decode_content(kind, body)?;
        has_fields = !content.fields.is_empty();
        for (sent, name) in sent.iter_mut().zip(names) {
            sent.field = content.fields.get(name.as_ref()).cloned();
            sent.parameter = content.parameters.get(name.as_ref()).cloned();
        }
    }
    for (place, sent) in sent.into_iter().enumerate() {
        let value = if has_fields {
            sent.field
        } else {
            sent.parameter
        };
        if let Some(value) = value {
            each(place, value);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(kind: BodyKind, body: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        values_of(kind, body.as_bytes(), &["mail", "a[b]"], |place, value| {
            found.push((place, value.into_owned()));
        })
        .unwrap();
        found
    }

    #[test]
    fn fields_count_or_else_parameters() {
        let form = |body| read(BodyKind::Form, body);
        assert_eq!(
            form(
                "fields[mail]=x&fields%5Bmail%5D=y%40z&parameters[mail]=p&fields[a][b]=%ff&mail=no"
            ),
            [(0, "y@z".to_owned()), (1, "ÿ".to_owned())]
        );
        assert_eq!(form("fields[city]=x&parameters[mail]=p"), []);
        assert_eq!(form("parameters[mail]=&x=1"), [(0, String::new())]);
        assert_eq!(form("fields=x&parameters[mail]=p"), [(0, "p".to_owned())]);
        let json = |body| read(BodyKind::Json, body);
        assert_eq!(
            json(r#"{"fields":{"mail":1,"a":{"b":true}}}"#),
            [(0, "1".to_owned()), (1, "1".to_owned())]
        );
        assert_eq!(
            json(r#"{"fields":[],"parameters":{"mail":"p"}}"#),
            [(0, "p".to_owned())]
        );
        assert!(values_of(BodyKind::Json, b"[]", &["mail"], |_, _| ()).is_err());
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_content(
            pairs in proptest::collection::vec(
                ("(fields|parameters|interests)(\\[|%5[Bb])(mail|a\\[b|c)?(\\]|%5[Dd])?|fields|mail", "[a%+0-9]{0,6}"),
                0..8,
            )
        ) {
            let body: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let body = body.join("&");
            let content = decode_content(BodyKind::Form, body.as_bytes()).unwrap();
            let from = if content.fields.is_empty() { &content.parameters } else { &content.fields };
            let expected: Vec<_> = ["mail", "a[b]"]
                .iter()
                .enumerate()
                .filter_map(|(place, name)| Some((place, from.get(name)?.to_string())))
                .collect();
            prop_assert_eq!(read(BodyKind::Form, &body), expected);
        }
    }
}
