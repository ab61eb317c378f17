//! From a body to an event.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::body::BodyKind;
use super::error::DecodeError;
use super::fields::Fields;
use super::interests::Interests;
use super::json::each_json_variable;
use super::key::{ProfileKey, parse_number};
use super::seen::Seen;
use super::time::{
    TimeSource, Zone, local_to_utc, parse_timestamp, parse_unix_seconds, seconds_in_range,
};
use super::variable::{Variable, each_form_scalar, each_form_variable};

/// What happened to the (sub)profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum EventType {
    /// It was made.
    Create,
    /// It was changed.
    Update,
    /// It was removed.
    Delete,
    /// It was seen in an export; no call is of this type, whatever its word.
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

    /// The same word for good.
    pub fn into_name(self) -> Cow<'static, str> {
        match self {
            Self::Create => Cow::Borrowed("create"),
            Self::Update => Cow::Borrowed("update"),
            Self::Delete => Cow::Borrowed("delete"),
            Self::Observed(_) => Cow::Borrowed(Seen::TYPE),
            Self::Other(name) => Cow::Owned(name),
        }
    }

    /// What an observed event saw; `None` where it is none.
    pub const fn seen(&self) -> Option<Seen> {
        match self {
            Self::Observed(seen) => Some(*seen),
            _ => None,
        }
    }

    /// Whether nothing of the (sub)profile is there after it.
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

impl From<String> for EventType {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> Self {
        event_type.into_name().into_owned()
    }
}

/// What must be known of a call before it can be kept: read at receipt, and
/// stored beside the body so that the index needs no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The type.
    pub event_type: EventType,
    /// The profile's number; `None` where only the subprofile's was sent.
    pub profile: Option<u64>,
    /// The subprofile's number.
    pub subprofile: Option<u64>,
    /// The database the profile belongs to.
    pub database: Option<u64>,
    /// The collection the subprofile belongs to.
    pub collection: Option<u64>,
    /// The event's time as the sender tells it.
    pub time: Option<(i64, TimeSource)>,
}

impl Envelope {
    /// The event's time in Unix seconds, where nothing was sent that of receipt.
    pub fn time_or(&self, received_micros: i64) -> (i64, TimeSource) {
        self.time
            .unwrap_or((received_micros.div_euclid(1_000_000), TimeSource::Received))
    }
}

/// What a body says beside its envelope; borrows from the body what stands
/// there as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content<'a> {
    /// `created` of the (sub)profile, as sent.
    pub created: Option<Cow<'a, str>>,
    /// `modified` of the (sub)profile, as sent.
    pub modified: Option<Cow<'a, str>>,
    /// What the action was performed with.
    pub parameters: Fields<'a>,
    /// The current fields, all of them; empty where none were sent.
    pub fields: Fields<'a>,
    /// The current interests; `None` where none were sent.
    pub interests: Option<Interests<'a>>,
    /// Every other variable, under its full name.
    pub extra: Fields<'a>,
}

/// An event as history sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The database, where the call named it.
    pub database: Option<u64>,
    /// The collection, where the call named it.
    pub collection: Option<u64>,
    /// Whether it was verified that Copernica sent it; `None` where nobody looked.
    pub verified: Option<bool>,
    /// What the body says beside that.
    pub content: Content<'a>,
}

impl Content<'_> {
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

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// The scalar variables that make an envelope.
#[derive(Default)]
struct Scalars {
    event_type: Option<String>,
    profile: Option<String>,
    subprofile: Option<String>,
    database: Option<String>,
    collection: Option<String>,
    time: Option<String>,
    timestamp: Option<String>,
}

