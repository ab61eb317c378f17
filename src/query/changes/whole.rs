//! The changes of all (sub)profiles, from one pass over the log.
//!
//! The events are spread by (sub)profile over the parts of a file on disk
//! ([`super::spread`]), without what the answer does not depend on; then the
//! parts are replayed in memory. Where the disk has no room for all of them
//! but events, there are several passes, each for some (sub)profiles. What is
//! in memory is bounded: a part that is larger than expected is replayed in
//! several turns, and a (sub)profile that is too large for one is read from the
//! log. Where subprofiles end with their profile, they are replayed together with
//! it; if they are too large together, each is read from the log, in groups.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::near;
use super::spread::{Spread, Spreading, entries, write_entry};
use super::{Filter, Gather, Progress, QueryError, Stage, Take, Told};
use crate::event::ProfileKey;
use crate::history::Replay;
use crate::log::record::{EventHead, EventRecord};
use crate::query::ends::Ends;
use crate::query::parallel::in_order;
use crate::store::{
    Batch, Damages, EventsOf, GoneSeconds, Missing, Snapshot, Step, TrailError, Walk, room_left,
};

/// How many bytes of records go to a thread together.
const BATCH_LEN: usize = 256 << 10;

/// How much is in memory at once, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// What of a part is replayed in one turn.
    pub turn: u64,
    /// What is held at most, where a few (sub)profiles have many events.
    pub most: usize,
    /// A (sub)profile with more is read from the log where others want room.
    pub large: usize,
}

/// The bounds of each thread.
pub(super) const BOUNDS: Bounds = Bounds {
    turn: 3 << 20,
    most: 6 << 20,
    large: 1 << 20,
};

/// About how many bytes an entry takes on disk, where all fields are asked
/// for, …
const ENTRY: u64 = 1000;

/// … and where only some are.
const NARROWED: u64 = 200;

/// With less room than for this part of the events, no pass is begun.
const MOST_PASSES: u64 = 8;

/// Tells the changes of all (sub)profiles.
pub(super) fn tell<G: Gather>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    bounds: Bounds,
    make: &(impl Fn() -> G + Sync),
    take: &mut Take<'_, G>,
) -> Result<(), QueryError> {
    let dir = snapshot.trail().folder().path();
    let sorting = |error: io::Error| TrailError::io("sorting in", dir)(error);
    let expected = expected(snapshot, filter);
    let passes = passes(snapshot, expected)?.min(MOST_PASSES);
    let spreading = Spreading::new(filter);
    for pass in 0..passes {
        let mut spread = Spread::new(dir, expected / passes).map_err(sorting)?;
        let mine = |hash: u64| (hash >> 48) % passes == pass;
        // The second pass would tell of all damage once more.
        let tell = pass == 0;
        spread_log(snapshot, filter, &spreading, mine, |bytes, mut told| {
            spread.push(bytes).map_err(sorting)?;
            if !tell {
                told.damage = Damages::default();
            }
            take(told.with(make()))
        })?;
        spread.finish().map_err(sorting)?;
        let mut large = Vec::new();
        replay_parts(snapshot, filter, bounds, &spread, make, &mut |mut told| {
            large.append(&mut told.large);
            take(told)
        })?;
        for profile in large {
            let mut keys = vec![ProfileKey::profile(profile)];
            snapshot.each_subprofile(profile, |key| {
                keys.push(key);
                true
            })?;
            near::tell(snapshot, filter, keys, make, take)?;
        }
    }
    Ok(())
}

/// About how many bytes all entries take.
fn expected(snapshot: &Snapshot<'_>, filter: &Filter) -> u64 {
    let all = filter.fields.is_empty() && filter.interests.is_empty();
    snapshot.last_seq() * if all { ENTRY } else { NARROWED }
}

/// How many passes the room on the disk asks for.
fn passes(snapshot: &Snapshot<'_>, expected: u64) -> Result<u64, QueryError> {
    let dir = snapshot.trail().folder().path();
    // Half of the room is for the sorted lines.
    let room = room_left(dir).map_err(TrailError::io("sorting in", dir))? / 2;
    Ok(expected.div_ceil(room.max(1)).max(1))
}

