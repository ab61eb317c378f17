//! Forms: pairs of encoded names and values.

use std::borrow::Cow;
use std::ops::Range;

use super::charset::Charset;
use super::error::DecodeError;
use super::variable::{MAX_PAIRS, too_many_pairs};

/// A form or a part of it, still encoded.
#[derive(Clone, Copy, Debug)]
pub(super) enum FormText<'a> {
    /// For a form that is UTF-8 throughout: its parts need no check.
    Utf8(&'a str),
    /// For another form.
    Bytes(&'a [u8]),
}

impl<'a> FormText<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        std::str::from_utf8(body).map_or(Self::Bytes(body), Self::Utf8)
    }

    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The part in a range that is in it and is bounded by ASCII.
    fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::Utf8(text) => Self::Utf8(text.get(range).unwrap_or_default()),
            Self::Bytes(bytes) => Self::Bytes(bytes.get(range).unwrap_or_default()),
        }
    }

    /// The text: `+` is a space, `%XX` a byte, a broken `%` stands for itself.
    pub fn decode(self, charset: Charset) -> Cow<'a, str> {
        let bytes = self.as_bytes();
        // Most are short: a loop is done before a vector search has begun.
        if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return match self {
                Self::Utf8(text) if charset.is_utf8() => Cow::Borrowed(text),
                _ => charset.decode(bytes),
            };
        }
        let mut decoded = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let [first, after @ ..] = rest {
            let (byte, after) = match (first, after) {
                (b'+', _) => (b' ', after),
                // A broken escape stands for itself.
                (b'%', [high, low, behind @ ..]) => match byte_of(*high, *low) {
                    Some(byte) => (byte, behind),
                    None => (b'%', after),
                },
                _ => (*first, after),
            };
            decoded.push(byte);
            rest = after;
        }
        Cow::Owned(if charset.is_utf8() {
            String::from_utf8(decoded)
                .unwrap_or_else(|error| charset.decode(error.as_bytes()).into_owned())
        } else {
            charset.decode(&decoded).into_owned()
        })
    }
}

/// The byte that two hexadecimal digits stand for.
fn byte_of(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// A pair of a form, still encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormPair<'a> {
    pub name: FormText<'a>,
    pub value: FormText<'a>,
}

/// The pairs of a form in the order sent; an error instead of the first pair beyond the
/// limit.
pub(super) fn form_pairs(body: &[u8]) -> impl Iterator<Item = Result<FormPair<'_>, DecodeError>> {
    let form = FormText::new(body);
    let mut begin = 0;
    let ends = memchr::memchr_iter(b'&', body).chain([body.len()]);
    let ranges = ends.map(move |end| std::mem::replace(&mut begin, end + 1)..end);
    let pairs = ranges.filter(|range| !range.is_empty()).enumerate();
    pairs.map(move |(number, Range { start, end })| {
        if number >= MAX_PAIRS {
            return Err(too_many_pairs());
        }
        let pair = body.get(start..end).unwrap_or_default();
        let equals = memchr::memchr(b'=', pair).map_or(end, |at| start + at);
        Ok(FormPair {
            name: form.slice(start..equals),
            value: form.slice((equals + 1).min(end)..end),
        })
    })
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

/// The first bracket in form bytes: its offset, its kind and its length in bytes.
fn find_bracket(bytes: &[u8]) -> Option<(usize, u8, usize)> {
    // Names are short: a loop is done before a vector search has begun.
    let places = (0..).zip(bytes);
    let mut places = places.filter(|(_, byte)| matches!(byte, b'[' | b']' | b'%'));
    places.find_map(|(place, _)| {
        let (byte, len) = bracket(bytes.get(place..)?)?;
        Some((place, byte, len))
    })
}

impl<'a> FormText<'a> {
    /// Splits the name of a variable into name and key, if it has no bracket or just one
    /// pair at its end, as nearly all have; `None` for others. A `%` before an encoded
    /// bracket stands for itself, so the parts decode as in the full name.
    pub fn split_name(self) -> Option<(Self, Option<Self>)> {
        let full = self.as_bytes();
        let Some((open, byte, open_len)) = find_bracket(full) else {
            return Some((self, None));
        };
        let begin = open + open_len;
        let (close, closing, close_len) = find_bracket(full.get(begin..)?)?;
        let close = begin + close;
        let one_pair = byte == b'[' && closing == b']' && close + close_len == full.len();
        one_pair.then(|| (self.slice(0..open), Some(self.slice(begin..close))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_in_their_charset() {
        let latin = Charset::from_label("iso-8859-1").unwrap();
        let japanese = Charset::from_label("Shift_JIS").unwrap();
        for (charset, bytes, text) in [
            (Charset::UTF_8, "a+b%2Bc".as_bytes(), "a b+c"),
            (Charset::UTF_8, b"%C3%A9%", "é%"),
            (Charset::UTF_8, b"%zz%4", "%zz%4"),
            (Charset::UTF_8, b"Ren%E9", "René"),
            (Charset::UTF_8, b"Ren\xE8", "Renè"),
            (Charset::UTF_8, b"%80%81%9F", "€\u{81}Ÿ"),
            // One invalid byte makes the whole value Windows-1252.
            (Charset::UTF_8, b"%C3%A9%E9", "Ã©é"),
            (latin, b"%C3%A9", "Ã©"),
            (latin, b"plain", "plain"),
            (japanese, b"%83%5B", "ゼ"),
            (japanese, b"%FF", "ÿ"),
        ] {
            assert_eq!(FormText::new(bytes).decode(charset), text, "{bytes:?}");
            assert_eq!(FormText::Bytes(bytes).decode(charset), text, "{bytes:?}");
        }
    }
}
