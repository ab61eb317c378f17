//! Decodes a body to an event.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::body::{BodyKind, Seen};
use super::charset::Charset;
use super::error::DecodeError;
use super::fields::{Fields, owned};
use super::form::{FormPair, form_pairs};
use super::interests::Interests;
use super::key::{ProfileKey, parse_number};
use super::time::{TimeSource, Zone, parse_event_timestamp, parse_unix_seconds};
use super::variable::each_variable;

/// The event's effect on the (sub)profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Default))]
pub enum EventType {
    /// It was made.
    Create,
    /// It was changed.
    #[cfg_attr(test, default)]
    Update,
    /// It was removed.
    Delete,
    /// It was seen in an export; no call has this type, even with the same word.
    Observed(Seen),
    /// Something else (`click`, `unsubscribe`, …), which changes no state.
    Other(String),
}

impl EventType {
    /// The word on the wire and in answers.
    pub fn name(&self) -> &str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Observed(_) => Seen::TYPE,
            Self::Other(name) => name,
        }
    }

    /// The same word, owned.
    pub fn into_name(self) -> Cow<'static, str> {
        match self {
            Self::Create => Cow::Borrowed("create"),
            Self::Update => Cow::Borrowed("update"),
            Self::Delete => Cow::Borrowed("delete"),
            Self::Observed(_) => Cow::Borrowed(Seen::TYPE),
            Self::Other(name) => Cow::Owned(name),
        }
    }

    /// The content of an observed event; `None` for other events.
    pub const fn seen(&self) -> Option<Seen> {
        match self {
            Self::Observed(seen) => Some(*seen),
            _ => None,
        }
    }

    /// Whether the (sub)profile is gone after it.
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Delete | Self::Observed(Seen::Gone))
    }

    /// The order among events of one second: `create` before others before
    /// `delete`, and what was seen at its end.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Create => 0,
            Self::Update | Self::Other(_) => 1,
            Self::Delete => 2,
            Self::Observed(_) => 3,
        }
    }
}

impl From<&str> for EventType {
    fn from(name: &str) -> Self {
        match name {
            "create" => Self::Create,
            "update" => Self::Update,
            "delete" => Self::Delete,
            _ => Self::Other(name.to_owned()),
        }
    }
}

/// The part of a call that is read at receipt, before the call is kept. It is stored with
/// the body, so that the index needs no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The type.
    pub event_type: EventType,
    /// The profile's number; `None` if only the subprofile's was sent.
    pub profile: Option<u64>,
    /// The subprofile's number.
    pub subprofile: Option<u64>,
    /// The database the profile belongs to.
    pub database: Option<u64>,
    /// The collection the subprofile belongs to.
    pub collection: Option<u64>,
    /// The event's time in Unix seconds, as sent.
    pub time: Option<(i64, TimeSource)>,
}

impl Envelope {
    /// The event's time in Unix seconds, or else that of receipt.
    pub fn time_or(&self, received_micros: i64) -> (i64, TimeSource) {
        self.time
            .unwrap_or((received_micros.div_euclid(1_000_000), TimeSource::Received))
    }
}

/// The rest of a body; borrows unescaped text from the body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content<'a> {
    /// `created` of the (sub)profile, as sent.
    pub created: Option<Cow<'a, str>>,
    /// `modified` of the (sub)profile, as sent.
    pub modified: Option<Cow<'a, str>>,
    /// The parameters of the action.
    pub parameters: Fields<'a>,
    /// The current fields, all of them; empty if none were sent.
    pub fields: Fields<'a>,
    /// The current interests; `None` if none were sent.
    pub interests: Option<Interests<'a>>,
    /// Every other variable, under its full name.
    pub extra: Fields<'a>,
}

/// An event as history sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Default))]
pub struct Event<'a> {
    /// Its place in the order of arrival: 1, 2, 3, …
    pub seq: u64,
    /// The moment of receipt in Unix microseconds.
    pub received: i64,
    /// The sender's address, without a port.
    pub remote: Option<Cow<'a, str>>,
    /// The label in the webhook's address.
    pub label: Option<Cow<'a, str>>,
    /// The type.
    pub event_type: EventType,
    /// The event's time in Unix seconds.
    pub time: i64,
    /// Where the time was read.
    pub time_source: TimeSource,
    /// The (sub)profile.
    pub key: ProfileKey,
    /// The database, if the call named it.
    pub database: Option<u64>,
    /// The collection, if the call named it.
    pub collection: Option<u64>,
    /// Whether it was verified that Copernica sent it; `None` if nobody checked.
    pub verified: Option<bool>,
    /// The rest of the body.
    pub content: Content<'a>,
}

