//! The baseline, which replaces a (sub)profile's pruned events.

use bincode::{Decode, Encode};

use super::replay::Known;
use crate::event::Event;

/// An event's place in the order of its (sub)profile's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Place {
    /// The event's time in Unix seconds.
    pub time: i64,
    /// [`crate::event::EventType::rank`].
    pub rank: u8,
    /// Its `seq`.
    pub seq: u64,
}

impl Place {
    /// The place of an event.
    pub const fn of(event: &Event<'_>) -> Self {
        Self {
            time: event.time,
            rank: event.event_type.rank(),
            seq: event.seq,
        }
    }
}

/// The length in bytes of the digest that identifies duplicates of a pruned event.
pub const DIGEST_LEN: usize = 16;

/// A pruned event of a baseline's second, kept to recognize duplicates that arrive
/// late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PrunedDigest {
    /// The event's `seq`.
    pub seq: u64,
    /// [`crate::event::EventType::rank`].
    pub rank: u8,
    /// The beginning of the digest that [`super::OrderKey`] has.
    pub digest: [u8; DIGEST_LEN],
}

/// The state of a (sub)profile after its last pruned event, and the place of that event
/// in its history.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Baseline {
    /// The place of the last pruned event that is not a duplicate.
    pub place: Place,
    /// The database as last named.
    pub database: Option<u64>,
    /// The collection as last named.
    pub collection: Option<u64>,
    /// The known state after it.
    pub known: Known<'static>,
    /// The pruned events of that second.
    pub second: Vec<PrunedDigest>,
}
