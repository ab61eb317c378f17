//! Reads a whole log, on several cores.

use std::sync::atomic::{AtomicU64, Ordering};

use super::MAX_DAMAGE_LINES;
use super::digest::Digest;
use super::lines::{DamageLine, LostLine, VerifyLine, VerifySummary};
use super::ranges::Ranges;
use crate::event::{ProfileKey, micros_to_rfc3339};
use crate::log::frame::Frame;
use crate::log::record::{EventRecord, Lost, RecordError, RejectedRecord, is_no_event, is_pruned};
use crate::log::{CheckedSegment, Log, LogError, Visited};
use crate::ops::Output;
use crate::query::parallel::in_order;
use crate::store::Snapshot;
use crate::store::retention::SeqSet;

/// The fault of an event whose removal nothing explains.
const UNEXPLAINED: &str =
    "it was removed, and neither a prune nor the receipt of an erasure says so";

/// One of the two logs.
pub(super) struct Part<'a> {
    name: &'static str,
    log: &'a Log,
    /// The last `seq` that was synced when the check began.
    pub last: u64,
    /// The removed records that a receipt explains, and the last `seq` up to which a prune
    /// does.
    explained: (SeqSet, u64),
    read: Box<Reader<'a>>,
}

/// Reads the record with this `seq`.
type Reader<'a> = dyn Fn(u64, &[u8]) -> Read + Sync + 'a;

/// A record that was read.
struct Read {
    /// Its time, if it can be read.
    time: Option<i64>,
    error: Option<RecordError>,
    /// Whether it is pruned, but not removed yet.
    pruned: bool,
}

impl Read {
    const fn failed(error: RecordError) -> Self {
        Self {
            time: None,
            error: Some(error),
            pruned: false,
        }
    }
}

impl<'a> Part<'a> {
    /// The log of events, which are added to a digest.
    pub fn events(snapshot: &'a Snapshot<'a>, digest: &'a Digest) -> Result<Self, LogError> {
        let erased = snapshot.trail().erased_events()?;
        let pruned = snapshot
            .retention()
            .pruned
            .map_or(0, |pruned| pruned.events);
        let part = Self::each_event(snapshot, |key, time, seq| {
            digest.add(key, time, seq);
        });
        Ok(Self {
            explained: (erased, pruned),
            ..part
        })
    }

