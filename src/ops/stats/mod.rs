//! `stats`: how much there is, by day, type, label, database and field.
//!
//! It reads the log once, on several cores, and skips blocks whose times are
//! outside the time range. The index provides the numbers of (sub)profiles.

mod lines;
mod tally;

use std::sync::atomic::{AtomicU64, Ordering};

pub use lines::{Count, LookupLine, StatsLine};

use super::{MaintenanceError, Output, bytes_of};
use crate::event::{Zone, micros_to_rfc3339, seconds_to_rfc3339};
use crate::index::EventStore;
use crate::log::record::{EventHead, EventRecord, RecordError, rejected_time};
use crate::log::{Form, Log, LogError};
use crate::query::parallel::in_order;
use crate::query::{Answered, Span};
use crate::store::retention::Retention;
use crate::store::{Damages, Missing, Snapshot, Trail, TrailError};
use tally::{Counter, Tally};

/// How many blocks are read in one job.
const BLOCKS: usize = 16;

/// Consecutive records of one of the logs.
struct Job<'a> {
    log: &'a Log,
    events: bool,
    first: u64,
    last: u64,
}

pub(super) fn run(
    trail: &Trail,
    span: Span,
    zone: Zone,
    output: &mut Output<'_>,
) -> Result<Answered, MaintenanceError> {
    let snapshot = trail.snapshot();
    let mut jobs = jobs(trail.events(), true, span)?;
    jobs.extend(self::jobs(trail.rejected(), false, span)?);
    let all = jobs.iter().map(|job| job.last - job.first + 1).sum();
    let done = AtomicU64::new(0);
    let mut tally = Tally {
        pruned: pruned_blocks(trail.events())?,
        ..Tally::default()
    };
    let mut jobs = jobs.into_iter();
    in_order(
        || Ok::<_, MaintenanceError>(jobs.next()),
        || (),
        |(), job| Ok(count(&job, snapshot.retention(), (span, zone), &done)?),
        |counted| {
            tally.join(counted);
            (output.progress)(done.load(Ordering::Relaxed), all);
            Ok(true)
        },
    )?;
    snapshot.wait_for_index(|progress| (output.progress)(progress.applied, progress.last))?;
    let mut damages = Damages::default();
    let mut missing = std::mem::take(&mut tally.missing);
    missing.sort_by_key(Missing::to_string);
    missing.into_iter().for_each(|missing| damages.add(missing));
    output.line(&line_of(&snapshot, span, tally)?)?;
    let (damage, notes) = damages.into_lines();
    Ok(Answered {
        found: true,
        damage,
        notes,
        ..Answered::default()
    })
}

/// The number of records in blocks that have pruned records only; such blocks
/// are in no time range.
fn pruned_blocks(log: &Log) -> Result<u64, LogError> {
    let blocks = log.block_ranges()?.into_iter();
    let pruned = blocks.filter(|block| block.times.is_some_and(|times| times.0 > times.1));
    Ok(pruned
        .map(|block| block.last_seq - block.first_seq + 1)
        .sum())
}

/// The parts of a log that may be in a time range, as jobs.
fn jobs(log: &Log, events: bool, span: Span) -> Result<Vec<Job<'_>>, LogError> {
    let (since, until) = span.bounds();
    let mut jobs: Vec<(Job<'_>, usize)> = Vec::new();
    for block in log.block_ranges()? {
        if !block.may_touch(since, until) {
            continue;
        }
        match jobs.last_mut() {
            Some((job, count)) if job.last + 1 == block.first_seq && *count < BLOCKS => {
                job.last = block.last_seq;
                *count += 1;
            }
            _ => {
                let (first, last) = (block.first_seq, block.last_seq);
                let job = Job {
                    log,
                    events,
                    first,
                    last,
                };
                jobs.push((job, 1));
            }
        }
    }
    Ok(jobs.into_iter().map(|(job, _)| job).collect())
}

