//! The request and the results of a comparison.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{ProfileKey, TimeSource};
use crate::history::known;

/// The parameters of a comparison. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileOrder {
    /// The fields that are compared: the file's columns, in its order.
    pub columns: Vec<String>,
    /// The moment whose state is compared.
    pub at: i64,
    /// The source of that time, for recorded events.
    pub time_source: TimeSource,
    /// Whether the rows are subprofiles.
    pub subprofiles: bool,
    /// The database of the rows, …
    pub database: Option<u64>,
    /// … and their collection.
    pub collection: Option<u64>,
    /// Whether (sub)profiles without a row are reported: the file is a complete
    /// export of the database or collection.
    pub gone: bool,
    /// Whether columns that nobody in the trail has as a field are left out; not if the trail
    /// has no fields at all.
    pub only_fields: bool,
    /// Whether and how differences are recorded.
    pub record: Option<Recording>,
}

/// How differences are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The label of the events.
    pub label: Option<String>,
}

/// A row of the file: the profile, the subprofile, and the cells of the
/// columns. Rows come in the order of their keys, each key once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow(pub u64, pub Option<u64>, pub Vec<String>);

impl FileRow {
    /// The (sub)profile of the row.
    pub const fn key(&self) -> ProfileKey {
        ProfileKey {
            profile: self.0,
            subprofile: self.1,
        }
    }
}

/// A difference between the file and the trail: of one field, or a finding
/// about the whole (sub)profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileLine<'a> {
    /// The (sub)profile.
    #[serde(flatten)]
    pub who: ProfileKey,
    /// The field that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Cow<'a, str>>,
    /// Only for a field: its value in the trail; `null` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub trail: Option<Option<Cow<'a, str>>>,
    /// Only for a field: its value in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Cow<'a, str>>,
    /// `unknown`: in the file, but its state is not known in the trail. `deleted`: in the file,
    /// but deleted in the trail. `gone`: present in the trail, but not in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Cow<'a, str>>,
}

impl<'a> ReconcileLine<'a> {
    /// The line of a finding.
    pub(super) fn finding(who: ProfileKey, finding: &'a str) -> Self {
        Self {
            who,
            field: None,
            trail: None,
            file: None,
            finding: Some(finding.into()),
        }
    }
}

/// The result of the rows so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileReport {
    /// Rows that were compared.
    pub rows: u64,
    /// Rows without differences.
    pub same: u64,
    /// Rows with differing fields.
    pub differing: u64,
    /// Rows whose state is unknown in the trail.
    pub unknown: u64,
    /// Rows of (sub)profiles that are deleted in the trail.
    pub deleted: u64,
    /// (Sub)profiles that are present in the trail but have no row.
    pub gone: u64,
    /// Events that were recorded.
    pub recorded: u64,
    /// (Sub)profiles with differences that are not recorded, since their events of
    /// that moment were pruned.
    pub doubtful: u64,
    /// The result of each column, in order.
    pub columns: Vec<ColumnCount>,
    /// Columns that were left out because they are not fields.
    pub left_out: Vec<String>,
    /// Why the comparison cannot continue, if it cannot.
    pub failure: Option<String>,
}

/// The result of the rows in one column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnCount {
    /// Rows of known (sub)profiles that differ in it.
    pub differing: u64,
    /// Of these, the rows whose (sub)profile has no such field in the trail.
    pub absent: u64,
}

impl ReconcileReport {
    /// How many fields differ.
    pub fn fields(&self) -> u64 {
        self.columns.iter().map(|column| column.differing).sum()
    }

    /// The number of (sub)profiles that differ.
    pub const fn found(&self) -> u64 {
        self.differing + self.unknown + self.deleted + self.gone
    }

    /// The number of events needed to record the differences.
    pub const fn to_record(&self) -> u64 {
        self.found() - self.doubtful
    }
}
