//! What was known of a (sub)profile before a moment, without its whole history.
//!
//! A `create`, a `delete` and an `update` that carries fields tell by
//! themselves what is known after them. So events are read backwards up to the
//! last such one, and replayed from there: mostly one event, however long the
//! history is.

use super::answer::QueryError;
use crate::event::Event;
use crate::history::Replay;
use crate::trail::{Batch, Damages, EventReader, arrange_second};

/// How many events are read ahead at first, …
const FIRST_WINDOW: usize = 8;

/// … and how many at most; each time four times as many.
const WINDOW: usize = 2048;

/// The replay after a (sub)profile's events of these times, from the last of
/// them that is `enough` on; `enough` is asked of them backwards. Reads from
/// what was `held` where it is there.
pub(super) fn replay_after<'a>(
    times: &[(i64, u64)],
    held: &'a Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
    mut enough: impl FnMut(&Event<'a>) -> bool,
) -> Result<Replay<'a>, QueryError> {
    let mut rest = times;
    let mut later = Vec::new();
    let mut replay = Replay::default();
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
        let (before, second) = rest.split_at(begin);
        rest = before;
        let second: Vec<(u64, u32)> = second.iter().map(|(_, seq)| (*seq, 0)).collect();
        let arranged = arrange_second(&second, held, reader, damage)?;
        for (seq, duplicate_of, _) in arranged.into_iter().rev() {
            if duplicate_of.is_some() {
                continue;
            }
            match reader.event_of(held, seq) {
                Ok(event) if enough(&event) => {
                    replay.skip(&event);
                    break 'back;
                }
                Ok(_) => later.push(seq),
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
    }
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
