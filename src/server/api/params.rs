//! The parameters of a question, each named as the flag.

use std::str::FromStr;

use crate::event::{DecodeError, Zone};
use crate::query::{Rounding, Span, parse_time};

/// The parameters that nobody has asked for yet.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    zone: Zone,
    /// The present moment in Unix microseconds.
    now: i64,
}

fn wrong(name: &str, what: impl Into<String>) -> DecodeError {
    DecodeError::new(what, name)
}

impl Params {
    /// Reads the query of a target.
    pub fn parse(query: &str, zone: Zone, now: i64) -> Result<Self, DecodeError> {
        let mut pairs = Vec::new();
        for raw in query.split('&').filter(|raw| !raw.is_empty()) {
            for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
                if !is_utf8(raw, &name, &value) {
                    return Err(wrong(&name, "it is no UTF-8"));
                }
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(Self { pairs, zone, now })
    }

    /// The present moment in Unix seconds.
    pub const fn now(&self) -> i64 {
        self.now.div_euclid(1_000_000)
    }

    /// All values of a parameter that can be repeated.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        self.pairs
            .extract_if(.., |(known, _)| known == name)
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of a parameter that can be left out.
    pub fn one(&mut self, name: &str) -> Result<Option<String>, DecodeError> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(wrong(name, "it can be given once only")),
        }
    }

    /// The same of a type that is read from text.
    pub fn parsed<T: FromStr>(&mut self, name: &str, what: &str) -> Result<Option<T>, DecodeError> {
        let read = |text: String| {
            let parsed = text.parse();
            parsed.map_err(|_| wrong(name, format!("{text:?} is no {what}")))
        };
        self.one(name)?.map(read).transpose()
    }

    /// A number.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>, DecodeError> {
        self.parsed(name, "number")
    }

    /// Whether something is wanted: `reverse`, `reverse=true` and `reverse=1`.
    pub fn flag(&mut self, name: &str) -> Result<bool, DecodeError> {
        match self.one(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(wrong(name, format!("{other:?} is neither true nor false"))),
        }
    }

    /// A time in Unix seconds.
    pub fn time(&mut self, name: &str, rounding: Rounding) -> Result<Option<i64>, DecodeError> {
        let (zone, now) = (self.zone, self.now);
        let read = |text: String| {
            parse_time(&text, zone, now, rounding).map_err(|error| wrong(name, error))
        };
        self.one(name)?.map(read).transpose()
    }

    /// `since` and `until`.
    pub fn span(&mut self) -> Result<Span, DecodeError> {
        Ok(Span {
            since: self.time("since", Rounding::Up)?,
            until: self.time("until", Rounding::Up)?,
        })
    }

    /// Refuses what nobody has asked for.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(name, "there is no such parameter here")),
        }
    }
}

/// Whether what was decoded is what was sent: what is no UTF-8 would have been
/// replaced.
fn is_utf8(raw: &str, name: &str, value: &str) -> bool {
    let replaced = |text: &str| text.matches('\u{fffd}').count();
    let sent = raw.to_ascii_uppercase().matches("%EF%BF%BD").count() + replaced(raw);
    replaced(name) + replaced(value) == sent
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse(query, chrono_tz::UTC, 1_760_000_000_000_000).unwrap()
    }

    #[test]
    fn names_and_values_are_decoded() {
        let mut read = params("field=a%2Bb+c&&limit=3&field=%C3%A9%26&reverse&all=0&x=%EF%BF%BD");
        assert_eq!(read.all("field"), ["a+b c", "é&"]);
        assert_eq!(read.number("limit"), Ok(Some(3)));
        assert_eq!(read.number("limit"), Ok(None));
        assert_eq!(read.flag("reverse"), Ok(true));
        assert_eq!(read.flag("all"), Ok(false));
        assert_eq!(read.flag("raw"), Ok(false));
        assert_eq!(read.one("x"), Ok(Some("\u{fffd}".to_owned())));
        read.finish().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        let named = |error: DecodeError| serde_json::to_value(error).unwrap()["where"].clone();
        assert_eq!(named(params("a=1&a=1").one("a").unwrap_err()), "a");
        assert_eq!(named(params("n=-1").number("n").unwrap_err()), "n");
        assert_eq!(
            named(params("n=18446744073709551616").number("n").unwrap_err()),
            "n"
        );
        assert_eq!(named(params("r=yes").flag("r").unwrap_err()), "r");
        assert_eq!(named(params("since=x").span().unwrap_err()), "since");
        assert_eq!(named(params("%41%0a=1").finish().unwrap_err()), "A\n");
        let no_utf8 = Params::parse("f=%ff", chrono_tz::UTC, 0).map(|_| ());
        assert_eq!(named(no_utf8.unwrap_err()), "f");
        let mixed = Params::parse("f=%EF%BF%BD%ff", chrono_tz::UTC, 0).map(|_| ());
        assert_eq!(named(mixed.unwrap_err()), "f");
    }
}