    /// The log of events, each of which is handed to `each`.
    fn each_event(
        snapshot: &'a Snapshot<'a>,
        each: impl Fn(ProfileKey, i64, u64) + Sync + 'a,
    ) -> Self {
        Self {
            name: "events",
            log: snapshot.trail().events(),
            last: snapshot.last_seq(),
            explained: (SeqSet::default(), u64::MAX),
            read: Box::new(move |seq, bytes| match EventRecord::decode(bytes) {
                Ok(record) => {
                    let (key, time) = (record.head.key(), record.head.time);
                    let pruned = snapshot.retention().hides_record(seq, bytes);
                    let error = record.to_event(seq).err().filter(|_| !pruned);
                    if error.is_none() && !pruned {
                        each(key, time, seq);
                    }
                    Read {
                        time: Some(time),
                        error,
                        pruned,
                    }
                }
                Err(error) => Read::failed(error),
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
            explained: (SeqSet::default(), u64::MAX),
            read: Box::new(|number, bytes| match RejectedRecord::decode(bytes) {
                Ok(record) => {
                    let received = record.head.received.div_euclid(1_000_000);
                    Read {
                        time: Some(received),
                        error: None,
                        pruned: snapshot.retention().hides_rejected(received, number),
                    }
                }
                Err(error) => Read::failed(error),
            }),
        }
    }

    /// Checks the segments, several at a time, and hands the results over in
    /// order. `done` counts the records.
    fn check_segments(
        &self,
        done: &AtomicU64,
        mut take: impl FnMut(Checked),
    ) -> anyhow::Result<()> {
        let segments = self.log.segments().into_iter();
        let firsts: Vec<u64> = segments.map(|(first, _)| first).collect();
        let nexts = firsts.iter().skip(1).copied().chain([self.last + 1]);
        // A segment that was begun since is not checked.
        let mut ranges = firsts
            .iter()
            .copied()
            .zip(nexts)
            .filter(|(first, _)| *first <= self.last);
        in_order(
            || Ok(ranges.next()),
            || (),
            |(), (first, next)| self.check_segment(first, next, done),
            |checked| {
                take(checked);
                Ok(true)
            },
        )
    }

    fn check_segment(&self, first: u64, next: u64, done: &AtomicU64) -> anyhow::Result<Checked> {
        let (mut lost, mut good, mut pruned): (Vec<Lost>, _, _) = (Vec::new(), 0, 0);
        let mut visit = |frame: &Frame<'_>| {
            let mut visited = Visited::default();
            let mut count = 0;
            for (seq, record) in frame.records() {
                if seq > self.last {
                    visited.untimed = true;
                    continue;
                }
                count += 1;
                if is_no_event(record) {
                    let (erased, last_pruned) = &self.explained;
                    if is_pruned(record) {
                        pruned += 1;
                        if seq > *last_pruned && !erased.contains(seq) {
                            visited.wrong.push((seq, UNEXPLAINED.to_owned()));
                        }
                    }
                    visited.untimed = true;
                    continue;
                }
                let read = (self.read)(seq, record);
                visited.time(read.time);
                match read.error {
                    None if read.pruned => pruned += 1,
                    None => good += 1,
                    Some(RecordError::Lost(loss)) => add_loss(&mut lost, seq, &loss),
                    Some(error) => visited.wrong.push((seq, error.to_string())),
                }
            }
            done.fetch_add(count, Ordering::Relaxed);
            visited
        };
        let segment = self.log.check_segment(first, next, &mut visit)?;
        Ok(Checked {
            segment,
            lost,
            good,
            pruned,
        })
    }
}

/// A segment that was checked.
struct Checked {
    segment: CheckedSegment,
    lost: Vec<Lost>,
    good: u64,
    pruned: u64,
}

/// Checks a log, writes a line for each damage and loss, and adds to the summary.
/// Returns which events are absent. Progress begins at `before`.
pub(super) fn check_log(
    part: &Part<'_>,
    output: &mut Output<'_>,
    (before, all): (u64, u64),
    summary: &mut VerifySummary,
) -> anyhow::Result<Ranges> {
    let done = AtomicU64::new(before);
    let mut found = Vec::new();
    part.check_segments(&done, |checked| {
        (output.progress)(done.load(Ordering::Relaxed), all);
        found.push(checked);
    })?;
    let mut absent = Ranges::default();
    let start = part.log.missing_start();
    let segments = found.iter().flat_map(|checked| &checked.segment.damage);
    for damage in start.iter().chain(segments).chain(part.log.leftover()) {
        absent.add(damage.first_seq, damage.last_seq);
        summary.damages += 1;
        if summary.damages <= MAX_DAMAGE_LINES {
            output.line(&VerifyLine::Damage(DamageLine::new(part.name, damage)))?;
        }
    }
    for checked in &found {
        for lost in &checked.lost {
            absent.add(lost.first, lost.last);
            summary.lost += lost.last - lost.first + 1;
            output.line(&VerifyLine::Lost(LostLine {
                log: part.name.to_owned(),
                first_seq: lost.first,
                last_seq: lost.last,
                repaired: micros_to_rfc3339(lost.repaired),
            }))?;
        }
        summary.segments += 1;
        summary.bytes += checked.segment.bytes;
        summary.pruned += checked.pruned;
        match part.name {
            "events" => summary.events += checked.good,
            _ => summary.rejected += checked.good,
        }
    }
    (output.progress)(before + part.last, all);
    Ok(absent)
}

/// Adds a lost event to the previous ones of the same repair.
fn add_loss(losses: &mut Vec<Lost>, seq: u64, loss: &Lost) {
    match losses.last_mut() {
        Some(last) if last.last + 1 == seq && last.repaired == loss.repaired => last.last = seq,
        _ => losses.push(Lost {
            first: seq,
            last: seq,
            repaired: loss.repaired,
        }),
    }
}

/// Hands every readable event to `each`, from several threads.
pub(super) fn each_event(
    snapshot: &Snapshot<'_>,
    each: impl Fn(ProfileKey, i64, u64) + Sync,
) -> anyhow::Result<()> {
    Part::each_event(snapshot, each).check_segments(&AtomicU64::new(0), |_| ())
}
