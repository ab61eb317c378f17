//! JSON bodies, read as PHP's form encoder would have sent them.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::charset::Charset;
use super::error::DecodeError;
use super::variable::{MAX_PAIRS, NextNumbers, Variable, too_many_pairs};

/// A form repeats its names with every pair, JSON does not: so the variables of
/// a body, with names, keys, full names and values together, may have this many
/// bytes for each byte of the body, and [`BYTES_EXTRA`] more.
const BYTES_PER_BYTE: usize = 4;

/// See [`BYTES_PER_BYTE`].
const BYTES_EXTRA: usize = 64 << 10;

/// The variables of a JSON body, in the order sent.
///
/// Arrays count as objects with the keys 0, 1, 2, …; `null` and empty arrays
/// send nothing, `true` is `1` and `false` is `0`, as with `http_build_query`.
pub(super) fn json_variables(
    charset: Charset,
    body: &[u8],
) -> Result<Vec<Variable<'static>>, DecodeError> {
    let text = charset.decode_json(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let value: Value = serde_json::from_str(text).map_err(|error| {
        DecodeError::new(
            format!("the body is not JSON: {error}"),
            format!("line {} column {}", error.line(), error.column()),
        )
    })?;
    let Value::Object(variables) = value else {
        return Err(DecodeError::new(
            "the body is not a JSON object",
            "line 1 column 1",
        ));
    };
    let mut flat = Flat {
        variables: Vec::new(),
        numbers: NextNumbers::default(),
        room: BYTES_PER_BYTE * text.len() + BYTES_EXTRA,
    };
    flat.top_level(variables)?;
    Ok(flat.variables)
}

struct Flat {
    variables: Vec<Variable<'static>>,
    numbers: NextNumbers,
    /// How many more bytes the pairs may have.
    room: usize,
}

impl Flat {
    fn top_level(&mut self, variables: Map<String, Value>) -> Result<(), DecodeError> {
        for (name, value) in variables {
            match scalar(&value) {
                Some(text) => {
                    // Name and key together are no longer than the full name.
                    self.take_room(2 * name.len() + text.len())?;
                    self.push(Variable::new(Cow::Owned(name), Cow::Owned(text)));
                }
                None => {
                    let mut full = name.clone();
                    for (mut key, value) in members(value) {
                        push_bracketed(&mut full, &key);
                        self.nested(&name, &mut key, 0, &mut full, value)?;
                        full.truncate(name.len());
                    }
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, mut variable: Variable<'static>) {
        self.numbers.number(&mut variable);
        self.variables.push(variable);
    }

    /// Adds the value at a key; the content of its last bracket begins at `last_bracket`.
    /// `key` and `full` are as before afterwards: they are only copied for variables for
    /// which there is room.
    ///
    /// serde_json refuses JSON deeper than 128 levels, so the recursion ends.
    fn nested(
        &mut self,
        name: &str,
        key: &mut String,
        last_bracket: usize,
        full: &mut String,
        value: Value,
    ) -> Result<(), DecodeError> {
        if let Some(text) = scalar(&value) {
            self.take_room(name.len() + key.len() + full.len() + text.len())?;
            self.push(Variable::with_key(
                Cow::Owned(name.to_owned()),
                Cow::Owned(key.clone()),
                last_bracket,
                Cow::Owned(full.clone()),
                Cow::Owned(text),
            ));
            return Ok(());
        }
        let (key_len, full_len) = (key.len(), full.len());
        for (deeper, value) in members(value) {
            push_bracketed(key, &deeper);
            push_bracketed(full, &deeper);
            self.nested(name, key, key_len + 1, full, value)?;
            key.truncate(key_len);
            full.truncate(full_len);
        }
        Ok(())
    }

    /// Fails if one more variable of this many bytes would exceed the limits.
    fn take_room(&mut self, len: usize) -> Result<(), DecodeError> {
        if self.variables.len() >= MAX_PAIRS {
            return Err(too_many_pairs());
        }
        self.room = self.room.checked_sub(len).ok_or_else(|| {
            DecodeError::new(
                "the variables' names are too long to be repeated this often",
                format!("pair {}", self.variables.len() + 1),
            )
        })?;
        Ok(())
    }
}

fn push_bracketed(name: &mut String, key: &str) {
    name.push('[');
    name.push_str(key);
    name.push(']');
}

/// The form value of a scalar; `None` for arrays, objects and `null`.
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
        let variables = json_variables(Charset::UTF_8, body.as_bytes())?.into_iter();
        let pairs = variables.map(Variable::into_full_name_and_value);
        Ok(pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect())
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
        assert_eq!(
            read("\u{feff}{\"a\":1}").unwrap(),
            [("a".into(), "1".into())]
        );
    }

    #[test]
    fn a_long_name_is_not_repeated_without_end() {
        let name = "k".repeat(100 << 10);
        let body = |value: &str| format!(r#"{{"type":"update","profile":1,"{name}":{value}}}"#);
        let ones = format!("[1{}]", ",1".repeat(8_999));
        let error = read(&body(&ones)).unwrap_err();
        // Each pair has the name twice: two fit into four bodies and 64 KiB.
        assert_eq!(error.place, "pair 5");
        let error = read(&body(&format!(r#"{{"{name}":{ones}}}"#))).unwrap_err();
        assert_eq!(error.place, "pair 5");
        assert_eq!(read(&body("[1,1]")).unwrap().len(), 4);
        let nulls = format!("[null{},1]", ",null".repeat(8_999));
        assert_eq!(read(&body(&nulls)).unwrap().len(), 3);
    }

    #[test]
    fn a_body_that_is_no_object_is_refused_with_its_place() {
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