impl Content<'_> {
    /// The bytes of its names and values.
    pub fn byte_len(&self) -> usize {
        let texts = [&self.created, &self.modified];
        let texts = texts.into_iter().flatten().map(|text| text.len());
        let interests = match &self.interests {
            Some(Interests::List(names)) => names.iter().map(|name| name.len()).sum(),
            Some(Interests::Map(map)) => map.byte_len(),
            None => 0,
        };
        let fields = [&self.parameters, &self.fields, &self.extra];
        texts.sum::<usize>() + interests + fields.map(Fields::byte_len).iter().sum::<usize>()
    }

    /// The same without what it borrows.
    pub fn into_owned(self) -> Content<'static> {
        Content {
            created: self.created.map(owned),
            modified: self.modified.map(owned),
            parameters: self.parameters.into_owned(),
            fields: self.fields.into_owned(),
            interests: self.interests.map(Interests::into_owned),
            extra: self.extra.into_owned(),
        }
    }
}

impl Event<'_> {
    /// The same without what it borrows.
    pub fn into_owned(self) -> Event<'static> {
        Event {
            seq: self.seq,
            received: self.received,
            remote: self.remote.map(owned),
            label: self.label.map(owned),
            event_type: self.event_type,
            time: self.time,
            time_source: self.time_source,
            key: self.key,
            database: self.database,
            collection: self.collection,
            verified: self.verified,
            content: self.content.into_owned(),
        }
    }
}

