//! The lines of answers: their keys and key order are stable.
//!
//! Times are RFC 3339 in UTC: of events in whole seconds, of receipt in
//! microseconds. `null` in `old` or `new` means absent; a missing `old` means
//! unknown.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::baselines::BaselinePart;
pub use super::find::FindLine;
use crate::auth::signature::Proof;
use crate::event::{Fields, Interests, ProfileKey, TimeSource};
pub use crate::history::{Change as ChangeLine, Difference as DiffLine};
use crate::history::{Subject, Value, known};

/// An event of `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryLine<'a> {
    /// Its place in the order of arrival.
    pub seq: u64,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// Its time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Where that was read.
    pub time_source: TimeSource,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database, where the call named it.
    pub database: Option<u64>,
    /// The collection, where the call named it.
    pub collection: Option<u64>,
    /// The label in the webhook's address.
    pub label: Option<Cow<'a, str>>,
    /// Only in a dossier: the sender's address.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    #[schemars(with = "Option<Value<'a>>")]
    pub remote: Option<Option<Cow<'a, str>>>,
    /// Whether it was verified that Copernica sent it; missing where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Only in a dossier: the key of which `evidence` shows the signature, where it is
    /// kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// Only of an observed event, which is no call: whether the (sub)profile was
    /// seen (`present`) or seen to be `gone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Cow<'a, str>>,
    /// What it changed.
    pub changes: Vec<ChangeLine<'a>>,
    /// The event that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<u64>,
}

/// The event that `show` speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LastEvent {
    /// Its place in the order of arrival.
    pub seq: u64,
    /// Its time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
}

/// The answer of `show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database as last named.
    pub database: Option<u64>,
    /// The collection as last named.
    pub collection: Option<u64>,
    /// The moment.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// `present`, `deleted` or `unknown`.
    pub state: String,
    /// The last event up to the moment that is no duplicate.
    pub last_event: Option<LastEvent>,
    /// The fields in the order sent.
    pub fields: Fields<'a>,
    /// The names of the interests held, in name order.
    pub interests: Vec<Cow<'a, str>>,
    /// As sent.
    pub created: Option<Cow<'a, str>>,
    /// As sent.
    pub modified: Option<Cow<'a, str>>,
    /// The profile's `delete` that ended the subprofile, or the export that did
    /// not have the profile, where nothing has told its state since; missing elsewhere, and where `cascade` is not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<LastEvent>,
}

/// A row of `blame`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlameLine<'a> {
    /// What is blamed.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// What it is.
    pub value: Value<'a>,
    /// The event that changed it last.
    pub seq: u64,
    /// That event's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// That event's type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// Why it changed.
    pub cause: Cow<'a, str>,
    /// What it was before.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known"
    )]
    pub old: Option<Value<'a>>,
    /// Of an unexplained or observed change: since when it may have happened.
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
    /// Its place in the order of arrival.
    pub seq: u64,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database, where the call named it.
    pub database: Option<u64>,
    /// The collection, where the call named it.
    pub collection: Option<u64>,
    /// The label in the webhook's address.
    pub label: Option<Cow<'a, str>>,
    /// What changed.
    #[serde(flatten)]
    pub change: ChangeLine<'a>,
}

/// An event of `export`, which `import` reads back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportLine<'a> {
    /// Its place in the order of arrival; given anew at import.
    pub seq: u64,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The sender's address.
    pub remote: Option<Cow<'a, str>>,
    /// The label in the webhook's address.
    pub label: Option<Cow<'a, str>>,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// Its time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Where that was read.
    pub time_source: TimeSource,
    /// The profile.
    pub profile: u64,
    /// The subprofile.
    pub subprofile: Option<u64>,
    /// The database, where the call named it.
    pub database: Option<u64>,
    /// The collection, where the call named it.
    pub collection: Option<u64>,
    /// As sent.
    pub created: Option<Cow<'a, str>>,
    /// As sent.
    pub modified: Option<Cow<'a, str>>,
    /// What the action was performed with.
    pub parameters: Fields<'a>,
    /// The fields, in the order sent.
    pub fields: Fields<'a>,
    /// The interests in the form sent.
    pub interests: Interests<'a>,
    /// Every other variable.
    pub extra: Fields<'a>,
    /// Whether it was verified that Copernica sent it; missing where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// The body as sent, where that was asked for or is needed to tell two
    /// events apart that are alike in everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The same in base64, where the body is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
    /// What proves that Copernica sent the body, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Proof>,
    /// Only of an observed event, which is no call: whether the (sub)profile was
    /// seen (`present`) or seen to be `gone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Cow<'a, str>>,
    /// What stands for pruned events, and is no event itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselinePart>,
}

/// The answer of `evidence`: the signature is by the key over `signed`, which
/// has the digest of the body.
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
    /// When the signature was verified first.
    #[schemars(extend("format" = "date-time"))]
    pub verified_at: String,
    /// The key's name: where its record was published in DNS.
    pub key: String,
    /// The record as seen.
    pub record: String,
    /// The key that is in it, as PEM.
    pub public_key: String,
    /// The text that is signed.
    pub signed: String,
    /// The signature (RSASSA-PKCS1-v1_5 with SHA-256) in base64.
    pub signature: String,
    /// The body as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The same in base64, where the body is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
}

/// A call of `rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectedLine<'a> {
    /// Its place in the order of arrival among the rejected: 1, 2, 3, …
    pub number: u64,
    /// The moment of receipt.
    #[schemars(extend("format" = "date-time"))]
    pub received: String,
    /// The sender's address.
    pub remote: Option<Cow<'a, str>>,
    /// The label in the webhook's address.
    pub label: Option<Cow<'a, str>>,
    /// The `Content-Type` as sent.
    pub content_type: Option<Cow<'a, str>>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What was wrong.
    pub error: Cow<'a, str>,
    /// Where.
    #[serde(rename = "where")]
    pub place: Cow<'a, str>,
    /// The body as it came; of one over the limit what had arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The same in base64, where the body is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
}

/// A label of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelCount<'a> {
    /// The label.
    pub label: Option<Cow<'a, str>>,
    /// How many of the events have it.
    pub events: u64,
}

/// A body as `body`, or as `body_base64` where it is no UTF-8.
pub(super) fn body_fields(bytes: &[u8]) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    use base64::Engine as _;
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(Cow::Borrowed(text)), None),
        Err(_) => (
            None,
            Some(Cow::Owned(
                base64::engine::general_purpose::STANDARD.encode(bytes),
            )),
        ),
    }
}
