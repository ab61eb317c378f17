//! `stats`: counts by day, type, label, database and field.
//!
//! It reads the log once, on several cores, and skips blocks whose times are
//! outside the time range. The index provides the numbers of (sub)profiles.

mod lines;
mod tally;

use std::collections::BTreeMap;

pub use lines::{Count, StatsLine};

use serde::{Deserialize, Serialize};

use super::answer::{Lines, QueryError};
use super::counter::TimeRange;
use super::filter::Span;
use super::progress::{Progress, Stage};
use crate::event::{Zone, micros_to_rfc3339, seconds_to_rfc3339, zone_name};
use crate::index::EventStore;
use crate::log::record::{EventHead, EventRecord, RecordError, rejected_time};
use crate::log::{BlockRange, Log, LogError, sealed_segment_of};
use crate::storage::bytes_of;
use crate::store::retention::{Retention, SeqSet};
use crate::store::{Damages, Missing, Snapshot, TrailError};
use tally::Tally;

/// How many blocks are read in one job.
const BLOCKS: usize = 16;

/// Counts of the events in a time range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsQuery {
    /// The span.
    pub span: Span,
    /// The zone of days.
    #[serde(with = "zone_name")]
    pub zone: Zone,
}

/// Consecutive records of one of the logs.
struct Job<'a> {
    log: &'a Log,
    events: bool,
    first: u64,
    last: u64,
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &StatsQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let trail = snapshot.trail();
    let (events, unread) = blocks(trail.events(), query.span)?;
    let (rejected, _) = blocks(trail.rejected(), query.span)?;
    let mut jobs = jobs(trail.events(), true, &events);
    jobs.extend(self::jobs(trail.rejected(), false, &rejected));
    let all = jobs.iter().map(|job| job.last - job.first + 1).sum();
    let not_pruned = not_pruned(snapshot)?;
    let (numbers, outside) = indexed(snapshot, query.span)?;
    let mut tally = Tally {
        pruned: pruned_unread(snapshot, &unread, &outside, &not_pruned),
        ..Tally::default()
    };
    let (mut jobs, mut done) = (jobs.into_iter(), 0);
    let next = || {
        Ok(jobs.next().map(|job| {
            done += job.last - job.first + 1;
            (job, Progress::new(Stage::Reading, done, all))
        }))
    };
    lines.in_order(
        next,
        || (),
        |(), job, damage| {
            let retention = snapshot.retention();
            Ok(count(&job, retention, &not_pruned, query, damage)?)
        },
        |_, counted| {
            tally.join(counted);
            Ok(true)
        },
    )?;
    lines.put(&line_of(snapshot, numbers, tally)?)?;
    Ok(true)
}

/// How many profiles and subprofiles have an event in a time range, and the numbers of the
/// events outside of it, as the index knows them.
fn indexed(snapshot: &Snapshot<'_>, span: Span) -> Result<((u64, u64), SeqSet), TrailError> {
    let (mut profiles, mut subprofiles) = (0, 0);
    let mut outside = SeqSet::default();
    snapshot.each_timeline(|key, times| -> Result<(), TrailError> {
        let mut inside = false;
        for (time, seq) in times {
            match span.contains(time) {
                true => inside = true,
                false => outside.insert(seq),
            }
        }
        match key.subprofile {
            _ if !inside => {}
            None => profiles += 1,
            Some(_) => subprofiles += 1,
        }
        Ok(())
    })?;
    Ok(((profiles, subprofiles), outside))
}

/// The number of pruned events in blocks that are not in the time range. Such a block is sealed
/// and has no lost events, so events that the index lacks were pruned.
fn pruned_unread(
    snapshot: &Snapshot<'_>,
    blocks: &[BlockRange],
    outside: &SeqSet,
    not_pruned: &SeqSet,
) -> u64 {
    let seqs = blocks.iter().flat_map(|block| {
        // The snapshot does not show events that arrived later.
        block.first_seq..=block.last_seq.min(snapshot.last_seq())
    });
    let pruned = seqs.filter(|seq| !outside.contains(*seq) && !not_pruned.contains(*seq));
    pruned.count() as u64
}

/// The numbers of hidden records that are not those of pruned events.
fn not_pruned(snapshot: &Snapshot<'_>) -> Result<SeqSet, LogError> {
    let mut seqs = snapshot.trail().erased_events()?;
    let erasures = snapshot.retention().erasures.iter();
    let receipts = erasures.filter_map(|erasure| erasure.receipt);
    receipts.for_each(|seq| seqs.insert(seq));
    Ok(seqs)
}

