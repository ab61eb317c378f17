//! The line of `stats`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::index::LookupState;

/// How much there is, in one object. Times are RFC 3339 in UTC, null without
/// events; sizes are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatsLine {
    /// Events in the time range.
    pub events: u64,
    /// Profiles with an event in the time range.
    pub profiles: u64,
    /// Subprofiles with an event in the time range.
    pub subprofiles: u64,
    /// Rejected calls that arrived in the time range.
    pub rejected: u64,
    /// Events that were removed on purpose, of any time.
    pub pruned: u64,
    /// The first event's time.
    pub first_time: Option<String>,
    /// The last event's time.
    pub last_time: Option<String>,
    /// The first receipt of an event.
    pub first_received: Option<String>,
    /// The last receipt of an event.
    pub last_received: Option<String>,
    /// The bodies of the events in the time range, as they were sent.
    pub body_bytes: u64,
    /// The files of the log of events. This and the following do not depend on the
    /// time range.
    pub log_bytes: u64,
    /// The files of the log of rejected calls.
    pub rejected_bytes: u64,
    /// The files of the index.
    pub index_bytes: u64,
    /// Segments of both logs that are plain.
    pub plain_segments: u64,
    /// Segments of both logs that are sealed.
    pub sealed_segments: u64,
    /// Events by day, `YYYY-MM-DD` in UTC (in tables, in their zone), sorted, without empty days.
    pub days: Vec<Count>,
    /// Events by type, the most frequent first, as in the following lists.
    pub types: Vec<Count>,
    /// Events by label; the empty name means none.
    pub labels: Vec<Count>,
    /// Events by database.
    pub databases: Vec<Count>,
    /// How many updates name each field or interest among their parameters.
    pub fields: Vec<Count>,
    /// Which of these lists are incomplete, because there were more than 10,000
    /// names.
    pub capped: Vec<String>,
    /// The look-ups, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupState>,
}

/// How many events have a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The name.
    pub name: String,
    /// How many.
    pub events: u64,
}
