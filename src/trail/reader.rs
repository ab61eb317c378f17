//! Reading events, and a (sub)profile's events in their order.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::event::{Event, EventType};
use crate::history::{Head, arrange};
use crate::log::record::{EventRecord, RecordError};
use crate::log::{Cursor, LogError};

/// About how many bytes of records are read ahead.
const AHEAD_LEN: usize = 32 << 20;

/// Reads single events by their `seq`.
pub struct EventReader {
    cursor: Cursor,
    /// Records that were read ahead in the order in which the log has them.
    ahead: HashMap<u64, Vec<u8>>,
}

/// Why one event cannot be told.
#[derive(Debug)]
pub enum Unreadable {
    /// Its bytes are damaged: the others can be told.
    Damage(String),
    /// Reading failed altogether.
    Failure(LogError),
}

/// The most damages that are named one by one.
const NAMED: usize = 100;

/// Events that belong to an answer but cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damages {
    named: Vec<String>,
    more: u64,
}

impl Damages {
    /// Takes note of one; the same twice in a row counts once.
    pub fn add(&mut self, what: String) {
        if self.named.last() == Some(&what) {
            return;
        }
        if self.named.len() < NAMED {
            self.named.push(what);
        } else {
            self.more += 1;
        }
    }

    /// What to tell of them.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("and {} more", self.more));
        }
        self.named
    }
}

impl Unreadable {
    /// What is damaged; an error where it is no damage but a failure.
    pub fn into_damage(self) -> Result<String, LogError> {
        match self {
            Self::Damage(what) => Ok(what),
            Self::Failure(error) => Err(error),
        }
    }
}

impl EventReader {
    pub(super) fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            ahead: HashMap::new(),
        }
    }

    /// Reads records ahead in one pass through the log, in place of those that
    /// were read ahead before: each block is read once, however the events are
    /// asked for then. Holds a bounded number of bytes; what is beyond them is
    /// read when it is asked for, and what cannot be read is told then.
    pub fn read_ahead(&mut self, mut seqs: Vec<u64>) {
        seqs.sort_unstable();
        self.ahead.clear();
        let mut held = 0;
        for seq in seqs {
            if held >= AHEAD_LEN {
                return;
            }
            if let Ok(record) = self.cursor.get(seq) {
                held += record.len();
                self.ahead.insert(seq, record.to_vec());
            }
        }
    }

    /// The bytes of the record of that `seq`.
    pub fn bytes(&mut self, seq: u64) -> Result<&[u8], Unreadable> {
        if let Some(bytes) = self.ahead.get(&seq) {
            return Ok(bytes);
        }
        self.cursor.get(seq).map_err(|error| match error {
            LogError::Damaged { .. } => Unreadable::Damage(error.to_string()),
            _ => Unreadable::Failure(error),
        })
    }

    /// The record of that `seq`, handed to `read`.
    pub fn record<T>(
        &mut self,
        seq: u64,
        read: impl FnOnce(EventRecord<'_>) -> Result<T, RecordError>,
    ) -> Result<T, Unreadable> {
        EventRecord::decode(self.bytes(seq)?)
            .and_then(read)
            .map_err(|error| Unreadable::Damage(format!("event {seq}: {error}")))
    }

    /// The event of that `seq`.
    pub fn event(&mut self, seq: u64) -> Result<Event<'static>, Unreadable> {
        self.record(seq, |record| Ok(record.to_event(seq)?.into_owned()))
    }
}

/// An event in its place in a (sub)profile's history.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The event.
    pub event: Event<'static>,
    /// The lowest `seq` that it repeats, if it is a duplicate.
    pub duplicate_of: Option<u64>,
}

/// The events of one (sub)profile in their order. Holds 16 bytes an event and
/// one event at a time.
pub struct Timeline {
    /// Ordered by time and `seq`.
    times: VecDeque<(i64, u64)>,
    /// Of the second that has begun: `seq` and duplicate.
    second: VecDeque<(u64, Option<u64>)>,
}

impl Timeline {
    /// The events of a (sub)profile by their (event time, `seq`) pairs,
    /// ordered by both.
    pub fn new(times: Vec<(i64, u64)>) -> Self {
        Self {
            times: times.into(),
            second: VecDeque::new(),
        }
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.second.is_empty()
    }

    /// Leaves out the events after a time.
    pub fn up_to(mut self, time: i64) -> Self {
        let kept = self.times.partition_point(|(event, _)| *event <= time);
        self.times.truncate(kept);
        self
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
            let Some((seq, duplicate_of)) = self.second.pop_front() else {
                if self.times.is_empty() {
                    return Ok(None);
                }
                continue;
            };
            match reader.event(seq) {
                Ok(event) => {
                    return Ok(Some(Occurrence {
                        event,
                        duplicate_of,
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
        let Some((time, seq)) = self.times.pop_front() else {
            return Ok(());
        };
        if self.times.front().is_none_or(|(next, _)| *next != time) {
            self.second.push_back((seq, None));
            return Ok(());
        }
        let mut heads = Vec::new();
        let mut next = Some(seq);
        while let Some(seq) = next {
            let head = reader.record(seq, |record| {
                let mut hash = Sha256::new();
                hash.update(record.head.event_type.as_bytes());
                hash.update([0]);
                hash.update(record.body.bytes);
                let rank = EventType::from(record.head.event_type).rank();
                Ok(Head {
                    seq,
                    rank,
                    digest: hash.finalize().into(),
                })
            });
            match head {
                Ok(head) => heads.push(head),
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
            let same = self.times.front().is_some_and(|(next, _)| *next == time);
            next = if same {
                self.times.pop_front().map(|(_, seq)| seq)
            } else {
                None
            };
        }
        self.second = arrange(heads).into();
        Ok(())
    }
}
