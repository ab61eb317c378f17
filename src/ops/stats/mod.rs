//! `stats`: what there is, by day, type, label, database and field.
//!
//! One pass over the log on all cores, past the blocks whose times lie outside
//! the span. The numbers of profiles are the index's.

mod lines;
mod tally;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

pub use lines::{Count, LookupLine, StatsLine};

use super::parallel::each;
use super::{CareError, Told};
use crate::event::{micros_to_rfc3339, seconds_to_rfc3339};
use crate::log::record::{EventHead, EventRecord, RecordError, rejected_time};
use crate::log::{Form, Log, LogError, Scanned};
use crate::query::{Answered, Span};
use crate::store::retention::Retention;
use crate::store::{Damages, Missing, Snapshot, Trail, TrailError};
use tally::{Counter, Tally};

/// How many stretches of a log are read in one piece of work.
const STRETCHES: usize = 16;

/// Records in a row of one of the logs.
struct Piece<'a> {
    log: &'a Log,
    events: bool,
    first: u64,
    last: u64,
}

pub(super) fn carry_out(
    trail: &Trail,
    span: Span,
    told: &mut Told<'_>,
) -> Result<Answered, CareError> {
    let snapshot = trail.snapshot();
    let mut pieces = pieces(trail.events(), true, span)?;
    pieces.extend(self::pieces(trail.rejected(), false, span)?);
    let all = pieces
        .iter()
        .map(|piece| piece.last - piece.first + 1)
        .sum();
    let done = AtomicU64::new(0);
    let mut tally = Tally {
        pruned: pruned_blocks(trail.events())?,
        ..Tally::default()
    };
    let mut failure = None;
    each(
        &pieces,
        |piece| count(piece, snapshot.retention(), span, &done),
        || (told.progress)(done.load(Ordering::Relaxed), all),
        |_, counted| {
            match counted {
                Ok(counted) => tally.join(counted),
                Err(error) => failure = Some(error),
            }
            failure.is_none()
        },
    );
    if let Some(error) = failure {
        return Err(error.into());
    }
    snapshot.wait_for_index(|progress| (told.progress)(progress.applied, progress.last))?;
    let (profiles, subprofiles) = keys(&snapshot, span)?;
    let mut damages = Damages::default();
    let mut missing = std::mem::take(&mut tally.missing);
    missing.sort_by_key(Missing::to_string);
    missing.into_iter().for_each(|missing| damages.add(missing));
    let line = StatsLine {
        profiles,
        subprofiles,
        lookup: lookup(trail)?,
        ..line_of(trail, tally)
    };
    told.line(&line)?;
    let (damage, notes) = damages.into_lines();
    Ok(Answered {
        found: true,
        damage,
        notes,
        ..Answered::default()
    })
}

/// How many records are in blocks of pruned records alone, which no span touches.
fn pruned_blocks(log: &Log) -> Result<u64, LogError> {
    let stretches = log.block_ranges()?.into_iter();
    let pruned = stretches.filter(|stretch| stretch.times.is_some_and(|times| times.0 > times.1));
    Ok(pruned
        .map(|stretch| stretch.last_seq - stretch.first_seq + 1)
        .sum())
}

/// What of a log may lie in a span, cut into pieces.
fn pieces(log: &Log, events: bool, span: Span) -> Result<Vec<Piece<'_>>, LogError> {
    let (since, until) = span.bounds();
    let mut pieces: Vec<(Piece<'_>, usize)> = Vec::new();
    for stretch in log.block_ranges()? {
        if !stretch.may_touch(since, until) {
            continue;
        }
        match pieces.last_mut() {
            Some((piece, count)) if piece.last + 1 == stretch.first_seq && *count < STRETCHES => {
                piece.last = stretch.last_seq;
                *count += 1;
            }
            _ => pieces.push((
                Piece {
                    log,
                    events,
                    first: stretch.first_seq,
                    last: stretch.last_seq,
                },
                1,
            )),
        }
    }
    Ok(pieces.into_iter().map(|(piece, _)| piece).collect())
}

fn count(
    piece: &Piece<'_>,
    retention: &Retention,
    span: Span,
    done: &AtomicU64,
) -> Result<Tally, LogError> {
    let mut tally = Tally::default();
    let mut scan = piece.log.scan_range(piece.first, piece.last);
    while let Some(found) = scan.step()? {
        let records = match found {
            Scanned::Records(records) => records,
            Scanned::Damage(damage) => {
                tally.missing.push(damage.to_string().into());
                continue;
            }
        };
        let mut read = 0;
        for (seq, bytes) in records {
            read += 1;
            if piece.events && retention.hides_record(seq, bytes) {
                tally.pruned += 1;
            } else if !piece.events {
                let time = rejected_time(bytes);
                let time = time.filter(|time| !retention.hides_rejected(*time, seq));
                tally.rejected += u64::from(time.is_some_and(|time| span.contains(time)));
            } else if let Err(error) = count_event(&mut tally, seq, bytes, span) {
                tally.missing.push(Missing::of_record(seq, error));
            }
        }
        done.fetch_add(read, Ordering::Relaxed);
    }
    Ok(tally)
}

fn count_event(tally: &mut Tally, seq: u64, bytes: &[u8], span: Span) -> Result<(), RecordError> {
    let (head, _) = EventHead::decode(bytes)?;
    if !span.contains(head.time) {
        return Ok(());
    }
    let record = EventRecord::decode(bytes)?;
    tally.add(&record.head, record.body.len());
    if record.head.event_type == "update" {
        tally.add_names(record.to_event(seq)?);
    }
    Ok(())
}

/// How many profiles and subprofiles have an event in a span.
fn keys(snapshot: &Snapshot<'_>, span: Span) -> Result<(u64, u64), CareError> {
    let (mut profiles, mut subprofiles) = (0, 0);
    snapshot.each_timeline(None, |key, times| -> Result<(), CareError> {
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

fn lookup(trail: &Trail) -> Result<Option<LookupLine>, CareError> {
    let state = trail.index().whole_lookup_state();
    let state = state.map_err(TrailError::Index)?;
    Ok(state.map(|state| LookupLine {
        fields: state.fields,
        up_to: state.up_to,
        entries: state.entries,
        bytes: state.bytes,
    }))
}

fn line_of(trail: &Trail, tally: Tally) -> StatsLine {
    let folder = trail.folder();
    let mut forms = trail.events().segments();
    forms.extend(trail.rejected().segments());
    let sealed = forms
        .iter()
        .filter(|(_, form)| *form == Form::Sealed)
        .count() as u64;
    let lists = [
        ("days", tally.days.capped),
        ("types", tally.types.capped),
        ("labels", tally.labels.capped),
        ("databases", tally.databases.capped),
        ("fields", tally.fields.capped),
    ];
    let capped = lists.iter().filter(|(_, capped)| *capped);
    StatsLine {
        events: tally.events,
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
        capped: capped.map(|(name, _)| (*name).to_owned()).collect(),
        days: days(&tally.days),
        types: tally.types.ranked(),
        labels: tally.labels.ranked(),
        databases: tally.databases.ranked(),
        fields: tally.fields.ranked(),
        ..StatsLine::default()
    }
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

/// What a folder takes on the disk, with all in it; what cannot be looked at
/// counts nothing.
pub fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_of(&entry.path()),
            Ok(data) => data.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
