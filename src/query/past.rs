//! What was known of a (sub)profile before a moment, without its whole history.
//!
//! A `create`, a `delete` and an `update` that carries fields tell by
//! themselves what is known after them. So events are read backwards up to the
//! last such one, and replayed from there: mostly one event, however long the
//! history is. Where events were pruned, what is left of them ends the way back.

use super::answer::QueryError;
use crate::event::Event;
use crate::history::{Baseline, Place, Replay};
use crate::trail::{Batch, Damages, EventReader, EventsOf, GoneSeconds, arrange_second};

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

/// The replay after a (sub)profile's events of these times, from the last of
/// them that is `enough` on, or from the baseline; `enough` is asked of them
/// backwards. Reads from what was `held` where it is there.
pub(super) fn replay_after<'a>(
    before: Before<'_>,
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
    for part in later.rchunks(WINDOW) {
        if later.len() > FIRST_WINDOW {
            reader.read_ahead(part.to_vec());
        }
        for seq in part.iter().rev() {
            match reader.event_of(held, *seq) {
                Ok(event) => {
                    replay.skip(&event);
                }
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
    }
    Ok(replay)
}
