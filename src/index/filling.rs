//! Reading the log, and the baselines, into an index.

use super::error::IndexError;
use super::lookup::LookupValues;
use super::manifest::Position;
use super::pending::Entry;
use super::shared::{Reason, Shared};
use super::store::EventStore;
use crate::log::record::{EventHead, RecordError};
use crate::log::{LogError, Scan, Scanned};

/// How many events are indexed at once; a merge step follows each batch, so that runs do
/// not pile up.
const BATCH_LEN: usize = 1024;

/// How many values of baselines are added at once.
const VALUES_LEN: usize = 4096;

/// Why an index was not filled.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Log(#[from] LogError),
    /// No other index could be built while one that must be replaced exists.
    #[error("another index could not be built")]
    Outdated(Reason),
}

/// Indexes what the log holds after an event, in steps.
pub(super) struct Filling {
    /// Ends with the last event that is read, and at the end indexed.
    pub scan: Scan,
    /// Up to where the log is indexed.
    pub position: Position,
    /// The fields whose values the index looks up.
    fields: Vec<String>,
}

/// Events that are indexed together.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    values: LookupValues,
    /// First and last `seq` of events that cannot be read.
    unreadable: Vec<(u64, u64)>,
}

impl Batch {
    fn add(&mut self, seq: u64, record: &[u8], fields: &[String]) {
        match EventHead::decode(record) {
            Ok(head) => {
                self.entries.push(Entry {
                    key: head.key(),
                    time: head.time,
                    seq,
                });
                if !fields.is_empty() {
                    self.values.add_record(record, fields);
                }
            }
            Err(error) => {
                if !matches!(error, RecordError::Lost(_)) {
                    tracing::error!("event {seq} cannot be read: {error}");
                }
                match self.unreadable.last_mut() {
                    Some((_, last)) if *last + 1 == seq => *last = seq,
                    _ => self.unreadable.push((seq, seq)),
                }
            }
        }
    }
}

impl Filling {
    /// Reads the log after the last event of an index.
    pub fn after(shared: &Shared, index: &EventStore) -> Self {
        let position = index.position();
        Self {
            scan: shared.log.scan(position.seq + 1),
            // With its checksum, as there may be nothing after it.
            position,
            fields: index.fields(),
        }
    }

    /// Indexes the next events. Returns whether more follow. After an error it cannot go on.
    pub fn step(&mut self, shared: &Shared, index: &EventStore) -> Result<bool, Failed> {
        let last = self.scan.last_seq;
        let (mut more, mut read, mut batch) = (true, 0, Batch::default());
        // Removed records count, too, so that a stop does not wait for all of them.
        while more && read < BATCH_LEN {
            match self.scan.step()? {
                Some(Scanned::Records(records)) => {
                    let retention = shared.retention();
                    for (seq, record) in records {
                        read += 1;
                        self.position = Position {
                            seq,
                            record_crc: crc32c::crc32c(record),
                        };
                        if !retention.hides_record(seq, record) {
                            batch.add(seq, record, &self.fields);
                        }
                    }
                }
                Some(Scanned::Damage(damage)) => {
                    tracing::error!("{damage}");
                    if damage.first_seq <= damage.last_seq {
                        let range = (damage.first_seq, damage.last_seq);
                        batch.unreadable.push(range);
                    }
                    self.position.seq = self.position.seq.max(damage.last_seq);
                }
                None => {
                    // There may be only damage.
                    self.position.seq = self.position.seq.max(last);
                    more = false;
                }
            }
        }
        index.add_values(&batch.values)?;
        index.add(&batch.entries, &batch.unreadable, self.position)?;
        Ok(more)
    }
}

impl Shared {
    /// Adds the values of the baselines to an index without events. If they cannot be
    /// read, questions read them directly and report the error.
    pub fn add_baselines(&self, index: &EventStore) -> Result<(), IndexError> {
        let fields = index.fields();
        if fields.is_empty() || index.position().seq > 0 {
            return Ok(());
        }
        let retention = self.retention();
        let mut walk = retention.walk_baselines();
        let mut values = LookupValues::default();
        loop {
            match walk.step() {
                Ok(Some(kept)) => values.add_baseline(&kept, &fields),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!("the look-ups lack the values of pruned events: {error}");
                    return Ok(());
                }
            }
            if values.len() >= VALUES_LEN {
                index.add_values(&std::mem::take(&mut values))?;
                if self.state.lock().stop {
                    return Ok(());
                }
            }
        }
        index.add_values(&values)?;
        index.end_baselines();
        Ok(())
    }
}