/// The scalar variables that make an envelope, by their names.
#[derive(Default)]
struct Scalars(HashMap<&'static str, String>);

/// `action` is the type of calls without `type`, and extra content, too.
const ACTION: &str = "action";

pub(super) const SCALARS: [&str; 8] = [
    "type",
    "profile",
    "subprofile",
    "database",
    "collection",
    "time",
    "timestamp",
    ACTION,
];

/// The other variables of an event, with a key or without.
const CONTENT: [(&str, bool); 5] = [
    ("parameters", true),
    ("fields", true),
    ("interests", true),
    ("created", false),
    ("modified", false),
];

/// Types of calls that the sender's other webhooks send. They name no profile.
const FOREIGN_TYPES: [&str; 5] = ["click", "open", "bounce", "failure", "delivery"];

impl Scalars {
    fn set(&mut self, name: &str, value: Cow<'_, str>) {
        if let Some(name) = SCALARS.iter().find(|scalar| **scalar == name) {
            self.0.insert(name, value.into_owned());
        }
    }

    /// Takes a number that may be missing: empty and zero mean that, too.
    fn number(&mut self, name: &str) -> Result<Option<u64>, DecodeError> {
        let Some(text) = self.0.remove(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        match parse_number(&text) {
            Some(number) => Ok(Some(number).filter(|number| *number != 0)),
            None => {
                let shown: String = text.chars().take(40).collect();
                Err(DecodeError::new(format!("{shown:?} is not a number"), name))
            }
        }
    }

    fn envelope(mut self, zone: Zone) -> Result<Envelope, DecodeError> {
        let action = self.0.remove(ACTION);
        let event_type = self.0.remove("type").or(action).ok_or_else(|| {
            DecodeError::new("no `type`: the call does not say what happened", "type")
        })?;
        let profile = self.number("profile")?;
        let subprofile = self.number("subprofile")?;
        if profile.is_none() && subprofile.is_none() {
            return Err(if FOREIGN_TYPES.contains(&event_type.as_str()) {
                let reason = format!(
                    "the call arrived, but {event_type:?} names no profile: such webhooks belong elsewhere; \
                     choose the events that create, update and delete profiles"
                );
                DecodeError::new(reason, "type")
            } else {
                DecodeError::new(
                    "no `profile`: the call does not say which profile it is about",
                    "profile",
                )
            });
        }
        let sent = |name| self.0.get(name).map(String::as_str);
        let time = sent("time").and_then(parse_unix_seconds);
        let timestamp = || parse_event_timestamp(zone, sent("timestamp")?);
        let time = time.map(|seconds| (seconds, TimeSource::Time));
        let time = time.or_else(|| timestamp().map(|seconds| (seconds, TimeSource::Timestamp)));
        Ok(Envelope {
            event_type: event_type.as_str().into(),
            profile,
            subprofile,
            time,
            database: self.number("database")?,
            collection: self.number("collection")?,
        })
    }
}

/// Reads the part of a call that is needed before it is kept.
///
/// # Errors
/// The body cannot be read, is not an event, or is not of a call
/// ([`BodyKind::is_as_sent`]): its envelope is stored separately.
pub fn decode_envelope(kind: BodyKind, body: &[u8], zone: Zone) -> Result<Envelope, DecodeError> {
    if body.is_empty() && kind.is_as_sent() {
        return Err(DecodeError::no_event());
    }
    let mut scalars = Scalars::default();
    match kind {
        BodyKind::Form => form_scalars(Charset::UTF_8, body, &mut scalars)?,
        BodyKind::FormIn(charset) => form_scalars(charset, body, &mut scalars)?,
        _ => each_variable(kind, body, |variable| {
            if variable.key.is_none() {
                let name = variable.name.clone();
                scalars.set(&name, variable.into_value());
            }
        })?,
    }
    // The names of content are only looked for if there is nothing else.
    if scalars.0.is_empty() && kind.is_as_sent() && !has_content(kind, body)? {
        return Err(DecodeError::no_event());
    }
    scalars.envelope(zone)
}

/// Reads the scalars of a form. Other names, which are most of a body, are not decoded,
/// since every call passes here before its answer.
fn form_scalars(charset: Charset, body: &[u8], scalars: &mut Scalars) -> Result<(), DecodeError> {
    for pair in form_pairs(body) {
        let FormPair {
            name: encoded,
            value,
        } = pair?;
        let name = encoded.as_bytes();
        let escape = name
            .iter()
            .position(|byte| matches!(byte, b'%' | b'+' | b'['));
        let plain = name.get(..escape.unwrap_or(name.len())).unwrap_or_default();
        let escaped = escape.and_then(|escape| name.get(escape)) == Some(&b'%');
        let possible = SCALARS.iter().any(|scalar| match escaped {
            true => scalar.as_bytes().starts_with(plain),
            false => scalar.as_bytes() == name,
        });
        if possible {
            scalars.set(&encoded.decode(charset), value.decode(charset));
        }
    }
    Ok(())
}

/// Whether a body has any of the variables of an event's content.
fn has_content(kind: BodyKind, body: &[u8]) -> Result<bool, DecodeError> {
    let mut found = false;
    each_variable(kind, body, |variable| {
        found |= CONTENT.contains(&(variable.name.as_ref(), variable.key.is_some()));
    })?;
    Ok(found)
}

/// Reads the content of a kept body.
pub fn decode_content(kind: BodyKind, body: &[u8]) -> Result<Content<'_>, DecodeError> {
    if !kind.is_as_sent() {
        return serde_json::from_slice(body).map_err(|error| {
            DecodeError::new(format!("the kept content is damaged: {error}"), "body")
        });
    }
    let mut content = Content::default();
    let [mut parameters, mut fields, mut extra, mut interests] = [const { Vec::new() }; 4];
    each_variable(kind, body, |variable| {
        match (variable.name.as_ref(), &variable.key) {
            ("parameters", Some(_)) => parameters.push(variable.into_key_and_value()),
            ("fields", Some(_)) => fields.push(variable.into_key_and_value()),
            ("interests", Some(_)) => interests.push(variable.into_key_and_value()),
            ("created", None) => content.created = Some(variable.into_value()),
            ("modified", None) => content.modified = Some(variable.into_value()),
            (name, None) if name != ACTION && SCALARS.contains(&name) => {}
            _ => extra.push(variable.into_full_name_and_value()),
        }
    })?;
    content.parameters = parameters.into_iter().collect();
    content.fields = fields.into_iter().collect();
    content.extra = extra.into_iter().collect();
    content.interests = Interests::from_pairs(interests);
    Ok(content)
}

#[cfg(test)]
mod tests;