/// Whether the disk has room for this way.
pub(super) fn has_room(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<bool, QueryError> {
    Ok(passes(snapshot, expected(snapshot, filter))? <= MOST_PASSES)
}

/// Makes entries of the log's events, in order, and hands them to `push` with
/// what cannot be read.
fn spread_log(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    spreading: &Spreading,
    mine: impl Fn(u64) -> bool + Sync,
    mut push: impl FnMut(&[u8], Told<()>) -> Result<bool, QueryError>,
) -> Result<(), QueryError> {
    let (_, until) = filter.span.bounds();
    let mut walk = snapshot.walk(i64::MIN, until)?;
    // Before this time an event may repeat a pruned one, by its whole body.
    let whole_before = snapshot.retention().before().unwrap_or(i64::MIN);
    in_order(
        move || next_batch(&mut walk),
        || (),
        |(), (batch, mut told): (Batch, Told<()>)| {
            let mut bytes = Vec::with_capacity(batch.bytes_len() / 4);
            for (seq, record) in batch.iter() {
                let written = EventRecord::decode(record).and_then(|record| {
                    let hash = spreading.hash(record.head.key());
                    if record.head.time < until && mine(hash) {
                        let whole = record.head.time < whole_before;
                        write_entry(filter, hash, seq, &record, whole, &mut bytes)?;
                    }
                    Ok(())
                });
                if let Err(error) = written {
                    told.damage.add(Missing::of_record(seq, error));
                }
            }
            Ok((bytes, told))
        },
        |(bytes, told)| push(&bytes, told),
    )
}

fn next_batch(walk: &mut Walk<'_>) -> Result<Option<(Batch, Told<()>)>, QueryError> {
    let mut batch = Batch::default();
    let mut told = Told::new(());
    while batch.bytes_len() < BATCH_LEN {
        match walk.step(|seq, record| batch.push(seq, record))? {
            Step::Records => {}
            Step::Damage(found) => told.damage.add(found.to_string()),
            Step::End if batch.is_empty() && told.damage.is_empty() => return Ok(None),
            Step::End => break,
        }
    }
    told.progress = Some(Progress {
        stage: Stage::Reading,
        done: walk.events_done(),
        all: walk.events(),
    });
    Ok(Some((batch, told)))
}

/// The (sub)profiles of a part that are replayed together.
#[derive(Clone, Copy)]
struct Turn {
    part: usize,
    number: u64,
    of: u64,
}

impl Turn {
    const fn takes(self, hash: u64) -> bool {
        (hash >> 16) % (1 << 32) % self.of == self.number
    }
}

fn replay_parts<G: Gather>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    bounds: Bounds,
    spread: &Spread,
    make: &(impl Fn() -> G + Sync),
    take: &mut Take<'_, G>,
) -> Result<(), QueryError> {
    let lens = spread.part_lens();
    let all = lens.iter().map(|len| len.div_ceil(bounds.turn)).sum();
    let turns = lens.iter().enumerate().flat_map(|(part, len)| {
        let of = len.div_ceil(bounds.turn);
        (0..of).map(move |number| Turn { part, number, of })
    });
    let mut turns = turns.zip(1_u64..);
    in_order(
        || Ok(turns.next()),
        || near::Reader::new(snapshot, near::WINDOW),
        |reader, (turn, done)| {
            let mut told = Told::new(make());
            replay_turn(snapshot, filter, bounds, spread, turn, reader, &mut told)?;
            told.progress = Some(Progress {
                stage: Stage::Replaying,
                done,
                all,
            });
            Ok(told)
        },
        take,
    )
}