fn count(
    job: &Job<'_>,
    retention: &Retention,
    (span, zone): (Span, Zone),
    done: &AtomicU64,
) -> Result<Tally, LogError> {
    let mut tally = Tally::default();
    let mut scan = job.log.scan_range(job.first, job.last);
    while let Some(records) =
        scan.next_records(|damage| tally.missing.push(damage.to_string().into()))?
    {
        let mut read = 0;
        for (seq, bytes) in records {
            read += 1;
            if job.events && retention.hides_record(seq, bytes) {
                tally.pruned += 1;
            } else if !job.events {
                let time = rejected_time(bytes);
                let time = time.filter(|time| !retention.hides_rejected(*time, seq));
                tally.rejected += u64::from(time.is_some_and(|time| span.contains(time)));
            } else if let Err(error) = count_event(&mut tally, seq, bytes, (span, zone)) {
                tally.missing.push(Missing::of_record(seq, error));
            }
        }
        done.fetch_add(read, Ordering::Relaxed);
    }
    Ok(tally)
}

fn count_event(
    tally: &mut Tally,
    seq: u64,
    bytes: &[u8],
    (span, zone): (Span, Zone),
) -> Result<(), RecordError> {
    let (head, _) = EventHead::decode(bytes)?;
    if !span.contains(head.time) {
        return Ok(());
    }
    let record = EventRecord::decode(bytes)?;
    tally.add(&record.head, record.body.len(), zone);
    if record.head.event_type == "update" {
        tally.add_names(record.to_event(seq)?);
    }
    Ok(())
}

/// The numbers of profiles and subprofiles with an event in a time range.
fn profiles(snapshot: &Snapshot<'_>, span: Span) -> Result<(u64, u64), MaintenanceError> {
    let (mut profiles, mut subprofiles) = (0, 0);
    snapshot.each_timeline(None, |key, times| -> Result<(), MaintenanceError> {
        let inside = times.iter().any(|(time, _)| span.contains(*time));
        match key.subprofile {
            _ if !inside => {}
            None => profiles += 1,
            Some(_) => subprofiles += 1,
        }
        Ok(())
    })?;
    Ok((profiles, subprofiles))
}

fn line_of(
    snapshot: &Snapshot<'_>,
    span: Span,
    tally: Tally,
) -> Result<StatsLine, MaintenanceError> {
    let (profiles, subprofiles) = profiles(snapshot, span)?;
    let trail = snapshot.trail();
    let folder = trail.folder();
    let mut forms = trail.events().segments();
    forms.extend(trail.rejected().segments());
    let sealed = forms.iter().filter(|(_, form)| *form == Form::Sealed);
    let sealed = sealed.count() as u64;
    let lists = [
        ("days", tally.days.capped),
        ("types", tally.types.capped),
        ("labels", tally.labels.capped),
        ("databases", tally.databases.capped),
        ("fields", tally.fields.capped),
    ];
    let capped = lists.iter().filter(|(_, capped)| *capped);
    let lookup = trail.index().ask(EventStore::lookup_state_with_bytes);
    let lookup = lookup.map_err(TrailError::from)?;
    let lookup = lookup.map(|state| LookupLine {
        fields: state.fields,
        up_to: state.up_to,
        entries: state.entries,
        bytes: state.bytes,
    });
    Ok(StatsLine {
        events: tally.events,
        profiles,
        subprofiles,
        rejected: tally.rejected,
        pruned: tally.pruned,
        first_time: tally.times.map(|(first, _)| seconds_to_rfc3339(first)),
        last_time: tally.times.map(|(_, last)| seconds_to_rfc3339(last)),
        first_received: tally.received.map(|(first, _)| micros_to_rfc3339(first)),
        last_received: tally.received.map(|(_, last)| micros_to_rfc3339(last)),
        body_bytes: tally.body_bytes,
        log_bytes: bytes_of(&folder.log()),
        rejected_bytes: bytes_of(&folder.rejected()),
        index_bytes: bytes_of(&folder.index()),
        plain_segments: forms.len() as u64 - sealed,
        sealed_segments: sealed,
        days: days(&tally.days),
        types: tally.types.ranked(),
        labels: tally.labels.ranked(),
        databases: tally.databases.ranked(),
        fields: tally.fields.ranked(),
        capped: capped.map(|(name, _)| (*name).to_owned()).collect(),
        lookup,
    })
}

fn days(days: &Counter<i64>) -> Vec<Count> {
    let name = |day: i64| {
        let time = seconds_to_rfc3339(day.saturating_mul(86_400));
        time.split('T').next().unwrap_or_default().to_owned()
    };
    let days = days.ordered().into_iter();
    days.map(|(day, events)| Count {
        name: name(day),
        events,
    })
    .collect()
}
