//! The changes of all (sub)profiles, from one pass over the log.
//!
//! The records are sorted by (sub)profile on disk, without the parts that the
//! answer does not depend on, and read back (sub)profile by (sub)profile. Batches
//! of some MiB go to threads and are replayed in memory. A (sub)profile with more
//! than that, or with a single large record, is read from the log instead
//! ([`super::keyed_scan`]), window by window. With cascade, a profile and its
//! subprofiles stay together.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::keyed_scan::scan_group;
use super::{ChangeVisitor, Filter, Filtered, Join, Lines, QueryError};
use crate::event::{BodyKind, ProfileKey, narrow_form};
use crate::log::record::{EventHead, EventRecord, RecordError};
use crate::query::cascade::ProfileDeletes;
use crate::query::parallel::batches_of;
use crate::query::progress::{Progress, Stage};
use crate::query::replay::{ALWAYS, Replayer};
use crate::store::{
    Batch, Damages, EventsOf, Missing, Snapshot, Sorted, Sorter, TrailError, free_space,
};

/// Memory limits of each thread, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// About how much is replayed together.
    pub turn: usize,
    /// A (sub)profile with more is read from the log.
    pub most: usize,
    /// A larger record is not sorted: its (sub)profile is read from the log.
    pub record: usize,
}

pub(super) const BOUNDS: Bounds = Bounds {
    turn: 2 << 20,
    most: 4 << 20,
    record: 128 << 10,
};

/// The approximate size of an entry on disk if all fields are requested.
const ENTRY: u64 = 1000;

/// The same if only some fields are.
const NARROWED: u64 = 200;

/// Visits the changes of all (sub)profiles.
pub(super) fn scan<V: ChangeVisitor>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    bounds: Bounds,
    lines: &mut Lines<'_>,
    make: &(impl Fn() -> V + Sync),
    join: &mut Join<'_, V>,
) -> Result<(), QueryError> {
    let sorted = sort_log(snapshot, filter, bounds, lines)?;
    let mut groups = Groups {
        bounds,
        together: filter.cascades(),
        sorted,
        ahead: None,
        done: 0,
    };
    lines.in_order(
        move || groups.next(),
        || Replayer::new(snapshot, filter.cascades()),
        |replayer, turn, damage| {
            let mut visitor = make();
            replay_turn(snapshot, filter, turn, replayer, &mut visitor, damage)?;
            Ok(visitor)
        },
        |_, visitor| join(visitor).map(|()| true),
    )
}

