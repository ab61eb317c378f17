//! The lines of a dossier; `part` is the kind of each.
//!
//! They come in the order of the parts here: one `about`, one `total`, of each
//! (sub)profile a `state` and its `now`, then `value`, `gap`, `event` and `key`. Times
//! are as in all answers. Beginnings and ends have the names of `find`: `since` and
//! `until` are the first events that show a value and its end.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::ProfileKey;
use crate::history::{Ending, Origin, Subject, Value};
use crate::query::lines::{HistoryLine, LastEvent};

/// A line of a dossier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "part", rename_all = "lowercase")]
pub enum DossierLine<'a> {
    /// The question, and when it was answered.
    About(AboutPart<'a>),
    /// The counts.
    Total(TotalPart),
    /// The state of a (sub)profile at the moment.
    State(StatePart),
    /// A value at that moment.
    Now(NowPart<'a>),
    /// An earlier value and its interval.
    Value(ValuePart<'a>),
    /// Something that is not known.
    Gap(GapPart<'a>),
    /// An event: the keys of `history`, and the sender.
    Event(Box<HistoryLine<'a>>),
    /// A key that signed events.
    Key(KeyPart<'a>),
}

/// The question, and when it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AboutPart<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The requested fields; all if neither fields nor interests are named.
    pub fields: Vec<Cow<'a, str>>,
    /// The requested interests.
    pub interests: Vec<Cow<'a, str>>,
    /// Events from this time on are listed; `null` means from the beginning.
    pub since: Option<String>,
    /// The moment of the dossier; later events are left out.
    pub at: String,
    /// When the dossier was made.
    pub made: String,
    /// The version of the program that made it.
    pub version: Cow<'a, str>,
    /// The signed checkpoint of the log when it was made, to which `prove` leads from each
    /// event; `null` if none could be signed.
    pub checkpoint: Option<Cow<'a, str>>,
}

/// The counts, of the profile and its subprofiles together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TotalPart {
    /// The number of subprofiles that have or had events.
    pub subprofiles: u64,
    /// Events in the time range, duplicates excluded.
    pub events: u64,
    /// Duplicates in the time range; they change nothing.
    pub duplicates: u64,
    /// The number of events with a verified signature.
    pub verified: u64,
    /// The number of events without a signature while signatures were checked.
    pub unsigned: u64,
    /// The number of events received while signatures were not checked.
    pub unchecked: u64,
    /// The number of events with unexplained changes.
    pub unexplained: u64,
    /// The number of events with values whose beginning is not known.
    pub first_seen: u64,
    /// The number of (sub)profiles whose older events were pruned.
    pub pruned: u64,
    /// The number of reports of events that cannot be read or are known to be lost.
    pub damaged: u64,
    /// The first event in the time range.
    pub first_event: Option<LastEvent>,
    /// The last event in the time range.
    pub last_event: Option<LastEvent>,
}

/// The state of a (sub)profile at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatePart {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database that the last call with one named.
    pub database: Option<u64>,
    /// The collection that the last call with one named.
    pub collection: Option<u64>,
    /// `present`, `deleted` or `unknown`.
    pub state: String,
    /// Events in the time range, duplicates excluded.
    pub events: u64,
    /// Duplicates in the time range.
    pub duplicates: u64,
    /// The last event up to the moment, duplicates excluded.
    pub last_event: Option<LastEvent>,
    /// The profile's `delete`, if that ended the subprofile.
    pub cascade: Option<LastEvent>,
    /// As sent.
    pub created: Option<String>,
    /// As sent.
    pub modified: Option<String>,
}

/// A value of the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NowPart<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The value; for a requested field that does not exist `null`, for an interest
    /// `false`.
    pub value: Value<'a>,
    /// The change that set it; `null` if it does not exist.
    pub since: Option<Origin>,
    /// How it ended, if it existed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ending>,
}

/// An earlier value and its interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValuePart<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The value.
    pub value: Value<'a>,
    /// The change that set it.
    pub since: Origin,
    /// The change that ended it; `null` if it is current.
    pub until: Option<Ending>,
}

/// Something that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapPart<'a> {
    /// `unexplained`: values changed without a call. `first_seen`: the values before are not
    /// known. `pruned`: older events were removed. `damage`: events cannot be read.
    /// `lost`: events are known to be lost.
    pub kind: Cow<'a, str>,
    /// The profile; `null` if it is not known either.
    pub profile: Option<u64>,
    /// The subprofile.
    pub subprofile: Option<u64>,
    /// The event from which this is known.
    pub seq: Option<u64>,
    /// The earliest possible moment; `null` if it is the beginning, or not known.
    pub since: Option<String>,
    /// The latest possible moment; `null` if it is not known.
    pub until: Option<String>,
    /// The affected fields; all if neither fields nor interests are named.
    pub fields: Vec<Cow<'a, str>>,
    /// The affected interests.
    pub interests: Vec<Cow<'a, str>>,
    /// The finding, if it does not concern fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
}

/// A key that signed events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPart<'a> {
    /// The name of the key's record in DNS.
    pub key: Cow<'a, str>,
    /// The number of events that it signed.
    pub events: u64,
    /// One of these events, for `evidence`.
    pub example: u64,
}
