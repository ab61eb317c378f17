//! Reading a log to its end, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};

use super::NAMED;
use super::digest::Digest;
use super::lines::{DamageLine, LostLine, VerifyLine, VerifySummary};
use super::ranges::Ranges;
use crate::event::{ProfileKey, micros_to_rfc3339};
use crate::log::record::{EventRecord, Lost, RecordError, RejectedRecord};
use crate::log::{CheckedFrame, CheckedSegment, Damage, Log, LogError, Visited};
use crate::ops::parallel::each;
use crate::ops::{CareError, Told};
use crate::store::Snapshot;

/// One of the two logs.
pub(super) struct Part<'a> {
    name: &'static str,
    log: &'a Log,
    /// The last `seq` that was synced when the work began.
    pub last: u64,
    read: Box<Reading<'a>>,
}

/// Reads the record of that `seq`.
type Reading<'a> = dyn Fn(u64, &[u8]) -> Read + Sync + 'a;

/// What a record is: its time, if it can be told, and what is wrong with it.
struct Read {
    time: Option<i64>,
    wrong: Option<RecordError>,
    /// Whether it is pruned, and not removed yet.
    pruned: bool,
}

impl Read {
    const fn wrong(error: RecordError) -> Self {
        Self {
            time: None,
            wrong: Some(error),
            pruned: false,
        }
    }
}

impl<'a> Part<'a> {
    /// The log of events, which are added to a digest.
    pub fn events(snapshot: &'a Snapshot<'a>, digest: &'a Digest) -> Self {
        Self::reading_events(snapshot, |key, time, seq| {
            digest.add(key, time, seq);
        })
    }

    /// The log of events, each of which is handed to `each`.
    pub fn reading_events(
        snapshot: &'a Snapshot<'a>,
        each: impl Fn(ProfileKey, i64, u64) + Sync + 'a,
    ) -> Self {
        Self {
            name: "events",
            log: snapshot.trail().events(),
            last: snapshot.last_seq(),
            read: Box::new(move |seq, bytes| match EventRecord::decode(bytes) {
                Ok(record) => {
                    let (key, time) = (record.head.key(), record.head.time);
                    let pruned = snapshot.retention().hides(time, seq);
                    let wrong = record.to_event(seq).err().filter(|_| !pruned);
                    if wrong.is_none() && !pruned {
                        each(key, time, seq);
                    }
                    Read {
                        time: Some(time),
                        wrong,
                        pruned,
                    }
                }
                Err(wrong) => Read::wrong(wrong),
            }),
        }
    }

    /// The log of rejected calls.
    pub fn rejected(snapshot: &'a Snapshot<'a>) -> Self {
        let trail = snapshot.trail();
        Self {
            name: "rejected",
            log: trail.rejected(),
            last: trail.rejected().last_seq(),
            read: Box::new(|number, bytes| match RejectedRecord::decode(bytes) {
                Ok(record) => {
                    let received = record.head.received.div_euclid(1_000_000);
                    Read {
                        time: Some(received),
                        wrong: None,
                        pruned: snapshot.retention().hides_rejected(received, number),
                    }
                }
                Err(wrong) => Read::wrong(wrong),
            }),
        }
    }

    /// First `seq` of each segment, with that of the one after it.
    fn segments(&self) -> Vec<(u64, u64)> {
        let firsts: Vec<u64> = self
            .log
            .segments()
            .iter()
            .map(|(first, _)| *first)
            .collect();
        let nexts = firsts.iter().skip(1).copied().chain([self.last + 1]);
        let spans = firsts.iter().copied().zip(nexts);
        // One that was begun since does not count.
        spans.filter(|(first, _)| *first <= self.last).collect()
    }
}

/// What a segment came to.
struct Found {
    checked: CheckedSegment,
    lost: Vec<Lost>,
    good: u64,
    pruned: u64,
}

