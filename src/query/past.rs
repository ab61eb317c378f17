//! What was known of a (sub)profile before a moment, without its whole history.
//!
//! A `create`, a `delete` and an `update` that carries fields tell by
//! themselves what is known after them. So events are read backwards up to the
//! last such one, and replayed from there: mostly one event, however long the
//! history is. Where events were pruned, what is left of them ends the way back.
//!
//! A profile's `delete` ends its subprofiles, where that is asked for: then of
//! the profile's events since the one that told all the heads are read, too
//! ([`Ends`]).

use super::answer::QueryError;
use super::ends::Ends;
use crate::event::{Event, EventType, ProfileKey, Seen};
use crate::history::{Baseline, Place, Replay, tells_all};
use crate::store::{Batch, Damages, EventReader, EventsOf, GoneSeconds, arrange_second};

/// How many events are read ahead at first, …
const FIRST_WINDOW: usize = 8;

/// … and how many at most; each time four times as many.
const WINDOW: usize = 2048;

/// What is known of a (sub)profile before what is to be replayed.
#[derive(Clone, Copy)]
pub(super) struct Before<'t> {
    /// Its events' times and `seq`, ordered by both.
    pub times: &'t [(i64, u64)],
    /// What is left of those that were pruned.
    pub baseline: Option<&'t Baseline>,
    /// Whether all that is replayed comes after the second of the baseline.
    pub reaches: bool,
}

impl<'t> Before<'t> {
    /// What there is of a (sub)profile up to a second and with it.
    pub fn up_to(events: &'t EventsOf, second: i64) -> Self {
        Self {
            times: events.up_to(second),
            baseline: events.baseline.as_ref(),
            reaches: events.reaches_baseline(second),
        }
    }
}

/// The deletes that may have ended a subprofile.
pub(super) struct Ended<'e> {
    /// Those of its profile.
    pub ends: &'e mut Ends,
    /// The subprofile's events.
    pub events: &'e EventsOf,
    /// Up to which second its state is wanted.
    pub until: i64,
}

/// The replay after a (sub)profile's events of these times, from the last of
/// them that is `enough` on, or from the baseline; `enough` is asked of them
/// backwards. Reads from what was `held` where it is there. A subprofile may have
/// `ended` with its profile.
pub(super) fn replay_after<'a>(
    before: Before<'_>,
    ended: Option<Ended<'_>>,
    held: &'a Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
    mut enough: impl FnMut(&Event<'a>) -> bool,
) -> Result<Replay<'a>, QueryError> {
    let mut replay = Replay::after(before.baseline.cloned());
    let mut rest = before.times;
    if let Some(baseline) = before.baseline {
        if !before.reaches {
            // What comes before a baseline stands alone.
            return Ok(replay);
        }
        let from = rest.partition_point(|(time, _)| *time < baseline.place.time);
        rest = rest.get(from..).unwrap_or_default();
    }
    let gone = GoneSeconds::of(before.baseline.map(|baseline| (0, baseline)));
    let place = before.baseline.map(|baseline| baseline.place);
    let mut later = Vec::new();
    let mut window = FIRST_WINDOW;
    // What stands before this place was not read ahead.
    let mut ahead = rest.len();
    // Where the replay begins.
    let mut told_all = place;
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
        let gone = gone.at(*time);
        let second: Vec<(u64, u32)> = second.iter().map(|(_, seq)| (*seq, 0)).collect();
        let arranged = arrange_second(&second, gone, held, reader, damage)?;
        for (seq, duplicate_of, _) in arranged.into_iter().rev() {
            if duplicate_of.is_some() {
                continue;
            }
            match reader.event_of(held, seq) {
                Ok(event) if Some(Place::of(&event)) < place => {}
                Ok(event) if enough(&event) => {
                    told_all = Some(Place::of(&event));
                    replay.skip(&event);
                    break 'back;
                }
                Ok(_) => later.push(seq),
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
    }
    // No event may follow that takes it up.
    replay.take_up();
    let mut ends = match ended {
        Some(ended) => {
            let earliest = before.times.first().map(|(time, _)| *time);
            let from = told_all.map(|place| place.time).or(earliest);
            let span = (from.unwrap_or(ended.until), ended.until);
            let found = ended.ends;
            found.between(span, ended.events, &Batch::default(), reader, damage)?
        }
        None => Vec::new(),
    }
    .into_iter()
    .map(|end| end.place)
    .filter(|end| told_all.is_none_or(|place| place < *end))
    .peekable();
    for part in later.rchunks(WINDOW) {
        if later.len() > FIRST_WINDOW {
            reader.read_ahead(part.to_vec());
        }
        for seq in part.iter().rev() {
            match reader.event_of(held, *seq) {
                Ok(event) => {
                    while let Some(end) = ends.next_if(|end| *end < Place::of(&event)) {
                        replay.end(end);
                    }
                    replay.skip(&event);
                }
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
    }
    for end in ends {
        replay.end(end);
    }
    Ok(replay)
}

/// What is still to be found, going backwards, until state, database and
/// collection are known.
pub(super) struct Missing {
    state: bool,
    database: bool,
    collection: bool,
}

impl Missing {
    /// All of it. A collection is looked for where the key is a subprofile's.
    pub const fn new(key: ProfileKey) -> Self {
        Self {
            state: true,
            database: true,
            collection: key.subprofile.is_some(),
        }
    }

    /// Takes what an event tells; whether nothing is missing any more.
    pub fn take(&mut self, event: &Event<'_>) -> bool {
        let content = &event.content;
        let tells_state = match event.event_type {
            // What it leaves out of these is as it was before.
            EventType::Delete | EventType::Observed(Seen::Gone) => {
                content.created.is_some() && content.modified.is_some()
            }
            _ => tells_all(event),
        };
        self.state &= !tells_state;
        self.database &= event.database.is_none();
        self.collection &= event.collection.is_none();
        !(self.state || self.database || self.collection)
    }
}
