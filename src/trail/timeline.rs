//! The events of (sub)profiles in their order.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use super::batch::Batch;
use super::damages::Damages;
use super::reader::{EventReader, read_record};
use crate::event::{Event, EventType};
use crate::history::{Head, arrange};
use crate::log::LogError;
use crate::log::record::EventRecord;

/// How many events are read ahead at first, …
const FIRST_WINDOW: usize = 64;

/// … and how many at most; each time four times as many.
const WINDOW: usize = 4096;

/// An event in its place in a history.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The event.
    pub event: Event<'static>,
    /// The lowest `seq` that it repeats, if it is a duplicate.
    pub duplicate_of: Option<u64>,
    /// The number of its (sub)profile among those of the timeline.
    pub track: u32,
}

/// The events of some (sub)profiles, merged in their order: by time, rank and
/// `seq`. Their records are read in windows, each in one pass through the log;
/// 24 bytes an event and one window are held.
pub struct Timeline {
    /// Time, `seq` and (sub)profile, ordered by the first two.
    pairs: VecDeque<(i64, u64, u32)>,
    /// Of the second that has begun: `seq`, duplicate and (sub)profile.
    second: VecDeque<(u64, Option<u64>, u32)>,
    /// How many of `pairs` were read ahead.
    ahead: usize,
    window: usize,
}

impl Timeline {
    /// The events of a (sub)profile by their (event time, `seq`) pairs,
    /// ordered by both.
    pub fn new(times: &[(i64, u64)]) -> Self {
        Self::merged(times.iter().map(|(time, seq)| (*time, *seq, 0)).collect())
    }

    /// The events of (sub)profiles by event time, `seq` and the (sub)profile's
    /// number, ordered by the first two.
    pub fn merged(pairs: Vec<(i64, u64, u32)>) -> Self {
        Self {
            pairs: pairs.into(),
            second: VecDeque::new(),
            ahead: 0,
            window: FIRST_WINDOW,
        }
    }

    /// The next event. What cannot be read is handed to `damage` and passed over.
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
        self.ahead = self.ahead.saturating_sub(count);
        let second: Vec<(u64, u32)> = self.pairs.drain(..count).map(|(_, s, t)| (s, t)).collect();
        self.second = arrange_second(&second, &Batch::default(), reader, damage)?.into();
        Ok(())
    }
}

/// Puts the events of one second, `seq` and (sub)profile, in order, and tells
/// of each the one that it repeats. Reads from what was `held` where it is there.
pub fn arrange_second(
    second: &[(u64, u32)],
    held: &Batch,
    reader: &mut EventReader,
    damage: &mut Damages,
) -> Result<Vec<(u64, Option<u64>, u32)>, LogError> {
    if let [(seq, track)] = second {
        return Ok(vec![(*seq, None, *track)]);
    }
    let mut heads = Vec::with_capacity(second.len());
    for (seq, track) in second {
        let head = match held.get(*seq) {
            Some(bytes) => read_record(*seq, bytes, |record| Ok(head(*seq, *track, &record))),
            None => reader.record(*seq, |record| Ok(head(*seq, *track, &record))),
        };
        match head {
            Ok(head) => heads.push(head),
            Err(unreadable) => damage.add(unreadable.into_damage()?),
        }
    }
    let track_of = |seq| second.iter().find(|(known, _)| *known == seq);
    let arranged = arrange(heads).into_iter();
    Ok(arranged
        .map(|(seq, same)| (seq, same, track_of(seq).map_or(0, |(_, track)| *track)))
        .collect())
}

/// What an event's place in its second is decided by.
fn head(seq: u64, track: u32, record: &EventRecord<'_>) -> Head {
    let mut hash = Sha256::new();
    // Events of two (sub)profiles are never the same.
    hash.update(track.to_le_bytes());
    hash.update(record.head.event_type.as_bytes());
    hash.update([0]);
    hash.update(record.body.bytes);
    Head {
        seq,
        rank: EventType::from(record.head.event_type).rank(),
        digest: hash.finalize().into(),
    }
}
