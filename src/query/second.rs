//! The events of one second of a (sub)profile, in their order.
//!
//! What came before an event is known when its second is reached
//! ([`super::past`]); within the second, order and duplicates are decided by
//! all of its events.

use super::answer::QueryError;
use crate::event::Event;
use crate::store::{Batch, Damages, EventReader, EventsOf, GoneSeconds, arrange_second};

/// What is known of a (sub)profile's events.
#[derive(Clone, Copy)]
pub(super) struct Track<'t> {
    /// Its events.
    pub events: &'t EventsOf,
    /// The pruned ones that they may repeat.
    pub gone: &'t GoneSeconds,
}

impl Track<'_> {
    /// The (time, `seq`) pairs after a time up to another.
    pub fn between(&self, after: i64, time: i64) -> &[(i64, u64)] {
        let known = self.events.up_to(time);
        let from = known.partition_point(|pair| pair.0 <= after);
        known.get(from..).unwrap_or_default()
    }

    /// Hands the events of a second to `each`, with the `seq` that each repeats,
    /// if it does. Reads from what was `held` where it is there.
    pub fn each<'a>(
        &self,
        time: i64,
        held: &'a Batch,
        reader: &mut EventReader,
        damage: &mut Damages,
        mut each: impl FnMut(&Event<'a>, Option<u64>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let pairs = self.between(time.saturating_sub(1), time).iter();
        let second: Vec<(u64, u32)> = pairs.map(|(_, seq)| (*seq, 0)).collect();
        for (seq, same, _) in arrange_second(&second, self.gone.at(time), held, reader, damage)? {
            match reader.event_of(held, seq) {
                Ok(event) => each(&event, same)?,
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
        Ok(())
    }
}
