//! The lines of answers: their keys and key order are stable.
//!
//! Times are RFC 3339 in UTC: of events in whole seconds, of receipt in
//! microseconds. `null` in `old` or `new` means absent; a missing `old` means
//! unknown.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::baselines::BaselinePart;
use crate::auth::signature::Proof;
use crate::event::{
    Event, Fields, Interests, ProfileKey, TimeSource, micros_to_rfc3339, seconds_to_rfc3339,
};
pub use crate::history::{Change as ChangeLine, Difference as DiffLine};
use crate::history::{Subject, Value, known};
use crate::log::Erasure;
use crate::proofs::base64;

/// An event of `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryLine<'a> {
    /// The event's number in the order of arrival.
    pub seq: u64,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The event's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The source of the time.
    pub time_source: TimeSource,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database; `null` if the call did not name it.
    pub database: Option<u64>,
    /// The collection; `null` if the call did not name it.
    pub collection: Option<u64>,
    /// The label in the webhook's address; `null` without one.
    pub label: Option<Cow<'a, str>>,
    /// Only in a dossier: the sender's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    #[schemars(with = "Option<Value<'a>>")]
    pub remote: Option<Option<Cow<'a, str>>>,
    /// Whether Copernica's signature was verified; missing if signatures were not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Only in a dossier: the key that signed the call, if the signature is kept; `evidence`
    /// shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// Only in events that `reconcile --record` added: whether the export had the
    /// (sub)profile (`present`) or not (`gone`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Cow<'a, str>>,
    /// What the event changed.
    pub changes: Vec<ChangeLine<'a>>,
    /// The event that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<u64>,
}

impl<'a> HistoryLine<'a> {
    /// The line of an event with its changes.
    pub fn new(
        event: &'a Event<'a>,
        changes: Vec<ChangeLine<'a>>,
        duplicate_of: Option<u64>,
    ) -> Self {
        Self {
            seq: event.seq,
            event_type: Cow::Borrowed(event.event_type.name()),
            time: seconds_to_rfc3339(event.time),
            time_source: event.time_source,
            received: micros_to_rfc3339(event.received),
            who: event.key,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            remote: None,
            verified: event.verified,
            key: None,
            observed: event.event_type.seen().map(|seen| seen.name().into()),
            changes,
            duplicate_of,
        }
    }
}

/// The last event before the moment of `show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LastEvent {
    /// The event's number in the order of arrival.
    pub seq: u64,
    /// The event's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
}

impl From<(u64, i64)> for LastEvent {
    /// The event with this `seq`, at this time in Unix seconds.
    fn from((seq, time): (u64, i64)) -> Self {
        let time = seconds_to_rfc3339(time);
        Self { seq, time }
    }
}

/// The answer of `show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database that the last call with one named.
    pub database: Option<u64>,
    /// The collection that the last call with one named.
    pub collection: Option<u64>,
    /// The moment.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// `present`, `deleted` or `unknown`.
    pub state: String,
    /// The last event up to the moment, duplicates excluded.
    pub last_event: Option<LastEvent>,
    /// The fields in the order sent.
    pub fields: Fields<'a>,
    /// The names of the current interests, sorted.
    pub interests: Vec<Cow<'a, str>>,
    /// As sent.
    pub created: Option<Cow<'a, str>>,
    /// As sent.
    pub modified: Option<Cow<'a, str>>,
    /// With `cascade`: the profile's `delete` that ended the subprofile, or the export from which
    /// the profile was missing. Missing if the subprofile had events since, or was not ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<LastEvent>,
}

/// A row of `blame`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlameLine<'a> {
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The current value.
    pub value: Value<'a>,
    /// The last event that changed it.
    pub seq: u64,
    /// That event's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// That event's type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The cause of the change.
    pub cause: Cow<'a, str>,
    /// The value before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub old: Option<Value<'a>>,
    /// Only for an unexplained or observed change: the earliest moment at which it may have happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
}

/// A change of `changes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ChangesLine<'a> {
    /// The event's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The event's number in the order of arrival.
    pub seq: u64,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database; `null` if the call did not name it.
    pub database: Option<u64>,
    /// The collection; `null` if the call did not name it.
    pub collection: Option<u64>,
    /// The label in the webhook's address; `null` without one.
    pub label: Option<Cow<'a, str>>,
    /// The change.
    #[serde(flatten)]
    pub change: ChangeLine<'a>,
}

impl<'a> ChangesLine<'a> {
    /// The line of one change of an event.
    pub fn new(event: &'a Event<'a>, change: ChangeLine<'a>) -> Self {
        Self {
            time: seconds_to_rfc3339(event.time),
            seq: event.seq,
            event_type: Cow::Borrowed(event.event_type.name()),
            who: event.key,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            change,
        }
    }
}

