//! The order of a (sub)profile's events and its duplicates, and the baseline, which
//! replaces pruned events.

use std::collections::HashMap;

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

/// The key for order and duplicates among the events of one (sub)profile and one event
/// time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    /// The event's `seq`.
    pub seq: u64,
    /// [`crate::event::EventType::rank`].
    pub rank: u8,
    /// A digest of the type and the body's bytes.
    pub digest: [u8; 32],
}

/// Puts the events of one (sub)profile and one event time in order, and returns
/// with each the lowest `seq` of which it is a duplicate, if any.
pub fn order_and_dedup(mut heads: Vec<OrderKey>) -> Vec<(u64, Option<u64>)> {
    heads.sort_unstable_by_key(|head| (head.rank, head.seq));
    // Repetitions share their rank, so the first seen has the lowest seq.
    let mut first: HashMap<[u8; 32], u64> = HashMap::new();
    heads
        .into_iter()
        .map(|head| {
            let original = *first.entry(head.digest).or_insert(head.seq);
            (head.seq, (original != head.seq).then_some(original))
        })
        .collect()
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
