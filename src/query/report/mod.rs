//! `report`: the number of changes by field, by hour, or by other keys.
//!
//! Changes are counted where they are found: nothing is sorted, and memory holds one
//! count per group, for at most [`GROUPS`] groups; changes of other groups are
//! reported as left out. The numbers of events and (sub)profiles of a group are exact.
//!
//! Hours, days and months follow the clocks of a zone: the reader's for
//! human-readable answers, UTC for programs. The two passes of a repeated hour are
//! separate hours, and a day has 23 hours if one was skipped.

mod group;
mod lines;

use std::cmp::Reverse;

use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

pub use group::By;
pub use lines::{ReportGroup, ReportLine};

use super::answer::{Lines, QueryError};
use super::changes::{ChangeVisitor, Collector, collect_changes};
use super::command::changes_command;
use super::counter::{BoundedMap, Counted, Extent};
use super::filter::Filter;
use crate::event::{Event, Zone, seconds_to_rfc3339, zone_name};
use crate::history::Change;
use crate::store::Snapshot;
use group::Part;

/// The maximum number of groups.
const GROUPS: usize = 50_000;

/// How many changes there are of each kind.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportQuery {
    /// What to count by, separated by commas: field, type, label, cause, hour, day, month, database, collection
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
    /// At most this many rows
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// The zone of hours, days and months.
    #[arg(skip = Zone::UTC)]
    #[serde(with = "zone_name")]
    pub zone: Zone,
}

impl ReportQuery {
    /// What to count by, each once.
    pub fn distinct_by(&self) -> Vec<By> {
        let by: IndexSet<By> = self.by.iter().copied().collect();
        by.into_iter().collect()
    }
}

/// The counts of a group.
#[derive(Default)]
struct Count {
    changes: u64,
    extent: Extent,
}

impl Counted for Count {
    fn join(&mut self, other: Self) {
        self.changes += other.changes;
        self.extent.join(&other.extent);
    }

    fn count(&self) -> u64 {
        self.changes
    }
}

/// Counts changes by group.
struct Tally<'q> {
    by: &'q [By],
    zone: Zone,
    groups: BoundedMap<Vec<Part>, Count>,
}

impl ChangeVisitor for Tally<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        for change in &changes {
            let of = |by: &By| Part::of(*by, self.zone, event, change);
            match self.groups.entry(self.by.iter().map(of).collect()) {
                Some((_, count)) => {
                    count.changes += 1;
                    count.extent.add(event);
                }
                None => self.groups.others += 1,
            }
        }
        Ok(true)
    }
}

impl Collector for Tally<'_> {
    fn join(&mut self, other: Self) {
        self.groups.join(other.groups);
    }
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ReportQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let by = query.distinct_by();
    let tally = collect_changes(snapshot, &query.filter, lines, &|| Tally {
        by: &by,
        zone: query.zone,
        groups: BoundedMap::new(GROUPS, |parts| parts.iter().map(Part::name_len).sum()),
    })?;
    if tally.groups.others > 0 {
        lines.note(format!(
            "there are more than {} groups: {} changes belong to others; ask for a shorter span, or group by less",
            tally.groups.values.len(),
            tally.groups.others
        ));
    }
    // By time; those of the same or no time by number of changes, the highest first.
    let mut groups: Vec<_> = tally.groups.values.into_iter().collect();
    groups.sort_by_cached_key(|(parts, count)| {
        let times: Vec<i64> = parts.iter().filter_map(Part::time).collect();
        (times, Reverse(count.changes), parts.clone())
    });
    for (parts, Count { changes, extent }) in groups {
        // A group of another cause speaks of the same states.
        let cascade = query.filter.cascades();
        let mut filter = Some(Filter {
            cascade,
            ..query.filter.clone()
        });
        let mut group = ReportGroup::default();
        for (part, by) in parts.into_iter().zip(&by) {
            filter = filter.and_then(|filter| part.narrow(*by, query.zone, filter));
            part.put(*by, query.zone, &mut group);
        }
        let (first, last) = extent.times.or_default();
        let more = lines.put(&ReportLine {
            group,
            changes,
            events: extent.events,
            profiles: extent.profiles,
            subprofiles: extent.subprofiles,
            first: seconds_to_rfc3339(first),
            last: seconds_to_rfc3339(last),
            command: filter.as_ref().and_then(changes_command).map(Into::into),
        })?;
        if !more {
            break;
        }
    }
    Ok(lines.written > 0)
}