fn replay_turn<G: Gather>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    bounds: Bounds,
    spread: &Spread,
    turn: Turn,
    reader: &mut near::Reader,
    told: &mut Told<G>,
) -> Result<(), QueryError> {
    let sorting =
        |error: io::Error| TrailError::io("sorting in", snapshot.trail().folder().path())(error);
    let mut large = HashMap::new();
    let mut batch = load(spread, turn, &large, bounds.most).map_err(sorting)?;
    if batch.bytes_len() > bounds.most {
        large = find_large(spread, turn, bounds.large).map_err(sorting)?;
        batch = load(spread, turn, &large, usize::MAX).map_err(sorting)?;
    }
    let mut timelines: BTreeMap<ProfileKey, Vec<(i64, u64)>> = BTreeMap::new();
    for (seq, record) in batch.iter() {
        if let Ok((head, _)) = EventHead::decode(record) {
            let times = timelines.entry(head.key()).or_default();
            times.push((head.time, seq));
        }
    }
    if filter.cascades() {
        add_pruned(snapshot, &batch, &mut timelines)?;
    }
    let retention = snapshot.retention();
    // The profile of the subprofiles that come next.
    let mut parent: Option<Ends> = None;
    for (key, mut times) in timelines {
        times.sort_unstable();
        let events = EventsOf {
            times,
            baseline: retention.baseline_of(key)?,
        };
        let mut ends = Vec::new();
        if filter.cascades() && key.subprofile.is_some() {
            if parent.as_ref().map(Ends::profile) != Some(key.profile) {
                let baseline = retention.baseline_of(ProfileKey::profile(key.profile))?;
                parent = Some(Ends::new(
                    key.profile,
                    EventsOf {
                        times: Vec::new(),
                        baseline,
                    },
                ));
            }
            if let Some(parent) = &mut parent {
                let (damage, all) = (&mut told.damage, (i64::MIN, i64::MAX));
                ends = reader.ends(parent, &events, all, &batch, damage)?;
            }
        }
        let gone = GoneSeconds::of(events.baseline.iter().map(|baseline| (0, baseline)));
        let mut replay = Replay::after(events.baseline.clone());
        let part = near::Part {
            key,
            times: &events.times,
            gone: &gone,
            ends,
        };
        reader.step(filter, &mut replay, part, &batch, told)?;
        if filter.cascades() && key.subprofile.is_none() {
            parent = Some(Ends::new(key.profile, events));
        }
    }
    for key in large.into_values() {
        if filter.cascades() {
            told.large.push(key.profile);
            continue;
        }
        reader.group(snapshot, filter, &[key], told)?;
    }
    Ok(())
}

/// Adds the subprofiles of deleted profiles of which a baseline is all there is.
fn add_pruned(
    snapshot: &Snapshot<'_>,
    batch: &Batch,
    timelines: &mut BTreeMap<ProfileKey, Vec<(i64, u64)>>,
) -> Result<(), QueryError> {
    let retention = snapshot.retention();
    let Some(baselines) = retention.baselines() else {
        return Ok(());
    };
    let is_delete = |(_, seq): &(i64, u64)| {
        let head = batch.get(*seq).map(EventHead::decode);
        matches!(head, Some(Ok((head, _))) if head.end().is_some())
    };
    let deleted: Vec<u64> = timelines
        .iter()
        .filter(|(key, times)| key.subprofile.is_none() && times.iter().any(is_delete))
        .map(|(key, _)| key.profile)
        .collect();
    for profile in deleted {
        baselines.each_subprofile(profile, |key| {
            timelines.entry(key).or_default();
        })?;
    }
    Ok(())
}

/// The records of a turn, until they have more than so many bytes; without
/// those of (sub)profiles that are too large, by their hash.
fn load(
    spread: &Spread,
    turn: Turn,
    large: &HashMap<u64, ProfileKey>,
    most: usize,
) -> io::Result<Batch> {
    let mut batch = Batch::default();
    spread.read(turn.part, |bytes| {
        for entry in entries(bytes) {
            let mine = turn.takes(entry.hash) && !large.contains_key(&entry.hash);
            if mine && batch.bytes_len() <= most {
                batch.push(entry.seq, entry.record);
            }
        }
        Ok(())
    })?;
    Ok(batch)
}

/// The (sub)profiles of a turn that are too large to be replayed in memory.
fn find_large(
    spread: &Spread,
    turn: Turn,
    large_len: usize,
) -> io::Result<HashMap<u64, ProfileKey>> {
    let mut lens: HashMap<u64, usize> = HashMap::new();
    let mut large = HashMap::new();
    spread.read(turn.part, |bytes| {
        for entry in entries(bytes).filter(|entry| turn.takes(entry.hash)) {
            let len = lens.entry(entry.hash).or_default();
            let before = *len;
            *len += entry.record.len();
            if before <= large_len
                && *len > large_len
                && let Ok((head, _)) = EventHead::decode(entry.record)
            {
                large.insert(entry.hash, head.key());
            }
        }
        Ok(())
    })?;
    Ok(large)
}