/// Whether the disk has room for a full scan.
pub(super) fn has_room(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<bool, QueryError> {
    let dir = snapshot.trail().folder().path();
    let all = filter.fields.is_empty() && filter.interests.is_empty();
    let expected = snapshot.last_seq() * if all { ENTRY } else { NARROWED };
    // Half of the room is for the sorted lines.
    let room = free_space(dir).map_err(TrailError::io("sorting in", dir))? / 2;
    Ok(expected <= room)
}

/// A record in the order of replay: its (sub)profile, event time and `seq`.
type RecordKey = (ProfileKey, i64, u64);

/// An entry of the sorter. The record is empty if it is too large.
type Entry = (RecordKey, Vec<u8>);

/// Reads the log, and sorts its records by (sub)profile and `seq`.
fn sort_log(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    bounds: Bounds,
    lines: &mut Lines<'_>,
) -> Result<Sorted<RecordKey>, QueryError> {
    let (_, until) = filter.span.bounds();
    let walk = snapshot.walk(i64::MIN, until)?;
    // An event before this time may repeat a pruned one, which is compared by its
    // whole body.
    let whole_before = snapshot.retention().before().unwrap_or(i64::MIN);
    let mut sorter = Sorter::new(snapshot.trail().folder().path());
    lines.in_order(
        batches_of(walk),
        || (),
        |(), batch, damage| {
            damage.extend(batch.damage);
            let mut entries = Vec::with_capacity(batch.records.len());
            for (seq, record) in batch.records.iter() {
                let entry = EventRecord::decode(record).and_then(|record| {
                    if record.head.time >= until {
                        return Ok(None);
                    }
                    let whole = record.head.time < whole_before;
                    entry_of(filter, bounds, seq, &record, whole).map(Some)
                });
                match entry {
                    Ok(entry) => entries.extend(entry),
                    Err(error) => damage.add(Missing::of_record(seq, error)),
                }
            }
            Ok(entries)
        },
        |_, entries| {
            for (key, record) in entries {
                sorter.push(key, &record)?;
            }
            Ok(true)
        },
    )?;
    Ok(sorter.sorted()?)
}

/// The entry of a record. Form variables that no requested change depends on may be
/// left out. The body then ends with a digest of the original one, so that equal
/// bodies stay equal and different ones different. `whole` keeps the body.
fn entry_of(
    filter: &Filter,
    bounds: Bounds,
    seq: u64,
    record: &EventRecord<'_>,
    whole: bool,
) -> Result<Entry, RecordError> {
    let is_wanted = |name: &str| {
        let mut names = filter.fields.iter().chain(&filter.interests);
        names.any(|wanted| wanted == name)
    };
    let all = whole || (filter.fields.is_empty() && filter.interests.is_empty());
    let body = record.body;
    let narrowed = (record.head.body_kind == BodyKind::Form && !all).then(|| {
        let mut narrowed = narrow_form(body, is_wanted);
        narrowed.extend_from_slice(b"&=");
        let digest = Sha256::digest(body);
        let digits = |byte: &u8| [b'A' + (byte >> 4), b'A' + (byte & 15)];
        narrowed.extend(digest.iter().take(16).flat_map(digits));
        narrowed
    });
    let bytes = narrowed.as_deref().unwrap_or(body);
    let key = record.head.key();
    let mut entry = Vec::new();
    if bytes.len() <= bounds.record {
        let record = EventRecord {
            head: EventHead {
                remote: None,
                evidence: None,
                ..record.head.clone()
            },
            body: bytes,
        };
        entry = record.encode()?;
    }
    Ok(((key, record.head.time, seq), entry))
}

/// A unit of replay: records in order, or a (sub)profile that is too large to be held;
/// with cascade a profile with its subprofiles.
type Turn = (Vec<Entry>, Option<ProfileKey>);

/// Splits the sorted records into batches of whole (sub)profiles.
struct Groups {
    bounds: Bounds,
    /// Whether a profile and its subprofiles stay together.
    together: bool,
    sorted: Sorted<RecordKey>,
    /// The first record of the next batch.
    ahead: Option<Entry>,
    done: u64,
}

impl Groups {
    fn next(&mut self) -> Result<Option<(Turn, Progress)>, QueryError> {
        let (mut records, mut large) = (Vec::new(), None);
        let mut held = 0;
        // Where the current group begins.
        let (mut group, mut begin, mut begin_held) = (None, 0, 0);
        loop {
            let next = match self.ahead.take() {
                Some(next) => Some(next),
                None => self.sorted.next()?,
            };
            let Some(((key, time, seq), record)) = next else {
                break;
            };
            let own = match self.together {
                true => ProfileKey::profile(key.profile),
                false => key,
            };
            if group != Some(own) {
                if large.is_some() || held >= self.bounds.turn {
                    self.ahead = Some(((key, time, seq), record));
                    break;
                }
                (group, begin, begin_held) = (Some(own), records.len(), held);
            }
            self.done += 1;
            if large == Some(own) {
                continue;
            }
            held += record.len();
            if record.is_empty() || held - begin_held > self.bounds.most {
                large = Some(own);
                records.truncate(begin);
                held = begin_held;
                continue;
            }
            records.push(((key, time, seq), record));
        }
        let progress = Progress::new(Stage::Replaying, self.done, self.sorted.len);
        let is_empty = records.is_empty() && large.is_none();
        Ok((!is_empty).then_some(((records, large), progress)))
    }
}

/// Visits the changes of the (sub)profiles of a batch.
fn replay_turn<'t, V: ChangeVisitor>(
    snapshot: &'t Snapshot<'t>,
    filter: &Filter,
    (mut records, large): Turn,
    replayer: &mut Replayer<'t>,
    visitor: &mut V,
    damage: &mut Damages,
) -> Result<(), QueryError> {
    let mut timelines: BTreeMap<ProfileKey, Vec<(i64, u64)>> = BTreeMap::new();
    for ((key, time, seq), _) in &records {
        timelines.entry(*key).or_default().push((*time, *seq));
    }
    records.sort_unstable_by_key(|((_, _, seq), _)| *seq);
    let mut batch = Batch::default();
    for ((_, _, seq), record) in &records {
        batch.push(*seq, record);
    }
    drop(records);
    if filter.cascades() {
        add_pruned(snapshot, &batch, &mut timelines)?;
    }
    replayer.hold(batch);
    let retention = snapshot.retention();
    for (key, times) in timelines {
        let events = EventsOf {
            times,
            baseline: retention.baseline_of(key)?,
        };
        if filter.cascades() && key.subprofile.is_none() {
            replayer.set_deletes(ProfileDeletes::new(key.profile, events.clone()));
        }
        let track = replayer.track(key, events, ALWAYS, damage)?;
        let mut visitor = Filtered { filter, visitor };
        replayer.changes_of(&track, damage, &mut visitor)?;
    }
    let Some(key) = large else {
        return Ok(());
    };
    let mut keys = vec![key];
    if filter.cascades() {
        for key in snapshot.subprofiles(key.profile) {
            keys.push(key?);
        }
    }
    // The held records may lack parts of the bodies, and end where the log was read.
    replayer.hold(Batch::default());
    scan_group(filter, &keys, replayer, visitor, damage)
}

/// Adds subprofiles of deleted profiles of which only a baseline is left.
fn add_pruned(
    snapshot: &Snapshot<'_>,
    batch: &Batch,
    timelines: &mut BTreeMap<ProfileKey, Vec<(i64, u64)>>,
) -> Result<(), QueryError> {
    let retention = snapshot.retention();
    let Some(baselines) = &retention.baselines else {
        return Ok(());
    };
    let is_delete = |(_, seq): &(i64, u64)| {
        let head = batch.get(*seq).map(EventHead::decode);
        matches!(head, Some(Ok(head)) if head.end().is_some())
    };
    let deleted: Vec<u64> = timelines
        .iter()
        .filter(|(key, times)| key.subprofile.is_none() && times.iter().any(is_delete))
        .map(|(key, _)| key.profile)
        .collect();
    for profile in deleted {
        for key in snapshot.subprofiles(profile) {
            let key = key?;
            if baselines.find(key)?.is_some() {
                timelines.entry(key).or_default();
            }
        }
    }
    Ok(())
}
