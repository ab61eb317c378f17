//! The events of (sub)profiles in their order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::batch::Batch;
use super::damages::{Damages, Unreadable};
use super::reader::{EventReader, read_record};
use crate::event::{Event, Seen};
use crate::history::{Baseline, DIGEST_LEN, OrderKey, PrunedDigest, order_and_dedup};
use crate::log::LogError;
use crate::log::record::EventRecord;

/// The size of the first read-ahead window in events. Each window is four times the last, …
const FIRST_WINDOW: usize = 64;

/// … up to this size.
const WINDOW: usize = 4096;

/// An event at its place in a history.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The event.
    pub event: Event<'static>,
    /// The lowest `seq` with the same content, if this is a duplicate.
    pub duplicate_of: Option<u64>,
    /// The number of its (sub)profile among those of the timeline.
    pub track: u32,
}

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

/// The events of some (sub)profiles, merged in order of time, rank and `seq`. Records
/// are read in windows, each in one pass through the log. Holds 24 bytes per event and
/// one window.
pub struct Timeline {
    /// Time, `seq` and (sub)profile, ordered by the first two.
    pairs: VecDeque<(i64, u64, u32)>,
    /// The rest of the current second: `seq`, duplicate and (sub)profile.
    second: VecDeque<(u64, Option<u64>, u32)>,
    /// The number of `pairs` that were read ahead.
    ahead: usize,
    window: usize,
    /// The pruned events that these may duplicate.
    gone: Arc<PrunedDigests>,
}

impl Timeline {
    /// The events of a (sub)profile with its baseline, by (event time, `seq`) pairs
    /// ordered by both.
    pub fn new(times: &[(i64, u64)], baseline: Option<&Baseline>) -> Self {
        let pairs = times.iter().map(|(time, seq)| (*time, *seq, 0)).collect();
        let gone = PrunedDigests::of(baseline.map(|baseline| (0, baseline)));
        Self::merged(pairs, Arc::new(gone))
    }

    /// Leaves reading ahead to the caller.
    pub fn without_window(mut self) -> Self {
        self.ahead = usize::MAX;
        self
    }

    /// The events of (sub)profiles by event time, `seq` and the (sub)profile's
    /// number, ordered by the first two.
    pub fn merged(pairs: Vec<(i64, u64, u32)>, gone: Arc<PrunedDigests>) -> Self {
        Self {
            pairs: pairs.into(),
            second: VecDeque::new(),
            ahead: 0,
            window: FIRST_WINDOW,
            gone,
        }
    }

    /// The next event. Unreadable events are added to `damage` and skipped.
    pub fn next(
        &mut self,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<Option<Occurrence>, LogError> {
        loop {
            if self.second.is_empty() {
                self.begin_second(reader, damage)?;
            }
            let Some((seq, duplicate_of, track)) = self.second.pop_front() else {
                if self.pairs.is_empty() {
                    return Ok(None);
                }
                continue;
            };
            match reader.event(seq) {
                Ok(event) => {
                    return Ok(Some(Occurrence {
                        event,
                        duplicate_of,
                        track,
                    }));
                }
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
    }

    /// Puts the events of the next second in order.
    fn begin_second(
        &mut self,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<(), LogError> {
        if self.ahead == 0 {
            let seqs = self.pairs.iter().take(self.window).map(|pair| pair.1);
            reader.read_ahead(seqs.collect());
            self.ahead = self.window;
            self.window = (self.window * 4).min(WINDOW);
        }
        let Some((time, ..)) = self.pairs.front().copied() else {
            return Ok(());
        };
        let count = self.pairs.iter().take_while(|pair| pair.0 == time).count();
        if self.ahead != usize::MAX {
            self.ahead = self.ahead.saturating_sub(count);
        }
        let second: Vec<(u64, u32)> = self.pairs.drain(..count).map(|(_, s, t)| (s, t)).collect();
        let gone = self.gone.at(time);
        self.second = order_second(&second, gone, &Batch::default(), reader, damage)?.into();
        Ok(())
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
