//! The variables of a body: names with brackets, as PHP reads them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::body::BodyKind;
use super::charset::Charset;
use super::error::DecodeError;
use super::form::{FormPair, FormText, form_pairs};
use super::json::json_variables;
use super::key::parse_number;

/// The most pairs of one body.
pub(super) const MAX_PAIRS: usize = 10_000;

/// One `name=value` or `name[key]=value`. In a form, only the name and the key are
/// decoded at once.
#[derive(Debug)]
pub(super) struct Variable<'a> {
    /// The name up to the first `[`, or the whole name if no bracket closes.
    pub name: Cow<'a, str>,
    /// The content of the first pair of brackets, followed by the deeper brackets.
    pub key: Option<Cow<'a, str>>,
    /// Where the content of the last pair of brackets begins in the key.
    last_bracket: Option<usize>,
    full_name: Text<'a>,
    value: Text<'a>,
}

/// A text, or a part of a form that is not decoded yet.
#[derive(Debug)]
enum Text<'a> {
    Decoded(Cow<'a, str>),
    Form(Charset, FormText<'a>),
}

impl<'a> Text<'a> {
    fn decode(self) -> Cow<'a, str> {
        match self {
            Self::Decoded(text) => text,
            Self::Form(charset, part) => part.decode(charset),
        }
    }
}

impl<'a> Variable<'a> {
    /// A variable by its full name.
    pub fn new(full_name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        let (name, key, last_bracket) = split_name(&full_name);
        Self {
            name,
            key,
            last_bracket,
            full_name: Text::Decoded(full_name),
            value: Text::Decoded(value),
        }
    }

    /// A variable with a key, in which the content of the last bracket begins at
    /// `last_bracket`.
    pub const fn with_key(
        name: Cow<'a, str>,
        key: Cow<'a, str>,
        last_bracket: usize,
        full_name: Cow<'a, str>,
        value: Cow<'a, str>,
    ) -> Self {
        Self {
            name,
            key: Some(key),
            last_bracket: Some(last_bracket),
            full_name: Text::Decoded(full_name),
            value: Text::Decoded(value),
        }
    }

    fn of_form(charset: Charset, pair: FormPair<'a>) -> Self {
        // In some charsets brackets are also second bytes of characters.
        let split = charset.is_utf8().then(|| pair.name.split_name()).flatten();
        let (name, key, last_bracket) = match split {
            Some((name, key)) => (
                name.decode(charset),
                key.map(|key| key.decode(charset)),
                key.map(|_| 0),
            ),
            None => split_name(&pair.name.decode(charset)),
        };
        Self {
            name,
            key,
            last_bracket,
            full_name: Text::Form(charset, pair.name),
            value: Text::Form(charset, pair.value),
        }
    }

    /// The value, never trimmed.
    pub fn into_value(self) -> Cow<'a, str> {
        self.value.decode()
    }

    pub fn into_key_and_value(self) -> (Cow<'a, str>, Cow<'a, str>) {
        (self.key.unwrap_or_default(), self.value.decode())
    }

    /// The name with all its brackets, and the value.
    pub fn into_full_name_and_value(self) -> (Cow<'a, str>, Cow<'a, str>) {
        (self.full_name.decode(), self.value.decode())
    }
}

/// The next number of each array, for names whose last brackets are empty.
#[derive(Default)]
pub(super) struct NextNumbers(HashMap<String, u64>);

impl NextNumbers {
    /// Fills an empty last bracket with the next number, as PHP does: the one
    /// after the highest before. Returns whether there was an empty one.
    pub fn number(&mut self, variable: &mut Variable<'_>) -> bool {
        let (Some(key), Some(start)) = (&mut variable.key, variable.last_bracket) else {
            return false;
        };
        // A number with deeper brackets counts in its own array.
        let mut begin = 0;
        while let Some(len) = key
            .get(begin..start)
            .and_then(|rest| rest.find(if begin == 0 { '[' } else { ']' }))
        {
            let end = begin + len;
            if let (Some(before), Some(number)) = (
                key.get(..begin),
                key.get(begin..end).and_then(canonical_number),
            ) {
                let next = self.0.entry(format!("{}[{before}", variable.name));
                let next = next.or_default();
                *next = (*next).max(number.saturating_add(1));
            }
            let skipped = if begin == 0 { 1 } else { 2 };
            begin = end + skipped;
        }
        let (before, inside) = key.split_at(start);
        let inside = inside
            .strip_suffix(']')
            .filter(|_| start > 0)
            .unwrap_or(inside);
        let number = canonical_number(inside);
        if !inside.is_empty() && number.is_none() {
            return false;
        }
        let next = self.0.entry(format!("{}[{before}", variable.name));
        let next = next.or_default();
        if let Some(number) = number {
            *next = (*next).max(number.saturating_add(1));
            return false;
        }
        let close = if start > 0 { "]" } else { "" };
        *key = Cow::Owned(format!("{before}{next}{close}"));
        let full = std::mem::replace(&mut variable.full_name, Text::Decoded(Cow::Borrowed("")));
        let full = full.decode();
        let full = full.strip_suffix("[]").unwrap_or(&full);
        variable.full_name = Text::Decoded(Cow::Owned(format!("{full}[{next}]")));
        *next = next.saturating_add(1);
        true
    }
}

