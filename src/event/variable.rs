//! Form variables: names with brackets, as PHP reads them.

use std::borrow::Cow;

use super::error::DecodeError;

/// The most pairs that one body may hold.
pub(super) const MAX_PAIRS: usize = 10_000;

/// One `name=value` or `name[key]=value` pair. Only the name and the key are
/// decoded at once.
#[derive(Debug)]
pub(super) struct Variable<'a> {
    /// The name up to the first `[`, or whole where no bracket closes.
    pub name: Cow<'a, str>,
    /// What stands in the first pair of brackets, deeper brackets included.
    pub key: Option<Cow<'a, str>>,
    full_name: Text<'a>,
    value: Text<'a>,
}

/// A text that is there, or bytes of a form that are still to be decoded.
#[derive(Debug)]
enum Text<'a> {
    Decoded(Cow<'a, str>),
    Raw(&'a [u8]),
}

impl<'a> Text<'a> {
    fn decode(self) -> Cow<'a, str> {
        match self {
            Self::Decoded(text) => text,
            Self::Raw(bytes) => decode(bytes),
        }
    }
}

impl<'a> Variable<'a> {
    /// A variable by its full name, of a JSON body's top level.
    pub fn new(full_name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        let (name, key) = name_and_key(&full_name);
        Self {
            name,
            key,
            full_name: Text::Decoded(full_name),
            value: Text::Decoded(value),
        }
    }

    /// A variable with a key.
    pub const fn with_key(
        name: Cow<'a, str>,
        key: Cow<'a, str>,
        full_name: Cow<'a, str>,
        value: Cow<'a, str>,
    ) -> Self {
        Self {
            name,
            key: Some(key),
            full_name: Text::Decoded(full_name),
            value: Text::Decoded(value),
        }
    }

    /// One of a form, still encoded.
    fn of_form(full_name: &'a [u8], value: &'a [u8]) -> Self {
        let (name, key) = match split_raw(full_name) {
            Some((name, key)) => (decode(name), key.map(decode)),
            None => name_and_key(&decode(full_name)),
        };
        Self {
            name,
            key,
            full_name: Text::Raw(full_name),
            value: Text::Raw(value),
        }
    }

    /// The value, never trimmed.
    pub fn into_value(self) -> Cow<'a, str> {
        self.value.decode()
    }

    /// The key and the value.
    pub fn into_key_and_value(self) -> (Cow<'a, str>, Cow<'a, str>) {
        (self.key.unwrap_or_default(), self.value.decode())
    }

    /// The name as it was sent, brackets included, and the value.
    pub fn into_full_name_and_value(self) -> (Cow<'a, str>, Cow<'a, str>) {
        (self.full_name.decode(), self.value.decode())
    }
}

/// The text of form bytes: `+` is a space, `%XX` a byte, a broken `%` stands
/// for itself; bytes that are not UTF-8 become U+FFFD.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let Some(first) = memchr::memchr2(b'%', b'+', bytes) else {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        };
    };
    let (plain, mut rest) = bytes.split_at(first);
    let mut decoded = Vec::with_capacity(bytes.len());
    decoded.extend_from_slice(plain);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match after {
                [high, low, behind @ ..] => match (hex(*high), hex(*low)) {
                    (Some(high), Some(low)) => {
                        rest = behind;
                        high << 4 | low
                    }
                    _ => b'%',
                },
                _ => b'%',
            },
            byte => *byte,
        });
    }
    let text = String::from_utf8(decoded);
    Cow::Owned(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The bracket that form bytes begin with, plain or as `%5B` and `%5D`, and
/// how many bytes it takes.
const fn bracket(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [byte @ (b'[' | b']'), ..] => Some((*byte, 1)),
        [b'%', b'5', b'B' | b'b', ..] => Some((b'[', 3)),
        [b'%', b'5', b'D' | b'd', ..] => Some((b']', 3)),
        _ => None,
    }
}

/// The first bracket in form bytes: where it begins, what it is and how many
/// bytes it takes.
fn find_bracket(bytes: &[u8]) -> Option<(usize, u8, usize)> {
    memchr::memchr3_iter(b'[', b']', b'%', bytes).find_map(|place| {
        let (byte, len) = bracket(bytes.get(place..)?)?;
        Some((place, byte, len))
    })
}

