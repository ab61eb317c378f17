//! The order of the events of one second, and the duplicates among them.

use sha2::{Digest, Sha256};

use super::batch::Batch;
use super::damages::Damages;
use super::reader::EventReader;
use crate::event::Seen;
use crate::history::{Baseline, DIGEST_LEN, OrderKey, order_and_dedup};
use crate::log::LogError;
use crate::log::record::EventRecord;

/// Orders the events of one second of a (sub)profile, given as (time, `seq`). Returns
/// each with the event that it duplicates, which may be one that the baseline replaces.
/// Takes records from `held` if possible, otherwise from `reader`.
pub fn order_second(
    second: &[(i64, u64)],
    baseline: Option<&Baseline>,
    held: &Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
) -> Result<Vec<(u64, Option<u64>)>, LogError> {
    let time = second.first().map(|(time, _)| *time);
    let gone = baseline.filter(|baseline| Some(baseline.place.time) == time);
    let gone = gone.map_or(&[][..], |baseline| &baseline.second);
    if let [(_, seq)] = second
        && gone.is_empty()
    {
        return Ok(vec![(*seq, None)]);
    }
    let mut heads = Vec::with_capacity(second.len() + gone.len());
    for gone in gone {
        let mut digest = [0; 32];
        for (byte, known) in digest.iter_mut().zip(gone.digest) {
            *byte = known;
        }
        heads.push(OrderKey {
            seq: gone.seq,
            rank: gone.rank,
            digest,
        });
    }
    for (_, seq) in second {
        let read = reader.record_of(held, *seq, |record| Ok(order_key(*seq, &record)));
        let Some(mut head) = damage.readable(read)? else {
            continue;
        };
        if !gone.is_empty() {
            // Pruned events have only the first bytes of the digest.
            let unknown = head.digest.iter_mut().skip(DIGEST_LEN);
            unknown.for_each(|byte| *byte = 0);
        }
        heads.push(head);
    }
    let is_own = |seq: u64| second.iter().any(|(_, known)| *known == seq);
    let mut ordered = order_and_dedup(heads);
    ordered.retain(|(seq, _)| is_own(*seq));
    Ok(ordered)
}

/// The key that orders a record's event within its second.
pub(super) fn order_key(seq: u64, record: &EventRecord<'_>) -> OrderKey {
    // A call is never a duplicate of an observed event, whose body has no byte below 32.
    let seen = match record.head.body_kind.seen() {
        None => 0,
        Some(Seen::Present) => 1,
        Some(Seen::Gone) => 2,
    };
    let hash = Sha256::new()
        .chain_update(record.head.event_type.as_bytes())
        .chain_update([seen])
        .chain_update(record.body);
    OrderKey {
        seq,
        rank: record.head.what().rank(),
        digest: hash.finalize().into(),
    }
}