/// A number as PHP writes the keys of an array.
pub(super) fn canonical_number(text: &str) -> Option<u64> {
    parse_number(text).filter(|_| text.len() == 1 || !text.starts_with('0'))
}

/// Passes the variables of a call's body on in the order sent; none of a body of
/// another kind.
///
/// # Errors
/// The body is not JSON, or has too many pairs: those before it were passed on.
pub(super) fn each_variable<'a>(
    kind: BodyKind,
    body: &'a [u8],
    each: impl FnMut(Variable<'a>),
) -> Result<(), DecodeError> {
    match kind {
        BodyKind::Form => each_of_form(Charset::UTF_8, body, each)?,
        BodyKind::FormIn(charset) => each_of_form(charset, body, each)?,
        BodyKind::Json => json_variables(Charset::UTF_8, body)?
            .into_iter()
            .for_each(each),
        BodyKind::JsonIn(charset) => json_variables(charset, body)?.into_iter().for_each(each),
        BodyKind::Content | BodyKind::Observed | BodyKind::Gone => {}
    }
    Ok(())
}

/// The error for a body with more pairs than are read.
pub(super) fn too_many_pairs() -> DecodeError {
    DecodeError::new(
        format!("more than {MAX_PAIRS} variables"),
        format!("pair {}", MAX_PAIRS + 1),
    )
}

fn each_of_form<'a>(
    charset: Charset,
    body: &'a [u8],
    mut each: impl FnMut(Variable<'a>),
) -> Result<(), DecodeError> {
    let mut numbers = NextNumbers::default();
    for pair in form_pairs(body) {
        let mut variable = Variable::of_form(charset, pair?);
        numbers.number(&mut variable);
        each(variable);
    }
    Ok(())
}

/// A form body in UTF-8, reduced to the variables that changes of the wanted fields and
/// interests depend on. Only the first of the other fields is kept, to show that some
/// were sent.
pub fn narrow_form(body: &[u8], wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut narrowed = Vec::new();
    let mut fields = false;
    let mut numbers = NextNumbers::default();
    for pair in form_pairs(body).map_while(Result::ok) {
        let mut variable = Variable::of_form(Charset::UTF_8, pair);
        let numbered = numbers.number(&mut variable);
        let kept = match (variable.name.as_ref(), &variable.key) {
            ("fields", Some(key)) => !std::mem::replace(&mut fields, true) || wanted(key),
            ("parameters", Some(key)) => wanted(key),
            ("interests", Some(_)) => true,
            _ => false,
        };
        if !kept {
            continue;
        }
        if numbered {
            // Among fewer others it would get another number.
            let full_name = variable.full_name.decode();
            let encoded = form_urlencoded::byte_serialize(full_name.as_bytes());
            encoded.for_each(|part| narrowed.extend_from_slice(part.as_bytes()));
        } else {
            narrowed.extend_from_slice(pair.name.as_bytes());
        }
        narrowed.push(b'=');
        narrowed.extend_from_slice(pair.value.as_bytes());
        narrowed.push(b'&');
    }
    narrowed
}

/// Splits a variable's full name into its name, its key, and the place in the
/// key where the content of the last bracket begins.
///
/// The first pair of brackets is matched by depth, so that a field whose own name has
/// brackets is read as it was: `fields[a[b]]` is the field `a[b]`, as is `fields[a][b]`.
/// Unbalanced brackets end at the first `]`; a name without a closing bracket is not
/// split.
fn split_name<'a>(full: &Cow<'a, str>) -> (Cow<'a, str>, Option<Cow<'a, str>>, Option<usize>) {
    let whole = || (full.clone(), None, None);
    let Some((name, rest)) = full.split_once('[') else {
        return whole();
    };
    let Some(end) = matching_bracket(rest).or_else(|| rest.find(']')) else {
        return whole();
    };
    let (inside, after) = rest.split_at(end);
    let after = after.get(1..).unwrap_or_default();
    let last_bracket = match after.strip_suffix(']').and_then(|after| after.rfind('[')) {
        Some(open) => Some(inside.len() + open + 1),
        None => after.is_empty().then_some(0),
    };
    (
        Cow::Owned(name.to_owned()),
        Some(Cow::Owned([inside, after].concat())),
        last_bracket,
    )
}

/// The position of the `]` that closes the bracket opened before `rest`.
fn matching_bracket(rest: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (position, byte) in rest.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(position);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