impl Scalars {
    /// The names that [`Self::slot`] knows.
    const NAMES: [&str; 7] = [
        "type",
        "profile",
        "subprofile",
        "database",
        "collection",
        "time",
        "timestamp",
    ];

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "type" => &mut self.event_type,
            "profile" => &mut self.profile,
            "subprofile" => &mut self.subprofile,
            "database" => &mut self.database,
            "collection" => &mut self.collection,
            "time" => &mut self.time,
            "timestamp" => &mut self.timestamp,
            _ => return None,
        })
    }

    fn envelope(self, zone: Zone) -> Result<Envelope, DecodeError> {
        let event_type = self
            .event_type
            .ok_or_else(|| DecodeError::new("no `type`: what happened is not said", "type"))?;
        let profile = number("profile", self.profile)?;
        let subprofile = number("subprofile", self.subprofile)?;
        if profile.is_none() && subprofile.is_none() {
            return Err(DecodeError::new(
                "no `profile`: whom it concerns is not said",
                "profile",
            ));
        }
        let sent = self.time.as_deref().and_then(parse_unix_seconds);
        let time = match sent {
            Some(seconds) => Some((seconds, TimeSource::Time)),
            None => self
                .timestamp
                .as_deref()
                .and_then(parse_timestamp)
                .map(|local| local_to_utc(zone, local))
                // The zone may take the first or the last day out of what can be printed.
                .filter(|seconds| seconds_in_range(*seconds))
                .map(|seconds| (seconds, TimeSource::Timestamp)),
        };
        Ok(Envelope {
            event_type: event_type.into(),
            profile,
            subprofile,
            database: number("database", self.database)?,
            collection: number("collection", self.collection)?,
            time,
        })
    }
}

fn number(name: &str, text: Option<String>) -> Result<Option<u64>, DecodeError> {
    let Some(text) = text else { return Ok(None) };
    match parse_number(&text) {
        Some(number) => Ok(Some(number)),
        None => {
            let shown: String = text.chars().take(40).collect();
            Err(DecodeError::new(format!("{shown:?} is no number"), name))
        }
    }
}

fn each_variable<'a>(
    kind: BodyKind,
    body: &'a [u8],
    each: impl FnMut(Variable<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    match kind {
        BodyKind::Form => each_form_variable(body, each),
        BodyKind::Json => each_json_variable(body, each),
        BodyKind::Content | BodyKind::Observed | BodyKind::Gone => Ok(()),
    }
}

/// Reads what must be known of a call before it can be kept. A body that no
/// call has ([`BodyKind::is_as_sent`]) has its envelope beside it and is refused
/// here.
pub fn decode_envelope(kind: BodyKind, body: &[u8], zone: Zone) -> Result<Envelope, DecodeError> {
    let mut scalars = Scalars::default();
    let mut set = |name: &str, value: Cow<'_, str>| {
        if let Some(slot) = scalars.slot(name) {
            *slot = Some(value.into_owned());
        }
    };
    if kind == BodyKind::Form {
        each_form_scalar(body, &Scalars::NAMES, set)?;
    } else {
        each_variable(kind, body, |variable| {
            if variable.key.is_none() {
                set(&variable.name.clone(), variable.into_value());
            }
            Ok(())
        })?;
    }
    scalars.envelope(zone)
}

/// Reads what a kept body says beside its envelope.
pub fn decode_content(kind: BodyKind, body: &[u8]) -> Result<Content<'_>, DecodeError> {
    if !kind.is_as_sent() {
        return serde_json::from_slice(body).map_err(|error| {
            DecodeError::new(format!("the kept content is damaged: {error}"), "body")
        });
    }
    let mut scalars = Scalars::default();
    let mut content = Content::default();
    let mut interests = Vec::new();
    each_variable(kind, body, |variable| {
        match (variable.name.as_ref(), &variable.key) {
            ("parameters", Some(_)) => {
                let (key, value) = variable.into_key_and_value();
                content.parameters.insert(key, value);
            }
            ("fields", Some(_)) => {
                let (key, value) = variable.into_key_and_value();
                content.fields.insert(key, value);
            }
            ("interests", Some(_)) => interests.push(variable.into_key_and_value()),
            ("created", None) => content.created = Some(variable.into_value()),
            ("modified", None) => content.modified = Some(variable.into_value()),
            (name, None) if scalars.slot(name).is_some() => {}
            _ => {
                let (name, value) = variable.into_full_name_and_value();
                content.extra.insert(name, value);
            }
        }
        Ok(())
    })?;
    content.interests = Interests::from_pairs(interests);
    Ok(content)
}

#[cfg(test)]
mod tests;