/// Reads a log, writes a line for each damage and loss, and adds to the
/// summary. Tells which events are not there. Progress begins at `before`.
pub(super) fn check_log(
    part: &Part<'_>,
    told: &mut Told<'_>,
    (before, all): (u64, u64),
    summary: &mut VerifySummary,
) -> Result<Ranges, CareError> {
    let segments = part.segments();
    let done = AtomicU64::new(before);
    let mut found = Vec::with_capacity(segments.len());
    let mut failure = None;
    each(
        &segments,
        |(first, next)| check_segment(part, *first, *next, &done),
        || (told.progress)(done.load(Ordering::Relaxed), all),
        |place, result: Result<Found, LogError>| match result {
            Ok(segment) => {
                found.push((place, segment));
                true
            }
            Err(error) => {
                failure = Some(error);
                false
            }
        },
    );
    if let Some(error) = failure {
        return Err(error.into());
    }
    found.sort_by_key(|(place, _)| *place);
    let mut absent = Ranges::default();
    let mut tell = |damage: &Damage, absent: &mut Ranges| -> Result<(), CareError> {
        absent.add(damage.first_seq, damage.last_seq);
        summary.damages += 1;
        if summary.damages <= NAMED as u64 {
            told.line(&VerifyLine::Damage(DamageLine::new(part.name, damage)))?;
        }
        Ok(())
    };
    if let Some(damage) = part.log.missing_start() {
        tell(&damage, &mut absent)?;
    }
    for (_, segment) in &found {
        for damage in &segment.checked.damage {
            tell(damage, &mut absent)?;
        }
    }
    if let Some(damage) = part.log.leftover() {
        tell(damage, &mut absent)?;
    }
    for (_, segment) in &found {
        for lost in &segment.lost {
            absent.add(lost.first, lost.last);
            summary.lost += lost.last - lost.first + 1;
            told.line(&VerifyLine::Lost(LostLine {
                log: part.name.to_owned(),
                first_seq: lost.first,
                last_seq: lost.last,
                repaired: micros_to_rfc3339(lost.repaired),
            }))?;
        }
        summary.segments += 1;
        summary.bytes += segment.checked.bytes;
        summary.pruned += segment.pruned;
        match part.name {
            "events" => summary.events += segment.good,
            _ => summary.rejected += segment.good,
        }
    }
    (told.progress)(before + part.last, all);
    Ok(absent)
}

fn check_segment(
    part: &Part<'_>,
    first: u64,
    next: u64,
    done: &AtomicU64,
) -> Result<Found, LogError> {
    let (mut lost, mut good, mut pruned): (Vec<Lost>, _, _) = (Vec::new(), 0, 0);
    let mut visit = |found: &CheckedFrame<'_>| {
        let mut visited = Visited::default();
        let mut count = 0;
        for (seq, record) in found.frame.records() {
            if seq > part.last {
                visited.untimed = true;
                continue;
            }
            count += 1;
            if record.is_empty() {
                pruned += 1;
                visited.untimed = true;
                continue;
            }
            let Read {
                time,
                wrong,
                pruned: hidden,
            } = (part.read)(seq, record);
            visited.time(time);
            match wrong {
                None if hidden => pruned += 1,
                None => good += 1,
                Some(RecordError::Lost(loss)) => note_loss(&mut lost, seq, &loss),
                Some(wrong) => visited.wrong.push((seq, wrong.to_string())),
            }
        }
        done.fetch_add(count, Ordering::Relaxed);
        visited
    };
    let checked = part.log.check_segment(first, next, &mut visit)?;
    Ok(Found {
        checked,
        lost,
        good,
        pruned,
    })
}

/// Adds a lost event to those of the same repair before it.
fn note_loss(losses: &mut Vec<Lost>, seq: u64, loss: &Lost) {
    match losses.last_mut() {
        Some(last) if last.last + 1 == seq && last.repaired == loss.repaired => last.last = seq,
        _ => losses.push(Lost {
            first: seq,
            last: seq,
            repaired: loss.repaired,
        }),
    }
}

/// Hands every event that can be read to `each`, from several threads.
pub(super) fn each_event(
    snapshot: &Snapshot<'_>,
    each_event: impl Fn(ProfileKey, i64, u64) + Sync,
) -> Result<(), CareError> {
    let part = Part::reading_events(snapshot, each_event);
    let mut failure = None;
    each(
        &part.segments(),
        |(first, next)| check_segment(&part, *first, *next, &AtomicU64::new(0)),
        || (),
        |_, result| {
            failure = failure.take().or(result.err());
            failure.is_none()
        },
    );
    failure.map_or(Ok(()), |error| Err(error.into()))
}