/// The blocks of a log that may be in a time range, and the others.
fn blocks(log: &Log, span: Span) -> Result<(Vec<BlockRange>, Vec<BlockRange>), LogError> {
    let (since, until) = span.bounds();
    let blocks = log.block_ranges()?.into_iter();
    Ok(blocks.partition(|block| block.may_touch(since, until)))
}

/// Blocks of a log as jobs.
fn jobs<'a>(log: &'a Log, events: bool, blocks: &[BlockRange]) -> Vec<Job<'a>> {
    let runs = blocks.chunk_by(|a, b| a.last_seq + 1 == b.first_seq);
    let runs = runs.flat_map(|run| run.chunks(BLOCKS));
    let jobs = runs.filter_map(|run| {
        Some(Job {
            log,
            events,
            first: run.first()?.first_seq,
            last: run.last()?.last_seq,
        })
    });
    jobs.collect()
}

fn count(
    job: &Job<'_>,
    retention: &Retention,
    not_pruned: &SeqSet,
    query: &StatsQuery,
    damage: &mut Damages,
) -> Result<Tally, LogError> {
    let mut tally = Tally::default();
    let mut scan = job.log.scan_range(job.first, job.last);
    while let Some(records) = scan.next_records(|lost| damage.add(lost.to_string()))? {
        for (seq, bytes) in records {
            if job.events && retention.hides_record(seq, bytes) {
                tally.pruned += u64::from(!not_pruned.contains(seq));
            } else if !job.events {
                let time = rejected_time(bytes);
                let time = time.filter(|time| !retention.hides_rejected(*time, seq));
                tally.rejected += u64::from(time.is_some_and(|time| query.span.contains(time)));
            } else if let Err(error) = count_event(&mut tally, seq, bytes, query) {
                damage.add(Missing::of_record(seq, error));
            }
        }
    }
    Ok(tally)
}

fn count_event(
    tally: &mut Tally,
    seq: u64,
    bytes: &[u8],
    query: &StatsQuery,
) -> Result<(), RecordError> {
    let head = EventHead::decode(bytes)?;
    if !query.span.contains(head.time) {
        return Ok(());
    }
    let record = EventRecord::decode(bytes)?;
    tally.add(&record.head, record.body.len(), query.zone);
    if record.head.event_type == "update" {
        for name in record.to_event(seq)?.content.parameters.keys() {
            tally.fields.add(name.to_string(), 1);
        }
    }
    Ok(())
}

fn line_of(
    snapshot: &Snapshot<'_>,
    (profiles, subprofiles): (u64, u64),
    tally: Tally,
) -> Result<StatsLine, TrailError> {
    let trail = snapshot.trail();
    let folder = trail.folder();
    let mut segments = trail.events().segments();
    segments.extend(trail.rejected().segments());
    let sealed = segments
        .iter()
        .filter(|(_, name)| sealed_segment_of(name).is_some());
    let sealed = sealed.count() as u64;
    let lists = [
        ("days", tally.days.others),
        ("types", tally.types.others),
        ("labels", tally.labels.others),
        ("databases", tally.databases.others),
        ("fields", tally.fields.others),
    ];
    let capped = lists.iter().filter(|(_, others)| *others > 0);
    let lookup = snapshot.ask(EventStore::lookup_state_with_bytes)?;
    let texts = |range: TimeRange<i64>, text: fn(i64) -> String| {
        let range = range.get();
        range.map(|(first, last)| (text(first), text(last))).unzip()
    };
    let (first_time, last_time) = texts(tally.times, seconds_to_rfc3339);
    let (first_received, last_received) = texts(tally.received, micros_to_rfc3339);
    Ok(StatsLine {
        events: tally.events,
        profiles,
        subprofiles,
        rejected: tally.rejected,
        pruned: tally.pruned,
        first_time,
        last_time,
        first_received,
        last_received,
        body_bytes: tally.body_bytes,
        log_bytes: bytes_of(&folder.log()),
        rejected_bytes: bytes_of(&folder.rejected()),
        index_bytes: bytes_of(&folder.index()),
        plain_segments: segments.len() as u64 - sealed,
        sealed_segments: sealed,
        days: counts(tally.days.values.into_iter().collect::<BTreeMap<_, _>>()),
        types: counts(tally.types.ranked()),
        labels: counts(tally.labels.ranked()),
        databases: counts(tally.databases.ranked()),
        fields: counts(tally.fields.ranked()),
        capped: capped.map(|(name, _)| (*name).to_owned()).collect(),
        lookup,
    })
}

fn counts<N: ToString>(names: impl IntoIterator<Item = (N, u64)>) -> Vec<Count> {
    let count = |(name, events): (N, u64)| Count {
        name: name.to_string(),
        events,
    };
    names.into_iter().map(count).collect()
}
