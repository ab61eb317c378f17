//! The lines of a dossier: each says by `part` what it is.
//!
//! They come in the order of the parts here: one `about`, one `total`, of each
//! (sub)profile a `state` and its `now`, then `value`, `gap`, `event` and `key`.
//! Times are as in all answers. Names of beginnings and ends are those of
//! `find`: `since` and `until` are the events by which a value is known to have
//! come and to have gone.

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
    /// What is asked, and when it was answered.
    About(AboutPart<'a>),
    /// How much there is.
    Total(TotalPart),
    /// What a (sub)profile is at the moment.
    State(StatePart),
    /// A value of that moment.
    Now(NowPart<'a>),
    /// A value while it lasted.
    Value(ValuePart<'a>),
    /// Something that is not known.
    Gap(GapPart<'a>),
    /// An event: the keys of `history`, and who sent it.
    Event(Box<HistoryLine<'a>>),
    /// A key by which events were verified.
    Key(KeyPart<'a>),
}

/// What is asked, and when it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AboutPart<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The fields that are asked for; with no interests either, all are.
    pub fields: Vec<Cow<'a, str>>,
    /// The interests that are asked for.
    pub interests: Vec<Cow<'a, str>>,
    /// From when on events are told; `null` is the beginning.
    pub since: Option<String>,
    /// The moment that is spoken of as now: events after it are left out.
    pub at: String,
    /// When the dossier was made.
    pub made: String,
    /// The version of the program that made it.
    pub version: Cow<'a, str>,
}

/// How much there is, of the profile and its subprofiles together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TotalPart {
    /// Subprofiles of which there are or were events.
    pub subprofiles: u64,
    /// Events in the span that repeat none, whatever they changed.
    pub events: u64,
    /// Events in the span that repeat one, and change nothing.
    pub duplicates: u64,
    /// Of the events, how many are signed by Copernica.
    pub verified: u64,
    /// How many came without a signature, though signatures were looked for.
    pub unsigned: u64,
    /// How many came while nobody looked.
    pub unchecked: u64,
    /// How many have changes that no call claims.
    pub unexplained: u64,
    /// How many tell values whose beginning is not known.
    pub first_seen: u64,
    /// Of how many (sub)profiles older events were pruned.
    pub pruned: u64,
    /// Events that cannot be read, or are known to be lost: how many reports.
    pub damaged: u64,
    /// The first event in the span.
    pub first_event: Option<LastEvent>,
    /// The last one.
    pub last_event: Option<LastEvent>,
}

/// What a (sub)profile is at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatePart {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The database as last named.
    pub database: Option<u64>,
    /// The collection as last named.
    pub collection: Option<u64>,
    /// `present`, `deleted` or `unknown`.
    pub state: String,
    /// Its events in the span that repeat none.
    pub events: u64,
    /// Those that do.
    pub duplicates: u64,
    /// The last event up to the moment that is no duplicate.
    pub last_event: Option<LastEvent>,
    /// The profile's `delete` that ended the subprofile, where it was that.
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
    /// What it is; of what was asked for by name and is not there: `null`, and
    /// `false` of an interest.
    pub value: Value<'a>,
    /// By what it came; `null` where it is not there.
    pub since: Option<Origin>,
    /// Of what is not there, but was: how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ending>,
}

/// A value while it lasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValuePart<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// What it was.
    pub value: Value<'a>,
    /// By what it came.
    pub since: Origin,
    /// By what it went; `null` where it lasts.
    pub until: Option<Ending>,
}

/// Something that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapPart<'a> {
    /// `unexplained`: values changed at an unseen moment. `first_seen`: what was
    /// before is not known. `pruned`: older events were removed. `damage`: events
    /// cannot be read. `lost`: they are known to be lost.
    pub kind: Cow<'a, str>,
    /// Whose; `null` where that is not known either.
    pub profile: Option<u64>,
    /// The subprofile.
    pub subprofile: Option<u64>,
    /// The event that shows it.
    pub seq: Option<u64>,
    /// Since when; `null` is the beginning, or not known.
    pub since: Option<String>,
    /// Until when; `null` is not known.
    pub until: Option<String>,
    /// The fields that are concerned; with no interests either, all are.
    pub fields: Vec<Cow<'a, str>>,
    /// The interests that are concerned.
    pub interests: Vec<Cow<'a, str>>,
    /// What was found, where it is no matter of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
}

/// A key by which events were verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPart<'a> {
    /// Its name: where its record was published in DNS.
    pub key: Cow<'a, str>,
    /// How many of the events it has signed.
    pub events: u64,
    /// One of them, for `evidence`.
    pub example: u64,
}
