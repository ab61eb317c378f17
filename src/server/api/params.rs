//! The parameters of a question, each named as the flag.
//!
//! A question asks for each of its parameters by name and kind, whether it was
//! given or not. So the reading of a question is at once the list of what it
//! takes: [`Params::describing`] has no values, and tells after a reading what
//! was asked for. What is read is also said anew, in one way however it was
//! written, times as Unix seconds ([`Params::said`]): that tells questions
//! apart, and stays the same question when it is asked tomorrow.

use std::str::FromStr;

use crate::event::{DecodeError, ProfileKey, Zone, is_label};
use crate::query::{IncidentId, Rounding, Span, parse_duration, parse_time};

/// The parameters that nobody has asked for yet.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    zone: Zone,
    /// The present moment in Unix microseconds.
    now: i64,
    /// There are no values: only what is asked for matters.
    describing: bool,
    asked: Vec<Asked>,
    said: Vec<(&'static str, String)>,
    /// The value of `limit`, once it was read.
    limit: Option<Option<u64>>,
}

/// A parameter that a question takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub name: &'static str,
    pub kind: Kind,
    /// It can be given more than once.
    pub many: bool,
    /// It must be given.
    pub needed: bool,
}

/// What a parameter's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Time,
    /// `123` or `123/456`.
    Key,
    /// A label, or nothing for none.
    Label,
    /// A number that is not lower than this one.
    From(u64),
    /// `90s`, `30m`, `6h`, `2d`.
    Stretch,
    /// `mail-1234`.
    Incident,
    OneOf(&'static [&'static str]),
    /// The mark of a page.
    Cursor,
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
        Ok(Self {
            pairs,
            zone,
            now,
            describing: false,
            asked: Vec::new(),
            said: Vec::new(),
            limit: None,
        })
    }

    /// None at all, to learn what a question takes.
    pub const fn describing() -> Self {
        Self {
            pairs: Vec::new(),
            zone: chrono_tz::UTC,
            now: 0,
            describing: true,
            asked: Vec::new(),
            said: Vec::new(),
            limit: None,
        }
    }

    /// Whether there are no values, and only what is asked for matters.
    pub const fn is_describing(&self) -> bool {
        self.describing
    }

    /// What was asked for.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// What was given of it, in the order in which it was asked for, but for
    /// what says which part of an answer is wanted.
    pub fn said(&self) -> &[(&'static str, String)] {
        &self.said
    }

    /// The present moment in Unix seconds.
    pub const fn now(&self) -> i64 {
        self.now.div_euclid(1_000_000)
    }

    fn ask(&mut self, name: &'static str, kind: Kind, many: bool) {
        self.asked.push(Asked {
            name,
            kind,
            many,
            needed: false,
        });
    }

    fn say(&mut self, name: &'static str, value: impl ToString) {
        self.said.push((name, value.to_string()));
    }

    fn take(&mut self, name: &str) -> Vec<String> {
        self.pairs
            .extract_if(.., |(known, _)| known == name)
            .map(|(_, value)| value)
            .collect()
    }

    fn take_one(&mut self, name: &str) -> Result<Option<String>, DecodeError> {
        let mut values = self.take(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(wrong(name, "it can be given once only")),
        }
    }

    /// All values of a parameter that can be repeated.
    pub fn all(&mut self, name: &'static str) -> Vec<String> {
        self.all_of(name, Kind::Text)
    }

    fn all_of(&mut self, name: &'static str, kind: Kind) -> Vec<String> {
        self.ask(name, kind, true);
        let values = self.take(name);
        for value in &values {
            self.say(name, value);
        }
        values
    }

    /// The same, each of which is one of these words, which have a name.
    pub fn choices(
        &mut self,
        name: &'static str,
        words: &'static [&'static str],
        what: &str,
    ) -> Result<Vec<String>, DecodeError> {
        let values = self.all_of(name, Kind::OneOf(words));
        match values.iter().find(|value| !words.contains(&value.as_str())) {
            None => Ok(values),
            Some(value) => {
                let what = format!("{value:?} is no {what}: write {}", words.join(", "));
                Err(wrong(name, what))
            }
        }
    }

    /// The same of labels.
    pub fn labels(&mut self, name: &'static str) -> Result<Vec<String>, DecodeError> {
        let values = self.all_of(name, Kind::Label);
        let fits = |label: &String| label.is_empty() || is_label(label);
        if values.iter().all(fits) {
            return Ok(values);
        }
        Err(wrong(name, "a label is 1 to 64 of A-Z, a-z, 0-9, _ and -"))
    }

    /// The value of a parameter that can be left out.
    pub fn one(&mut self, name: &'static str) -> Result<Option<String>, DecodeError> {
        self.ask(name, Kind::Text, false);
        let value = self.take_one(name)?;
        if let Some(value) = &value {
            self.say(name, value);
        }
        Ok(value)
    }

    fn read<T: ToString>(
        &mut self,
        name: &'static str,
        kind: Kind,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, DecodeError> {
        self.ask(name, kind, false);
        let Some(text) = self.take_one(name)? else {
            return Ok(None);
        };
        let value = read(&text).map_err(|error| wrong(name, error))?;
        self.say(name, value.to_string());
        Ok(Some(value))
    }

    /// A number.
    pub fn number(&mut self, name: &'static str) -> Result<Option<u64>, DecodeError> {
        self.read(name, Kind::Number, |text| parsed(text, "number"))
    }

    /// A number that must not be lower than another one.
    pub fn number_from(
        &mut self,
        name: &'static str,
        lowest: u64,
        default: u64,
    ) -> Result<u64, DecodeError> {
        let number = self.read(name, Kind::From(lowest), |text| {
            let number: u64 = parsed(text, "number")?;
            match number < lowest {
                true => Err(format!("it must be {lowest} at least")),
                false => Ok(number),
            }
        })?;
        Ok(number.unwrap_or(default))
    }

    /// A stretch of time in seconds, from the one to the other at most.
    pub fn stretch(
        &mut self,
        name: &'static str,
        (shortest, longest): (i64, i64),
        default: i64,
    ) -> Result<i64, DecodeError> {
        let stretch = self.read(name, Kind::Stretch, |text| {
            let seconds = i64::try_from(parse_duration(text)?.as_secs());
            let fits = |seconds: &i64| (shortest..=longest).contains(seconds);
            seconds
                .ok()
                .filter(fits)
                .map(Seconds)
                .ok_or_else(|| format!("from {shortest} s to {longest} s can be had"))
        })?;
        Ok(stretch.map_or(default, |Seconds(seconds)| seconds))
    }

    /// An incident's name.
    pub fn incident(&mut self, name: &'static str) -> Result<Option<IncidentId>, DecodeError> {
        self.read(name, Kind::Incident, str::parse)
    }

    /// A (sub)profile.
    pub fn key(&mut self, name: &'static str) -> Result<Option<ProfileKey>, DecodeError> {
        let what = "profile: write 123 or 123/456";
        self.read(name, Kind::Key, |text| parsed(text, what))
    }

    /// `limit`, the most lines: it is part of a question about a page, and not of
    /// the question that has pages. Can be asked for again.
    pub fn limit(&mut self) -> Result<Option<u64>, DecodeError> {
        if let Some(limit) = self.limit {
            return Ok(limit);
        }
        let limit = self.number("limit")?;
        self.said.retain(|(name, _)| *name != "limit");
        self.limit = Some(limit);
        Ok(limit)
    }

    /// `after`, the text of a mark.
    pub fn after(&mut self) -> Result<Option<String>, DecodeError> {
        self.ask("after", Kind::Cursor, false);
        self.take_one("after")
    }

    /// Whether something is wanted: `reverse`, `reverse=true` and `reverse=1`.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, DecodeError> {
        self.ask(name, Kind::Flag, false);
        let wanted = match self.take_one(name)?.as_deref() {
            None | Some("false" | "0") => false,
            Some("" | "true" | "1") => true,
            Some(other) => {
                return Err(wrong(name, format!("{other:?} is neither true nor false")));
            }
        };
        if wanted {
            self.say(name, true);
        }
        Ok(wanted)
    }

    /// A time in Unix seconds.
    pub fn time(
        &mut self,
        name: &'static str,
        rounding: Rounding,
    ) -> Result<Option<i64>, DecodeError> {
        let (zone, now) = (self.zone, self.now);
        let time = self.read(name, Kind::Time, |text| {
            parse_time(text, zone, now, rounding).map(Unix)
        })?;
        Ok(time.map(|Unix(seconds)| seconds))
    }

    /// The same where it must be given.
    pub fn needed_time(
        &mut self,
        name: &'static str,
        rounding: Rounding,
    ) -> Result<i64, DecodeError> {
        let time = self.time(name, rounding)?;
        if let Some(asked) = self.asked.last_mut() {
            asked.needed = true;
        }
        match time {
            Some(time) => Ok(time),
            None if self.describing => Ok(0),
            None => Err(wrong(name, "it must be given")),
        }
    }

    /// `since` and `until`.
    pub fn span(&mut self) -> Result<Span, DecodeError> {
        Ok(Span {
            since: self.time("since", Rounding::Up)?,
            until: self.time("until", Rounding::Up)?,
        })
    }

    /// Refuses what nobody has asked for.
    pub fn finish(&self) -> Result<(), DecodeError> {
        let Some((name, _)) = self.pairs.first() else {
            return Ok(());
        };
        let known: Vec<_> = self.asked.iter().map(|asked| asked.name).collect();
        let what = match known.is_empty() {
            true => "there is no such parameter here, nor any other".to_owned(),
            false => format!(
                "there is no such parameter here: there are {}",
                known.join(", ")
            ),
        };
        Err(wrong(name, what))
    }
}

/// A stretch of time, said as it can be read again.
struct Seconds(i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// Unix seconds, said as they can be read again.
struct Unix(i64);

impl std::fmt::Display for Unix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{}", self.0)
    }
}

fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no {what}"))
}

/// Whether what was decoded is what was sent: what is no UTF-8 would have been
/// replaced.
fn is_utf8(raw: &str, name: &str, value: &str) -> bool {
    let replaced = |text: &str| text.matches('\u{fffd}').count();
    let sent = raw.to_ascii_uppercase().matches("%EF%BF%BD").count() + replaced(raw);
    replaced(name) + replaced(value) == sent
}

#[cfg(test)]
#[path = "params_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
