//! JSON bodies, read as PHP's form encoder would have sent them.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::error::DecodeError;
use super::variable::{MAX_PAIRS, Variable, too_many_pairs};

/// Calls `each` with every variable of a JSON body, in the order sent.
///
/// Arrays count as objects with the keys 0, 1, 2, …; `null` and empty arrays
/// send nothing, `true` is `1` and `false` is `0`, as with `http_build_query`.
pub(super) fn each_json_variable(
    body: &[u8],
    mut each: impl FnMut(Variable<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    // Bytes that are no UTF-8 show as U+FFFD, as in a form.
    let text = String::from_utf8_lossy(body);
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        DecodeError::new(
            format!("the body is no JSON: {error}"),
            format!("line {} column {}", error.line(), error.column()),
        )
    })?;
    let Value::Object(variables) = value else {
        return Err(DecodeError::new(
            "the body is no JSON object",
            "line 1 column 1",
        ));
    };
    let mut flat = Flat { pairs: Vec::new() };
    flat.top_level(variables)?;
    flat.pairs.into_iter().try_for_each(&mut each)
}

struct Flat {
    pairs: Vec<Variable<'static>>,
}

impl Flat {
    fn top_level(&mut self, variables: Map<String, Value>) -> Result<(), DecodeError> {
        for (name, value) in variables {
            match scalar(&value) {
                Some(text) => self.push(Variable::new(Cow::Owned(name), Cow::Owned(text)))?,
                None => {
                    for (key, value) in members(value) {
                        self.nested(&name, key.clone(), &format!("{name}[{key}]"), value)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// serde_json refuses JSON deeper than 128 levels, so the recursion ends.
    fn nested(
        &mut self,
        name: &str,
        key: String,
        full: &str,
        value: Value,
    ) -> Result<(), DecodeError> {
        match scalar(&value) {
            Some(text) => self.push(Variable {
                name: Cow::Owned(name.to_owned()),
                key: Some(Cow::Owned(key)),
                full_name: Cow::Owned(full.to_owned()),
                value: Cow::Owned(text),
            }),
            None => members(value).try_for_each(|(deeper, value)| {
                self.nested(
                    name,
                    format!("{key}[{deeper}]"),
                    &format!("{full}[{deeper}]"),
                    value,
                )
            }),
        }
    }

    fn push(&mut self, variable: Variable<'static>) -> Result<(), DecodeError> {
        if self.pairs.len() >= MAX_PAIRS {
            return Err(too_many_pairs());
        }
        self.pairs.push(variable);
        Ok(())
    }
}

/// The form value of a scalar; `None` for what has members (and for `null`,
/// which has none).
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
        Value::Number(number) => Some(php_number(number)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn members(value: Value) -> Box<dyn Iterator<Item = (String, Value)>> {
    match value {
        Value::Array(items) => Box::new(
            items
                .into_iter()
                .enumerate()
                .map(|(number, item)| (number.to_string(), item)),
        ),
        Value::Object(map) => Box::new(map.into_iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// A number as PHP prints it: whole numbers plainly, floats with the fewest
/// digits that read back, in exponent form below 1.0E-4 and from 1.0E+15 on.
fn php_number(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let value = number.as_f64().unwrap_or(0.0);
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-5 < exponent && exponent < 15) || value == 0.0 {
        return format!("{value}");
    }
    let mantissa = if mantissa.contains('.') {
        mantissa.to_owned()
    } else {
        format!("{mantissa}.0")
    };
    format!("{mantissa}E{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<(String, String)>, DecodeError> {
        let mut pairs = Vec::new();
        each_json_variable(body.as_bytes(), |variable| {
            pairs.push((variable.full_name.into_owned(), variable.value.into_owned()));
            Ok(())
        })?;
        Ok(pairs)
    }

    #[test]
    fn reads_as_the_form_would_have_sent_it() {
        let pairs = read(
            r#"{"type":"update","profile":1,"fields":{"a":true,"b":false,"c":null,"d":1.50,"e":{"x":"y"},"f":""},
               "interests":["news","sale"],"empty":[],"big":1e25,"small":0.00001,"round":100000.0}"#,
        )
        .unwrap();
        let expected = [
            ("type", "update"),
            ("profile", "1"),
            ("fields[a]", "1"),
            ("fields[b]", "0"),
            ("fields[d]", "1.5"),
            ("fields[e][x]", "y"),
            ("fields[f]", ""),
            ("interests[0]", "news"),
            ("interests[1]", "sale"),
            ("big", "1.0E+25"),
            ("small", "1.0E-5"),
            ("round", "100000"),
        ];
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        for (body, place) in [
            ("", "line 1 column 0"),
            ("[]", "line 1 column 1"),
            ("{\"a\":}", "line 1 column 6"),
        ] {
            assert_eq!(read(body).unwrap_err().place, place, "{body}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
