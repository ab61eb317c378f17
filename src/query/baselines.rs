//! Baselines as lines of `export`, which `import` reads back.
//!
//! They precede the events, in the order of (sub)profiles. Only an empty folder
//! accepts them: elsewhere they would cover a period that has events. The numbers
//! of pruned events have no meaning in another folder, where all of them are 0.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Lines, QueryError};
use super::lines::ExportLine;
use super::page::Mark;
use super::request::ExportQuery;
use crate::event::{Interests, TimeSource, micros_to_rfc3339, seconds_to_rfc3339};
use crate::history::{Baseline, DIGEST_LEN, Known, Place, PrunedDigest, State};
use crate::store::Snapshot;
use crate::store::retention::KeptBaseline;

/// What only a baseline's line has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselinePart {
    /// `present`, `deleted` or `unknown`.
    pub state: String,
    /// The order of the last pruned event among those of its second.
    pub rank: u8,
    /// The pruned events of that second: rank and digest in hexadecimal.
    pub second: Vec<(u8, String)>,
}

/// Writes the matching baselines. Returns the events that must be exported with
/// their bodies: they may repeat pruned events, which are identified by their
/// bytes.
pub(super) fn export(
    snapshot: &Snapshot<'_>,
    query: &ExportQuery,
    lines: &mut Lines<'_>,
) -> Result<BTreeSet<u64>, QueryError> {
    let retention = snapshot.retention();
    let mut bodies = BTreeSet::new();
    if let Some(key) = query.profile.filter(|key| key.subprofile.is_some()) {
        if let Some(baseline) = retention.baseline_of(key)? {
            let kept = KeptBaseline { key, baseline };
            put(snapshot, query, kept, &mut bodies, lines)?;
        }
        return Ok(bodies);
    }
    let mut walk = retention.walk_baselines();
    while !lines.is_full()
        && let Some(kept) = walk.step()?
    {
        put(snapshot, query, kept, &mut bodies, lines)?;
    }
    Ok(bodies)
}

fn put(
    snapshot: &Snapshot<'_>,
    query: &ExportQuery,
    kept: KeptBaseline,
    bodies: &mut BTreeSet<u64>,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let KeptBaseline { key, baseline } = &kept;
    let in_database = |database| baseline.database == Some(database);
    if query
        .profile
        .is_none_or(|wanted| wanted.profile == key.profile)
        && query.span.contains(baseline.place.time)
        && query.database.is_none_or(in_database)
    {
        let times = snapshot.times_of(*key)?.into_iter();
        let second = times.filter(|(time, _)| *time == baseline.place.time);
        bodies.extend(second.map(|(_, seq)| seq));
        let mark = Mark::Baseline(*key);
        if query.from_seq.is_none() && lines.after.is_none_or(|after| after < mark) {
            let line = serde_json::to_vec(&line_of(kept))?;
            lines.put_at(mark, &line)?;
        }
    }
    Ok(())
}

pub(super) fn line_of(kept: KeptBaseline) -> ExportLine<'static> {
    let KeptBaseline { key, baseline } = kept;
    let (state, content) = baseline.known.into_state();
    let hex = |gone: &PrunedDigest| format!("{:032x}", u128::from_be_bytes(gone.digest));
    let second = baseline.second.iter();
    ExportLine {
        seq: baseline.place.seq,
        received: micros_to_rfc3339(baseline.place.time.saturating_mul(1_000_000)),
        event_type: "baseline".into(),
        time: seconds_to_rfc3339(baseline.place.time),
        time_source: TimeSource::Time,
        profile: key.profile,
        subprofile: key.subprofile,
        database: baseline.database,
        collection: baseline.collection,
        created: content.created,
        modified: content.modified,
        fields: content.fields,
        interests: Interests::List(content.interests.into_iter().collect()),
        baseline: Some(BaselinePart {
            state: state.to_owned(),
            rank: baseline.place.rank,
            second: second.map(|gone| (gone.rank, hex(gone))).collect(),
        }),
        ..ExportLine::default()
    }
}

/// The baseline of a line whose time was parsed already, in Unix seconds.
pub(super) fn read(
    line: ExportLine<'static>,
    part: BaselinePart,
    time: i64,
) -> Result<KeptBaseline, String> {
    let key = line.key();
    let state = State {
        fields: line.fields,
        interests: match line.interests {
            Interests::List(names) => names.into_iter().collect(),
            Interests::Map(_) => {
                return Err("\"interests\" of a baseline must be a list".to_owned());
            }
        },
        created: line.created,
        modified: line.modified,
    };
    let known = match part.state.as_str() {
        "unknown" => Known::Nothing,
        "present" => Known::Present(state),
        "deleted" => Known::Deleted {
            created: state.created,
            modified: state.modified,
        },
        other => return Err(format!("\"state\": {other:?} is not a state")),
    };
    let second = part.second.into_iter().map(|(rank, hex)| {
        let digest = digest(&hex).ok_or_else(|| format!("{hex:?} is not a digest"))?;
        Ok(PrunedDigest {
            seq: 0,
            rank,
            digest,
        })
    });
    Ok(KeptBaseline {
        key,
        baseline: Baseline {
            place: Place {
                time,
                rank: part.rank,
                seq: 0,
            },
            known,
            database: line.database,
            collection: line.collection,
            second: second.collect::<Result<_, String>>()?,
        },
    })
}

fn digest(hex: &str) -> Option<[u8; DIGEST_LEN]> {
    let number = u128::from_str_radix(hex, 16).ok()?;
    (hex.len() == 2 * DIGEST_LEN).then(|| number.to_be_bytes())
}

/// Whether two baselines are equal except for the numbers of their events.
pub(super) fn is_same(one: &Baseline, other: &Baseline) -> bool {
    (one.place.time, one.place.rank, &one.known)
        == (other.place.time, other.place.rank, &other.known)
        && (one.database, one.collection) == (other.database, other.collection)
}
