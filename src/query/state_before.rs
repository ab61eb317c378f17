//! The state of a (sub)profile before a moment, without its whole history.
//!
//! A `create`, a `delete` and an `update` that carries fields define the state after
//! them. So events are read backwards to the last of these and replayed from there:
//! mostly one event, even in a long history. If events were pruned, reading backwards
//! ends at the baseline.
//!
//! With cascade, a profile's `delete` ends its subprofiles: then the heads of the
//! profile's events since that event are read too ([`ProfileDeletes`]).

use super::answer::QueryError;
use super::cascade::ProfileDeletes;
use crate::event::{Event, EventType, ProfileKey, Seen};
use crate::history::{Place, Replay, is_full_state};
use crate::store::{Batch, Damages, EventReader, EventsOf, order_second};

/// How many events are read ahead at first.
const FIRST_WINDOW: usize = 8;

/// The maximum of a window; each window has four times as many as the previous one.
const WINDOW: usize = 2048;

/// The replay of a (sub)profile's events up to and including a second, from the last of
/// them for which `is_enough` holds, or from the baseline; `is_enough` is called on them
/// backwards. With cascade, `deletes` are those of the profile. Reads from `held` if
/// possible.
pub(super) fn state_before<'a>(
    events: &EventsOf,
    until: i64,
    deletes: Option<&mut ProfileDeletes>,
    held: &'a Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
    mut is_enough: impl FnMut(&Event<'_>) -> bool,
) -> Result<Replay<'a>, QueryError> {
    let baseline = events.baseline.as_ref();
    let mut replay = events.replay();
    let mut rest = events.up_to(until);
    let earliest = rest.first().map(|(time, _)| *time);
    if let Some(baseline) = baseline {
        if !events.reaches_baseline(until) {
            // Before a baseline no state is known.
            return Ok(replay);
        }
        let from = rest.partition_point(|(time, _)| *time < baseline.place.time);
        rest = rest.get(from..).unwrap_or_default();
    }
    let place = baseline.map(|baseline| baseline.place);
    let mut later = Vec::new();
    let mut window = FIRST_WINDOW;
    // Records before this index were not read ahead.
    let mut ahead = rest.len();
    // Where the replay begins.
    let mut start = place;
    'back: while let Some((time, last)) = rest.last() {
        if rest.len() <= ahead && held.get(*last).is_none() {
            let from = rest.len().saturating_sub(window);
            let seqs = rest.iter().skip(from).map(|(_, seq)| *seq);
            reader.read_ahead(seqs.collect());
            ahead = from;
            window = (window * 4).min(WINDOW);
        }
        let begin = rest.partition_point(|(earlier, _)| earlier < time);
        let (earlier, second) = rest.split_at(begin);
        rest = earlier;
        let ordered = order_second(second, baseline, held, reader, damage)?;
        for (seq, duplicate_of) in ordered.into_iter().rev() {
            if duplicate_of.is_some() {
                continue;
            }
            match reader.event_of(held, seq) {
                Ok(event) if Some(Place::of(&event)) < place => {}
                Ok(event) if is_enough(&event) => {
                    start = Some(Place::of(&event));
                    replay.skip(&event);
                    break 'back;
                }
                Ok(_) => later.push(seq),
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
    }
    // There may be no later event at which it is applied.
    replay.apply_baseline();
    let deletes = match deletes {
        Some(deletes) => {
            let from = start.map(|place| place.time).or(earliest).unwrap_or(until);
            deletes.between((from, until), events, &Batch::default(), reader, damage)?
        }
        None => Vec::new(),
    };
    let deletes = deletes.into_iter().map(|delete| delete.place);
    let mut deletes = deletes
        .filter(|delete| start.is_none_or(|place| place < *delete))
        .peekable();
    for part in later.rchunks(WINDOW) {
        if later.len() > FIRST_WINDOW {
            reader.read_ahead(part.to_vec());
        }
        for seq in part.iter().rev() {
            let Some(event) = damage.readable(reader.event_of(held, *seq))? else {
                continue;
            };
            while let Some(delete) = deletes.next_if(|delete| *delete < Place::of(&event)) {
                replay.apply_cascade(delete);
            }
            replay.skip(&event);
        }
    }
    for delete in deletes {
        replay.apply_cascade(delete);
    }
    Ok(replay)
}

/// The data still needed, reading backwards, until state, database and collection are
/// known.
pub(super) struct Needed {
    state: bool,
    database: bool,
    collection: bool,
}

impl Needed {
    /// Everything; a collection only for a subprofile.
    pub const fn new(key: ProfileKey) -> Self {
        Self {
            state: true,
            database: true,
            collection: key.subprofile.is_some(),
        }
    }

    /// Takes the data of an event; returns whether nothing is needed any more.
    pub fn take(&mut self, event: &Event<'_>) -> bool {
        let content = &event.content;
        let has_state = match event.event_type {
            // Omitted ones are unchanged.
            EventType::Delete | EventType::Observed(Seen::Gone) => {
                content.created.is_some() && content.modified.is_some()
            }
            _ => is_full_state(event),
        };
        self.state &= !has_state;
        self.database &= event.database.is_none();
        self.collection &= event.collection.is_none();
        !(self.state || self.database || self.collection)
    }
}
