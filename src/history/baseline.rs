//! What is left of a (sub)profile's events that were pruned.

use super::replay::Known;
use crate::event::Event;

/// An event's place in the order of its (sub)profile's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// The length of a digest by which a repetition of a pruned event is known, in bytes.
pub const DIGEST_LEN: usize = 16;

/// A pruned event of a baseline's second, by which a repetition is known that
/// comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrunedDigest {
    /// The event's `seq`.
    pub seq: u64,
    /// [`crate::event::EventType::rank`].
    pub rank: u8,
    /// The beginning of the digest that [`super::OrderKey`] has.
    pub digest: [u8; DIGEST_LEN],
}

/// What a (sub)profile was after the last of its events that were pruned, and
/// where in its history that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The place of the last pruned event that is no duplicate.
    pub place: Place,
    /// What was known after it.
    pub known: Known<'static>,
    /// The database as last named.
    pub database: Option<u64>,
    /// The collection as last named.
    pub collection: Option<u64>,
    /// The pruned events of that second.
    pub second: Vec<PrunedDigest>,
}