/// Cuts the name of a form's variable, still encoded, into name and key, where
/// it has no bracket or just one pair at its end, as nearly all have; `None`
/// for others. A `%` before an encoded bracket stands for itself, so the parts
/// decode to what they are in the whole.
fn split_raw(full: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let Some((open, byte, open_len)) = find_bracket(full) else {
        return Some((full, None));
    };
    let inside = full.get(open + open_len..)?;
    let (close, closing, close_len) = find_bracket(inside)?;
    let one_pair = byte == b'[' && closing == b']' && close + close_len == inside.len();
    one_pair.then_some((full.get(..open)?, Some(inside.get(..close)?)))
}

/// The name and the key of a decoded full name.
fn name_and_key<'a>(full: &Cow<'a, str>) -> (Cow<'a, str>, Option<Cow<'a, str>>) {
    match split_name(full) {
        Some((name, key)) => (Cow::Owned(name.to_owned()), Some(Cow::Owned(key))),
        None => (full.clone(), None),
    }
}

/// Cuts a decoded variable name into its name and its key.
///
/// The first pair of brackets is matched by depth, so that a field whose own
/// name holds brackets comes back as it was: `fields[a[b]]` is the field
/// `a[b]`, as is `fields[a][b]`. Brackets that do not balance end at the first
/// `]`; a name in which none closes is left whole.
fn split_name(full: &str) -> Option<(&str, String)> {
    let (name, rest) = full.split_once('[')?;
    let end = matching_bracket(rest).or_else(|| rest.find(']'))?;
    let (inside, after) = rest.split_at(end);
    let mut key = String::with_capacity(rest.len());
    key.push_str(inside);
    key.push_str(after.get(1..).unwrap_or_default());
    Some((name, key))
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

/// Calls `each` with every pair of a form body, in the order sent.
pub(super) fn each_form_variable<'a>(
    body: &'a [u8],
    mut each: impl FnMut(Variable<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let pairs = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    for (number, pair) in pairs.enumerate() {
        if number >= MAX_PAIRS {
            return Err(too_many_pairs());
        }
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at(end);
        each(Variable::of_form(name, value.get(1..).unwrap_or_default()))?;
    }
    Ok(())
}

/// A form body without the variables on which no change of the wanted fields
/// and interests depends: of other fields only the first is left, for it
/// matters whether any were sent.
pub fn narrow_form(body: &[u8], wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut narrowed = Vec::new();
    let mut fields = false;
    for pair in body.split(|byte| *byte == b'&') {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at(end);
        let variable = Variable::of_form(name, value);
        let kept = match (variable.name.as_ref(), &variable.key) {
            ("fields", Some(key)) => !std::mem::replace(&mut fields, true) || wanted(key),
            ("parameters", Some(key)) => wanted(key),
            ("interests", Some(_)) => true,
            _ => false,
        };
        if kept {
            narrowed.extend_from_slice(pair);
            narrowed.push(b'&');
        }
    }
    narrowed
}

/// Calls `each` with the name and the value of every pair of a form body whose name is one of
/// `names`, in the order sent. The other pairs are counted and not decoded: they are most of a
/// body. `names` must hold no `[`, `%` or `+`.
pub(super) fn each_form_scalar<'a>(
    body: &'a [u8],
    names: &[&'static str],
    mut each: impl FnMut(&'static str, Cow<'a, str>),
) -> Result<(), DecodeError> {
    let pieces = body.split(|byte| *byte == b'&');
    for (number, piece) in pieces.filter(|piece| !piece.is_empty()).enumerate() {
        if number >= MAX_PAIRS {
            return Err(too_many_pairs());
        }
        // Whatever is sent as it is, is there before the first escape.
        let plain = piece
            .iter()
            .position(|byte| matches!(byte, b'=' | b'%' | b'+' | b'['))
            .unwrap_or(piece.len());
        let (start, rest) = piece.split_at(plain);
        let escaped = rest.first() == Some(&b'%');
        let possible = names.iter().any(|name| match escaped {
            true => name.as_bytes().starts_with(start),
            false => name.as_bytes() == start,
        });
        if possible
            && let Some((full, value)) = form_urlencoded::parse(piece).next()
            && let Some(name) = names.iter().find(|name| **name == full)
        {
            each(name, value);
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
