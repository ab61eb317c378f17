//! Reading events by their `seq`.

use super::batch::Batch;
use super::damages::{Missing, Unreadable};
use crate::event::Event;
use crate::log::record::{EventRecord, RecordError};
use crate::log::{Cursor, LogError};

/// About how many bytes of records are read ahead.
const AHEAD_LEN: usize = 4 << 20;

/// Reads single events by their `seq`.
pub struct EventReader {
    cursor: Cursor,
    /// Records that were read ahead, in log order.
    ahead: Batch,
    /// About how many bytes of records are read ahead at most.
    ahead_len: usize,
}

impl EventReader {
    pub(super) fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            ahead: Batch::default(),
            ahead_len: AHEAD_LEN,
        }
    }

    /// Sets the read-ahead limit in bytes; the default is 4 MiB.
    pub const fn holding(mut self, bytes: usize) -> Self {
        self.ahead_len = bytes;
        self
    }

    /// Reads records ahead in one pass through the log, and replaces those read ahead
    /// before. Each block is read once, regardless of the order of later requests.
    /// Records beyond the limit are read on request, which also reports unreadable ones.
    pub fn read_ahead(&mut self, mut seqs: Vec<u64>) {
        seqs.sort_unstable();
        seqs.dedup();
        self.ahead.clear();
        for seq in seqs {
            if self.ahead.bytes_len() >= self.ahead_len {
                return;
            }
            if let Ok(record) = self.cursor.get(seq) {
                self.ahead.push(seq, record);
            }
        }
    }

    /// Takes records as those that were read ahead.
    pub fn hold(&mut self, records: Batch) {
        self.ahead = records;
    }

    /// The records that were read ahead.
    pub const fn ahead(&self) -> &Batch {
        &self.ahead
    }

    /// The bytes of the record of that `seq`.
    pub fn bytes(&mut self, seq: u64) -> Result<&[u8], Unreadable> {
        if let Some(bytes) = self.ahead.get(seq) {
            return Ok(bytes);
        }
        self.cursor.get(seq).map_err(|error| match error {
            LogError::Damaged { .. } => Unreadable::Damage(error.to_string().into()),
            _ => Unreadable::Failure(error),
        })
    }

    /// The record of that `seq`, handed to `read`.
    pub fn record<T>(
        &mut self,
        seq: u64,
        read: impl FnOnce(EventRecord<'_>) -> Result<T, RecordError>,
    ) -> Result<T, Unreadable> {
        read_record(seq, self.bytes(seq)?, read)
    }

    /// The first of these events whose record is what is looked for; an unreadable one is not.
    pub fn find(
        &mut self,
        seqs: impl IntoIterator<Item = u64>,
        mut is_it: impl FnMut(u64, EventRecord<'_>) -> Result<bool, RecordError>,
    ) -> Result<Option<u64>, LogError> {
        for seq in seqs {
            match self.record(seq, |record| is_it(seq, record)) {
                Ok(true) => return Ok(Some(seq)),
                Ok(false) => {}
                Err(unreadable) => drop(unreadable.into_damage()?),
            }
        }
        Ok(None)
    }

    /// The same as [`Self::record`], from `held` if it is there.
    pub fn record_of<T>(
        &mut self,
        held: &Batch,
        seq: u64,
        read: impl FnOnce(EventRecord<'_>) -> Result<T, RecordError>,
    ) -> Result<T, Unreadable> {
        match held.get(seq) {
            Some(bytes) => read_record(seq, bytes, read),
            None => self.record(seq, read),
        }
    }

    /// The event of that `seq`.
    pub fn event(&mut self, seq: u64) -> Result<Event<'static>, Unreadable> {
        self.record(seq, |record| Ok(record.to_event(seq)?.into_owned()))
    }

    /// The event of that `seq`, borrowed from its record if that is in
    /// `held`.
    pub fn event_of<'a>(&mut self, held: &'a Batch, seq: u64) -> Result<Event<'a>, Unreadable> {
        match held.get(seq) {
            Some(bytes) => read_record(seq, bytes, |record| record.to_event(seq)),
            None => self.event(seq),
        }
    }
}

fn read_record<'a, T>(
    seq: u64,
    bytes: &'a [u8],
    read: impl FnOnce(EventRecord<'a>) -> Result<T, RecordError>,
) -> Result<T, Unreadable> {
    EventRecord::decode(bytes)
        .and_then(read)
        .map_err(|error| Unreadable::Damage(Missing::of_record(seq, error)))
}
