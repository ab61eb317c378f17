//! The order of the events of one second, and which of them are duplicates.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::batch::Batch;
use super::damages::{Damages, Unreadable};
use super::reader::{EventReader, read_record};
use crate::event::Seen;
use crate::history::{Baseline, DIGEST_LEN, OrderKey, PrunedDigest, order_and_dedup};
use crate::log::LogError;
use crate::log::record::EventRecord;

/// The digests of pruned events that later events may duplicate, by time, with the
/// number of the (sub)profile.
#[derive(Clone, Debug, Default)]
pub struct PrunedDigests {
    seconds: BTreeMap<i64, Vec<(u32, PrunedDigest)>>,
}

impl PrunedDigests {
    /// The digests in the baselines of numbered (sub)profiles.
    pub fn of<'a>(baselines: impl IntoIterator<Item = (u32, &'a Baseline)>) -> Self {
        let mut seconds: BTreeMap<i64, Vec<(u32, PrunedDigest)>> = BTreeMap::new();
        for (track, baseline) in baselines {
            let gone = baseline.second.iter().map(|gone| (track, *gone));
            seconds.entry(baseline.place.time).or_default().extend(gone);
        }
        Self { seconds }
    }

    /// The digests of a second.
    pub fn at(&self, time: i64) -> &[(u32, PrunedDigest)] {
        self.seconds.get(&time).map_or(&[], Vec::as_slice)
    }
}

/// Orders the events of one second, given as `seq` and (sub)profile. Returns each with
/// the event that it duplicates, which may be a pruned one (`gone`). Takes records from
/// `held` if they are there, otherwise from `reader`.
pub fn order_second(
    second: &[(u64, u32)],
    gone: &[(u32, PrunedDigest)],
    held: &Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
) -> Result<Vec<(u64, Option<u64>, u32)>, LogError> {
    if let [(seq, track)] = second
        && gone.is_empty()
    {
        return Ok(vec![(*seq, None, *track)]);
    }
    let mut heads = Vec::with_capacity(second.len() + gone.len());
    for (track, gone) in gone {
        let mut digest = [0; 32];
        for (byte, known) in digest.iter_mut().zip(gone.digest) {
            *byte = known;
        }
        heads.push(OrderKey {
            seq: gone.seq,
            rank: gone.rank,
            digest: of_track(digest, *track),
        });
    }
    for (seq, track) in second {
        let head = match held.get(*seq) {
            Some(bytes) => read_record(*seq, bytes, |record| Ok(head(*seq, &record))),
            None => head_of(reader, *seq),
        };
        match head {
            Ok(mut head) => {
                if !gone.is_empty() {
                    // Pruned events have only the first bytes of the digest.
                    let unknown = head.digest.iter_mut().skip(DIGEST_LEN);
                    unknown.for_each(|byte| *byte = 0);
                }
                head.digest = of_track(head.digest, *track);
                heads.push(head);
            }
            Err(unreadable) => damage.add(unreadable.into_damage()?),
        }
    }
    let track_of = |seq| second.iter().find(|(known, _)| *known == seq);
    let arranged = order_and_dedup(heads).into_iter();
    Ok(arranged
        .filter_map(|(seq, same)| Some((seq, same, track_of(seq)?.1)))
        .collect())
}

/// Mixes the (sub)profile into a digest, so that events of two never count as duplicates.
fn of_track(mut digest: [u8; 32], track: u32) -> [u8; 32] {
    for (byte, number) in digest.iter_mut().rev().zip(track.to_le_bytes()) {
        *byte ^= number;
    }
    digest
}

/// The key that orders an event within its second.
pub(super) fn head_of(reader: &mut EventReader, seq: u64) -> Result<OrderKey, Unreadable> {
    reader.record(seq, |record| Ok(head(seq, &record)))
}

/// The order key of a record's event.
fn head(seq: u64, record: &EventRecord<'_>) -> OrderKey {
    let mut hash = Sha256::new();
    hash.update(record.head.event_type.as_bytes());
    // A call is never a duplicate of an observed event, whose body has no byte below 32.
    hash.update([match record.head.body_kind.seen() {
        None => 0,
        Some(Seen::Present) => 1,
        Some(Seen::Gone) => 2,
    }]);
    hash.update(record.body);
    OrderKey {
        seq,
        rank: record.head.what().rank(),
        digest: hash.finalize().into(),
    }
}
