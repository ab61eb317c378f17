//! Notes of answers about erased persons, and the lines of `export` that make an `import`
//! erase them, too.

use std::collections::BTreeSet;

use super::answer::{Lines, Query, QueryError};
use super::lines::ExportLine;
use super::page::Mark;
use super::request::ExportQuery;
use crate::event::{TimeSource, micros_to_rfc3339, seconds_to_rfc3339};
use crate::format::counted;
use crate::log::Erasure;
use crate::store::Snapshot;

/// The erasure of a profile; the last one counts.
pub(super) fn of_profile(snapshot: &Snapshot<'_>, profile: u64) -> Option<String> {
    let mut erasures = snapshot.retention().erasures.iter().rev();
    let erasure = erasures.find(|erasure| erasure.profile == profile)?;
    let events = counted(erasure.events, "event");
    let receipt = match erasure.receipt {
        Some(receipt) => format!("{events}, receipt {receipt}"),
        None => format!("{events}, of which some are not removed from the disk yet"),
    };
    let when = seconds_to_rfc3339(erasure.until.div_euclid(1_000_000));
    Some(format!(
        "profile {profile} was erased on {when} ({receipt})"
    ))
}

/// The note of a question over all profiles.
pub(super) fn note(snapshot: &Snapshot<'_>, query: &Query, lines: &mut Lines<'_>) {
    let profiles = snapshot.retention().erasures.iter();
    let profiles: BTreeSet<u64> = profiles.map(|erasure| erasure.profile).collect();
    let count = profiles.len() as u64;
    if count > 0 && (query.is_over_all() || matches!(query, Query::Stats(_))) {
        let were = if count == 1 { "was" } else { "were" };
        let persons = counted(count, "profile");
        lines.note(format!(
            "{persons} {were} erased: their events are in no answer"
        ));
    }
}

/// Writes a line for each erasure, after all events, if the export covers its profile. The span
/// does not limit them.
pub(super) fn export(
    snapshot: &Snapshot<'_>,
    query: &ExportQuery,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let done = snapshot.retention().erasures.iter();
    let done = done.filter(|erasure| erasure.receipt.is_some());
    for (mark, erasure) in (0..).map(Mark::Erasure).zip(done) {
        let is_meant = match query.profile {
            Some(key) => key.profile == erasure.profile && key.subprofile.is_none(),
            None => query.database.is_none(),
        };
        if is_meant && lines.after.is_none_or(|after| after < mark) {
            let line = serde_json::to_vec(&line_of(erasure))?;
            if !lines.put_at(mark, &line)? {
                break;
            }
        }
    }
    Ok(())
}

pub(super) fn line_of(erasure: &Erasure) -> ExportLine<'static> {
    ExportLine {
        seq: erasure.receipt.unwrap_or_default(),
        received: micros_to_rfc3339(erasure.until),
        event_type: "erased".into(),
        time: seconds_to_rfc3339(erasure.until.div_euclid(1_000_000)),
        time_source: TimeSource::Received,
        profile: erasure.profile,
        erased: Some(erasure.clone()),
        ..ExportLine::default()
    }
}
