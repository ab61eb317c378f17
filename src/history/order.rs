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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_then_seq_and_repetitions_point_to_the_lowest() {
        let head = |seq, rank, digest| OrderKey {
            seq,
            rank,
            digest: [digest; 32],
        };
        let heads = vec![
            head(9, 1, 1),
            head(2, 2, 3),
            head(5, 1, 1),
            head(7, 0, 2),
            head(6, 1, 4),
            head(11, 1, 1),
        ];
        assert_eq!(
            order_and_dedup(heads),
            [
                (7, None),
                (5, None),
                (6, None),
                (9, Some(5)),
                (11, Some(5)),
                (2, None)
            ]
        );
    }
}
