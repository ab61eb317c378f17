//! The order of a (sub)profile's events, and its duplicates.

use std::collections::HashMap;

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
