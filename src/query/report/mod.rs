//! `report`: the number of changes by field, by hour, or by other keys.
//!
//! Changes are counted where they are found ([`tally`]): nothing is sorted, and
//! memory holds one count per group, for at most [`tally::GROUPS`] groups; changes
//! of other groups are reported as left out. The numbers of events and
//! (sub)profiles of a group are exact.
//!
//! Hours, days and months follow the clocks of a zone: the reader's for
//! human-readable answers, UTC for programs. The two passes of a repeated hour are
//! separate hours, and a day has 23 hours if one was skipped.

mod group;
mod lines;
mod tally;

use serde::{Deserialize, Serialize};

pub use group::By;
pub use lines::{ReportGroup, ReportLine};

use super::answer::{Lines, QueryError};
use super::changes::visit_changes;
use super::command::changes_command;
use super::filter::Filter;
use crate::event::{Zone, seconds_to_rfc3339};
use crate::store::Snapshot;
use tally::{Tally, Total};

/// How many changes there are of each kind.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportQuery {
    /// What to count by, several with commas: field, type, label, cause, hour, day, month, database, collection
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        default_value = "field",
        hide_possible_values = true
    )]
    pub by: Vec<By>,
    /// Which changes.
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: Filter,
    /// At most so many rows
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// The zone of hours, days and months.
    #[arg(skip = Zone::UTC)]
    #[serde(with = "zone_name")]
    pub zone: Zone,
}

/// A zone by its name.
mod zone_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::event::{Zone, zone_from_name};

    pub fn serialize<S: Serializer>(zone: &Zone, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(zone.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Zone, D::Error> {
        zone_from_name(&String::deserialize(input)?).map_err(D::Error::custom)
    }
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ReportQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut by = Vec::new();
    for wanted in &query.by {
        if !by.contains(wanted) {
            by.push(*wanted);
        }
    }
    let mut total = Total::default();
    let make = || Tally::new(&by, query.zone);
    visit_changes(snapshot, &query.filter, lines, &make, &mut |tally| {
        total.join(tally);
        Ok(())
    })?;
    if total.left_out > 0 {
        lines.note(format!(
            "there are more than {} groups: {} changes are of others; ask for a shorter span, or group by less",
            tally::GROUPS,
            total.left_out
        ));
    }
    for (parts, count) in total.ranked() {
        let mut filter = Some(query.filter.clone());
        let mut group = ReportGroup::default();
        for (part, by) in parts.into_iter().zip(&by) {
            filter = filter.and_then(|filter| part.narrow(*by, query.zone, filter));
            part.put(*by, query.zone, &mut group);
        }
        let more = lines.put(&ReportLine {
            group,
            changes: count.changes,
            events: count.events,
            profiles: count.profiles,
            subprofiles: count.subprofiles,
            first: seconds_to_rfc3339(count.times.or_default().0),
            last: seconds_to_rfc3339(count.times.or_default().1),
            command: filter.as_ref().and_then(changes_command).map(Into::into),
        })?;
        if !more {
            break;
        }
    }
    Ok(lines.written > 0)
}
