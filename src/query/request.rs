//! What can be asked. Times are Unix seconds.

use serde::{Deserialize, Serialize};

use super::dossier::DossierQuery;
use super::filter::{Filter, Span, key_text};
use super::find::FindQuery;
use super::gaps::GapsQuery;
use super::incidents::IncidentsQuery;
use super::loops::LoopsQuery;
use super::report::ReportQuery;
use crate::event::ProfileKey;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// The events of a (sub)profile.
    History(HistoryQuery),
    /// Its state at a moment.
    Show(ShowQuery),
    /// The net differences between two moments.
    Diff(DiffQuery),
    /// The last change of every field and interest.
    Blame(BlameQuery),
    /// What changed when, over all profiles.
    Changes(ChangesQuery),
    /// Which (sub)profiles have or had a value.
    Find(FindQuery),
    /// Every event.
    Export(ExportQuery),
    /// The calls that could not be read.
    Rejected(RejectedQuery),
    /// What proves that Copernica sent an event.
    Evidence(EvidenceQuery),
    /// The newest events, or those after one, in the order of arrival.
    Tail(TailQuery),
    /// What an event asked for against what came of it.
    Explain(ExplainQuery),
    /// Everything about a (sub)profile.
    Dossier(DossierQuery),
    /// How many changes there are of each kind.
    Report(ReportQuery),
    /// What changed unexplained.
    Gaps(GapsQuery),
    /// Bursts of changes.
    Incidents(IncidentsQuery),
    /// Fields that go on changing.
    Loops(LoopsQuery),
}

impl Query {
    /// Whether the index is asked for the answer.
    pub const fn needs_index(&self) -> bool {
        !matches!(self, Self::Rejected(_) | Self::Evidence(_))
    }

    /// Whether it matters to the answer whose an event is.
    pub(super) const fn needs_owners(&self) -> bool {
        !matches!(
            self,
            Self::Rejected(_) | Self::Export(_) | Self::Evidence(_) | Self::Tail(_)
        )
    }
}

/// The events of a (sub)profile, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// Whose.
    pub key: ProfileKey,
    /// Only events that changed one of these fields, or of the interests.
    pub fields: Vec<String>,
    /// Only events that changed one of these interests, or of the fields.
    pub interests: Vec<String>,
    /// Only events in this span.
    pub span: Span,
    /// Duplicates too.
    pub all: bool,
    /// The most lines.
    pub limit: Option<u64>,
    /// Newest first.
    pub reverse: bool,
    /// The events of the profile's subprofiles too.
    pub subprofiles: bool,
    /// Subprofiles end with their profile.
    #[serde(default)]
    pub cascade: bool,
}

/// The state of a (sub)profile at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShowQuery {
    /// Whose.
    pub key: ProfileKey,
    /// When; `None` is now.
    pub at: Option<i64>,
    /// Subprofiles end with their profile.
    #[serde(default)]
    pub cascade: bool,
}

/// The net differences between two moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffQuery {
    /// Whose.
    pub key: ProfileKey,
    /// The earlier moment.
    pub from: i64,
    /// The later moment; `None` is now.
    pub to: Option<i64>,
    /// Subprofiles end with their profile.
    #[serde(default)]
    pub cascade: bool,
}

/// The last change of every field and interest that is present at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlameQuery {
    /// Whose.
    pub key: ProfileKey,
    /// When; `None` is now.
    pub at: Option<i64>,
    /// Subprofiles end with their profile.
    #[serde(default)]
    pub cascade: bool,
}

/// What changed when, over all profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesQuery {
    /// Which changes.
    #[serde(flatten)]
    pub filter: Filter,
    /// The most lines.
    pub limit: Option<u64>,
    /// Newest first.
    #[serde(default)]
    pub reverse: bool,
}

/// Every event in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportQuery {
    /// In this span.
    pub span: Span,
    /// Of this profile and its subprofiles, or of this subprofile.
    #[serde(with = "key_text", default)]
    pub profile: Option<ProfileKey>,
    /// In this database, as the event named it.
    pub database: Option<u64>,
    /// The bodies as sent, too.
    pub raw: bool,
}

/// What proves that Copernica sent an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceQuery {
    /// The event's place in the order of arrival.
    pub seq: u64,
}

/// The newest events in the order of arrival, with what each changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailQuery {
    /// Which events: where something of their changes is asked for, only those
    /// changes, and only events that have some.
    pub filter: Filter,
    /// Only events after this `seq`.
    pub after: Option<u64>,
    /// At most so many, the newest; ignored where `after` is given.
    pub last: Option<u64>,
    /// The most lines.
    pub limit: Option<u64>,
}

/// What an event asked for against what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainQuery {
    /// The event's place in the order of arrival.
    pub seq: u64,
    /// The event itself as the first line, as `tail` has it.
    pub head: bool,
}

/// The calls that could not be read, in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedQuery {
    /// Received in this span.
    pub span: Span,
    /// The most lines.
    pub limit: Option<u64>,
    /// Newest first.
    #[serde(default)]
    pub reverse: bool,
}
