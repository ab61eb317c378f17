//! The head of a call as received.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Request, Status};

use super::refusal::Refusal;

/// The most headers of a head; the frontend allows no more.
const MAX_HEADERS: usize = 64;

/// The method, target and headers of a call, in the order sent.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Head<'a> {
    /// Parses a head with its empty line; `None` if it is malformed.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut headers);
        let Ok(Status::Complete(_)) = request.parse(bytes) else {
            return None;
        };
        let headers = request.headers.iter();
        Some(Self {
            method: request.method?,
            target: request.path?,
            headers: headers
                .map(|header| (header.name, header.value.trim_ascii()))
                .collect(),
        })
    }

    /// The values of a header, in the order sent.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The value of a header that may occur once at most.
    pub fn one(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.values(name);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Refusal::Twice(name));
        }
        std::str::from_utf8(value)
            .map(Some)
            .map_err(|_| Refusal::Malformed("a header is not text"))
    }

    /// The covered text for `name` (in lower case): the method and the target for
    /// `(request-target)`, else the header's values, joined by a comma and a space.
    pub(super) fn covered(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        if name == "(request-target)" {
            let target = format!("{} {}", self.method.to_ascii_lowercase(), self.target);
            return Some(Cow::Owned(target.into_bytes()));
        }
        let mut values = self.values(name);
        let first = values.next()?;
        let mut joined = Cow::Borrowed(first);
        for value in values {
            let all = joined.to_mut();
            all.extend_from_slice(b", ");
            all.extend_from_slice(value);
        }
        Some(joined)
    }
}
