//! The baseline of one (sub)profile.

use super::bounds::EventsToRemove;
use crate::event::{Event, EventType, Seen};
use crate::history::{Baseline, DIGEST_LEN, Place, PrunedDigest, Replay};
use crate::log::LogError;
use crate::store::order::order_key;
use crate::store::{Batch, Damages, EventReader, order_second};

/// The sources of a (sub)profile's baseline.
pub(super) struct BaselineSource {
    /// The events up to the second of the last removed one, as (time, `seq`) pairs ordered
    /// by both; none if the old baseline stays or the new one is known.
    times: Vec<(i64, u64)>,
    /// The index in `times` at which the last second begins.
    last_second: usize,
    baseline: Option<Baseline>,
}

impl BaselineSource {
    /// `times` has all events of the (sub)profile.
    pub fn new(
        mut times: Vec<(i64, u64)>,
        baseline: Option<Baseline>,
        to_remove: &EventsToRemove,
    ) -> Self {
        let last = times.iter().rfind(|(_, seq)| to_remove.seqs.contains(*seq));
        let second = last.map_or(i64::MIN, |(time, _)| *time);
        times.truncate(times.partition_point(|(time, _)| *time <= second));
        times.shrink_to_fit();
        Self {
            last_second: times.partition_point(|(time, _)| *time < second),
            times,
            baseline,
        }
    }

    pub const fn known(baseline: Baseline) -> Self {
        Self {
            times: Vec::new(),
            last_second: 0,
            baseline: Some(baseline),
        }
    }

    /// The number of its events.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// The `seq` of every event.
    pub fn seqs(&self) -> impl Iterator<Item = u64> {
        self.times.iter().map(|(_, seq)| *seq)
    }

    /// The `seq` of every event of the last second.
    pub fn last_seqs(&self) -> impl Iterator<Item = u64> {
        self.seqs().skip(self.last_second)
    }
}

/// Builds the baseline of a (sub)profile: only from the events of the last second if
/// `last_second` is set, otherwise from all of its events. `None` if these do not
/// determine the state, or none can be read. A baseline that stays is taken out.
pub(super) fn baseline_of(
    source: &mut BaselineSource,
    last_second: bool,
    to_remove: &EventsToRemove,
    reader: &mut EventReader,
    damage: &mut Damages,
) -> Result<Option<Baseline>, LogError> {
    let second = source.times.last().map(|(time, _)| *time);
    let is_later = |old: &mut Baseline| Some(old.place.time) > second;
    // Late events before the old baseline do not change it.
    if let Some(old) = source.baseline.take_if(is_later) {
        return Ok(Some(old));
    }
    let BaselineSource {
        times,
        last_second: second_at,
        baseline: old,
    } = &*source;
    let in_second = |place: &Place| Some(place.time) == second;
    let old_place = old.as_ref().map(|old| old.place);
    let begin = if last_second { *second_at } else { 0 };
    // Without earlier events, or with a baseline to which they add nothing, the last
    // second is the whole history.
    let whole = !last_second || old_place.map_or(begin == 0, |place| in_second(&place));
    let times = times.get(begin..).unwrap_or_default();
    let before = old.as_ref().filter(|_| whole);
    let mut replay = Replay::after(before.cloned());
    let mut determined = Determined {
        all: whole,
        ..Determined::default()
    };
    // Events are held until a later removed one shows that they precede the baseline.
    let mut kept = Vec::new();
    let mut place = old_place;
    for second in times.chunk_by(|a, b| a.0 == b.0) {
        let ordered = order_second(second, before, &Batch::default(), reader, damage)?;
        for (seq, duplicate_of) in ordered {
            let Some(event) = damage.readable(reader.event(seq))? else {
                continue;
            };
            if duplicate_of.is_none() {
                kept.push(event);
            }
            if to_remove.seqs.contains(seq) {
                for event in kept.drain(..) {
                    replay.step(&event);
                    determined.apply(&event);
                    place = place.max(Some(Place::of(&event)));
                }
            }
        }
    }
    replay.apply_baseline();
    let Some(place) = place else { return Ok(None) };
    let unnamed =
        replay.database.is_none() || (replay.collection.is_none() && determined.of_subprofile);
    if !determined.all || (unnamed && !whole) {
        return Ok(None);
    }
    let mut baseline = Baseline {
        place,
        known: replay.known,
        database: replay.database,
        collection: replay.collection,
        second: Vec::new(),
    };
    if let Some(old) = old.as_ref().filter(|old| old.place.time == place.time) {
        baseline.second.clone_from(&old.second);
    }
    for (time, seq) in source.times.iter().skip(*second_at) {
        if *time == place.time && to_remove.seqs.contains(*seq) {
            let key = reader.record(*seq, |record| Ok(order_key(*seq, &record)));
            if let Some(key) = damage.readable(key)? {
                let digest = key.digest.first_chunk::<DIGEST_LEN>();
                baseline.second.push(PrunedDigest {
                    seq: *seq,
                    rank: key.rank,
                    digest: digest.copied().unwrap_or_default(),
                });
            }
        }
    }
    Ok(Some(baseline))
}

/// The state that the replayed events determine by themselves.
#[derive(Default)]
struct Determined {
    /// The whole state.
    all: bool,
    of_subprofile: bool,
}

impl Determined {
    /// Takes the next event, which is not a duplicate.
    fn apply(&mut self, event: &Event<'_>) {
        let content = &event.content;
        self.of_subprofile |= event.key.subprofile.is_some();
        self.all |= match event.event_type {
            EventType::Create => true,
            EventType::Update => !content.fields.is_empty(),
            // A missing `created` or `modified` keeps the value of an earlier event.
            EventType::Delete | EventType::Observed(Seen::Gone) => {
                content.created.is_some() && content.modified.is_some()
            }
            EventType::Observed(Seen::Present) | EventType::Other(_) => false,
        };
    }
}