/// An interval in which a (sub)profile held a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database that the last call with one named, up to the end of the interval.
    pub database: Option<u64>,
    /// The collection, likewise.
    pub collection: Option<u64>,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The value; `true` for an interest.
    pub value: Value<'a>,
    /// The time of the event that began it.
    pub since: String,
    /// That event's `seq`.
    pub since_seq: u64,
    /// The cause of the change that began it: with `unexplained`,
    /// `first_seen` and `baseline` it may have begun earlier.
    pub cause: Cow<'a, str>,
    /// The time of the event that ended it; null while it lasts. If it is `since`, and of the
    /// same event, only that moment is known.
    pub until: Option<String>,
    /// That event's `seq`.
    pub until_seq: Option<u64>,
}

/// An event of `export`, which `import` reads back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportLine<'a> {
    /// The event's number in the order of arrival; `import` assigns a new one.
    pub seq: u64,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The sender's address.
    pub remote: Option<Cow<'a, str>>,
    /// The label in the webhook's address; `null` without one.
    pub label: Option<Cow<'a, str>>,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The event's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The source of the time.
    pub time_source: TimeSource,
    /// The profile.
    pub profile: u64,
    /// The subprofile.
    pub subprofile: Option<u64>,
    /// The database; `null` if the call did not name it.
    pub database: Option<u64>,
    /// The collection; `null` if the call did not name it.
    pub collection: Option<u64>,
    /// As sent.
    pub created: Option<Cow<'a, str>>,
    /// As sent.
    pub modified: Option<Cow<'a, str>>,
    /// What the action was performed with.
    pub parameters: Fields<'a>,
    /// The fields in the order sent.
    pub fields: Fields<'a>,
    /// The interests in the form sent.
    pub interests: Interests<'a>,
    /// Every other variable.
    pub extra: Fields<'a>,
    /// Whether Copernica's signature was verified; missing if signatures were not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// The body as sent, if it was requested, or if two events differ in nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The body in base64, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
    /// The proof that Copernica sent the body, if it was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Proof>,
    /// Only in events that `reconcile --record` added: whether the export had the
    /// (sub)profile (`present`) or not (`gone`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Cow<'a, str>>,
    /// The state after pruned events; such a line is not an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselinePart>,
    /// The erasure of the profile; such a line is not an event, and its `seq` is that of the
    /// receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erasure>,
}

impl<'a> ExportLine<'a> {
    /// The (sub)profile.
    pub const fn key(&self) -> ProfileKey {
        ProfileKey {
            profile: self.profile,
            subprofile: self.subprofile,
        }
    }

    /// The line of an event, without its body.
    pub fn new(event: Event<'a>) -> Self {
        let content = event.content;
        let seen = event.event_type.seen();
        Self {
            observed: seen.map(|seen| Cow::Borrowed(seen.name())),
            seq: event.seq,
            received: micros_to_rfc3339(event.received),
            remote: event.remote,
            label: event.label,
            event_type: event.event_type.into_name(),
            time: seconds_to_rfc3339(event.time),
            time_source: event.time_source,
            profile: event.key.profile,
            subprofile: event.key.subprofile,
            database: event.database,
            collection: event.collection,
            created: content.created,
            modified: content.modified,
            parameters: content.parameters,
            fields: content.fields,
            interests: content.interests.unwrap_or_default(),
            extra: content.extra,
            verified: event.verified,
            ..Self::default()
        }
    }
}

/// The answer of `evidence`: the key's signature of the text `signed`, which contains the
/// digest of the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceLine<'a> {
    /// The event's place in the order of arrival.
    pub seq: u64,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The sender's address.
    pub remote: Option<Cow<'a, str>>,
    /// When the signature was first verified.
    #[schemars(extend("format" = "date-time"))]
    pub verified_at: String,
    /// The name of the key's record in DNS.
    pub key: String,
    /// The record's content.
    pub record: String,
    /// The public key in the record, as PEM.
    pub public_key: String,
    /// The signed text.
    pub signed: String,
    /// The signature (RSASSA-PKCS1-v1_5 with SHA-256) in base64.
    pub signature: String,
    /// The body as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The body in base64, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
}

/// A call of `rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectedLine<'a> {
    /// The call's number in the order of arrival of rejected calls: 1, 2, 3, …
    pub number: u64,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The sender's address.
    pub remote: Option<Cow<'a, str>>,
    /// The label in the webhook's address; `null` without one.
    pub label: Option<Cow<'a, str>>,
    /// The `Content-Type` as sent.
    pub content_type: Option<Cow<'a, str>>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The reason.
    pub error: Cow<'a, str>,
    /// The place of the fault in the call.
    #[serde(rename = "where")]
    pub place: Cow<'a, str>,
    /// The body as received; if it exceeded the limit, the part that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The body in base64, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
}

/// A label of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelCount<'a> {
    /// The label.
    pub label: Option<Cow<'a, str>>,
    /// The number of events with this label.
    pub events: u64,
}

/// A body as `body`, or as `body_base64` if it is not UTF-8.
pub(super) fn body_fields(bytes: &[u8]) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(Cow::Borrowed(text)), None),
        Err(_) => (None, Some(Cow::Owned(base64(bytes)))),
    }
}
