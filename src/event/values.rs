//! The values that a body can give some fields, without the rest of it.
//!
//! A body is read for them by the million, so of a form only the names are
//! looked at and the values that are wanted decoded. It tells no less than what
//! a replay makes of the event, whatever its type, and more where that type
//! changes nothing: what is told is to be confirmed.

use std::borrow::Cow;

use super::body::BodyKind;
use super::decode::decode_content;
use super::error::DecodeError;
use super::variable::each_form_variable;

/// What a body says of one field.
#[derive(Clone, Debug, Default)]
struct Said<'a> {
    field: Option<Cow<'a, str>>,
    parameter: Option<Cow<'a, str>>,
}

/// Hands the value that a body can give each of some fields to `each`, with the
/// field's place among their `names`: that of its `fields`; where it has no
/// fields at all, that of its `parameters`, which are laid over the state.
///
/// # Errors
/// The body cannot be read.
pub fn values_of<'a, N: AsRef<str>>(
    kind: BodyKind,
    body: &'a [u8],
    names: &[N],
    mut each: impl FnMut(usize, Cow<'a, str>),
) -> Result<(), DecodeError> {
    let mut said = vec![Said::default(); names.len()];
    let mut fields = false;
    if kind == BodyKind::Form {
        each_form_variable(body, |variable| {
            let of_fields = variable.name == "fields";
            if !of_fields && variable.name != "parameters" {
                return Ok(());
            }
            let Some(key) = &variable.key else {
                return Ok(());
            };
            fields |= of_fields;
            let named = names.iter().position(|name| name.as_ref() == key);
            if let Some(said) = named.and_then(|place| said.get_mut(place)) {
                // The last one wins, as everywhere.
                let value = Some(variable.into_value());
                if of_fields {
                    said.field = value;
                } else {
                    said.parameter = value;
                }
            }
            Ok(())
        })?;
    } else {
        let content = decode_content(kind, body)?;
        fields = !content.fields.is_empty();
        for (said, name) in said.iter_mut().zip(names) {
            said.field = content.fields.get(name.as_ref()).cloned();
            said.parameter = content.parameters.get(name.as_ref()).cloned();
        }
    }
    for (place, said) in said.into_iter().enumerate() {
        let value = if fields { said.field } else { said.parameter };
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
    fn fields_count_and_parameters_where_there_are_none() {
        let form = |body| read(BodyKind::Form, body);
        assert_eq!(
            form(
                "fields[mail]=x&fields%5Bmail%5D=y%40z&parameters[mail]=p&fields[a][b]=%ff&mail=no"
            ),
            [(0, "y@z".to_owned()), (1, "\u{fffd}".to_owned())]
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
