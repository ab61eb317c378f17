//! Making the look-ups: what the indexer does when it has nothing else to do.
//!
//! It reads the log again from their position, a thousand events at a time, and
//! takes the wanted values out of each body. While calls arrive, one such step
//! is made between two batches of events, so that indexing events comes first.

use std::time::{Duration, Instant};

use super::error::IndexError;
use super::lookup::{Lookup, lookup_key, normalized};
use super::lookup_key::LookupKey;
use super::manifest::Position;
use super::shared::{OpenIndex, Shared};
use crate::event::{ProfileKey, values_of};
use crate::history::{Baseline, Known};
use crate::log::record::EventRecord;
use crate::log::{LogError, Scanned};
use crate::store::retention::Walk;

/// How many events, or baselines, a step reads.
const STEP: u64 = 1024;

/// Progress is logged if look-ups lack more events than this.
const LOGGED_BACKFILL: u64 = 20_000;

/// How often progress is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// How far the backfill is.
#[derive(Default)]
pub(super) struct BackfillState {
    /// The baselines that are being read, by their generation.
    walk: Option<(u64, Walk)>,
    /// The last event of the log at the step before.
    last: u64,
    /// Events arrived since the step before.
    pub events_arrive: bool,
    /// When progress was logged last, while look-ups are being made.
    logged: Option<Instant>,
}

/// Why a step failed.
pub(super) enum Failed {
    Index(IndexError),
    Log(LogError),
}

impl From<IndexError> for Failed {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<LogError> for Failed {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Shared {
    /// A step of the backfill; whether there is more to do.
    pub fn backfill_step(
        &self,
        index: &OpenIndex,
        backfill: &mut BackfillState,
    ) -> Result<bool, Failed> {
        if index.events.db.is_memory() {
            return Ok(false);
        }
        let (applied, wanted) = {
            let state = self.state();
            (state.applied, state.lookup_fields.clone())
        };
        let last = self.log.last_seq();
        backfill.events_arrive = std::mem::replace(&mut backfill.last, last) != last;
        self.use_fields(index, wanted, backfill)?;
        let place = index.lookup();
        let Some(lookup) = &*place else {
            return Ok(false);
        };
        if lookup.generation() != self.retention().generation() {
            self.read_baselines(lookup, backfill)?;
            return Ok(true);
        }
        backfill.walk = None;
        let before = lookup.position().seq;
        if before < applied {
            log_progress(lookup, before, applied, backfill);
            self.read_events(lookup, before + 1, applied.min(before + STEP))?;
            return Ok(true);
        }
        if backfill.logged.take().is_some() {
            tracing::info!("look-ups of {} are complete", lookup.fields.join(", "));
        }
        Ok(lookup.compact_step()?)
    }

    /// Sees to it that the look-ups are of the wanted fields; without a wish,
    /// those that the index has are kept.
    fn use_fields(
        &self,
        index: &OpenIndex,
        wanted: Option<Vec<String>>,
        backfill: &mut BackfillState,
    ) -> Result<(), IndexError> {
        let present = index.lookup_fields();
        let Some(wanted) = wanted else {
            self.state().lookup_fields.get_or_insert(present);
            return Ok(());
        };
        let wanted = normalized(&wanted);
        if wanted == present {
            return Ok(());
        }
        *backfill = BackfillState::default();
        let mut place = index.lookup_mut();
        *place = None;
        let db = &index.events.db;
        if wanted.is_empty() {
            tracing::info!("dropping look-ups of {}", present.join(", "));
            Lookup::remove(db)?;
        } else {
            tracing::info!("making look-ups of {}", wanted.join(", "));
            *place = Lookup::create(db, self.log_id, wanted)?;
        }
        Ok(())
    }

    /// Adds the values of some events.
    fn read_events(&self, lookup: &Lookup, first: u64, last: u64) -> Result<(), Failed> {
        let mut keys: Vec<LookupKey> = Vec::new();
        let mut position = Position {
            seq: first.saturating_sub(1),
            record_crc: 0,
        };
        let retention = self.retention();
        let mut scan = self.log.scan_range(first, last);
        while let Some(scanned) = scan.step()? {
            match scanned {
                Scanned::Records(records) => {
                    for (seq, record) in records {
                        position = Position {
                            seq,
                            record_crc: crc32c::crc32c(record),
                        };
                        if !retention.hides_record(seq, record) {
                            add_event(lookup, record, &mut keys);
                        }
                    }
                }
                // Answers warn about events that cannot be read.
                Scanned::Damage(_) => {}
            }
        }
        position.seq = last;
        Ok(lookup.add(&keys, position)?)
    }

    /// Adds the values of some baselines.
    fn read_baselines(&self, lookup: &Lookup, backfill: &mut BackfillState) -> Result<(), Failed> {
        let retention = self.retention();
        let generation = retention.generation();
        if backfill
            .walk
            .as_ref()
            .is_none_or(|(own, _)| *own != generation)
        {
            let walk = retention.baselines().map(|baselines| baselines.walk());
            backfill.walk = walk.map(|walk| (generation, walk));
        }
        let mut keys = Vec::new();
        if let Some((_, walk)) = &mut backfill.walk {
            for _ in 0..STEP {
                let Some(kept) = walk.step()? else {
                    backfill.walk = None;
                    break;
                };
                add_baseline(lookup, &kept.baseline, kept.key, &mut keys);
            }
        }
        lookup.add_baselines(&keys)?;
        if backfill.walk.is_none() {
            lookup.write(generation)?;
        }
        Ok(())
    }
}

fn log_progress(lookup: &Lookup, before: u64, applied: u64, backfill: &mut BackfillState) {
    let due = match backfill.logged {
        Some(logged) => logged.elapsed() >= LOG_INTERVAL,
        None => applied - before > LOGGED_BACKFILL,
    };
    if due {
        backfill.logged = Some(Instant::now());
        let fields = lookup.fields.join(", ");
        tracing::info!("making look-ups of {fields}: {before} of {applied} events");
    }
}

/// Adds the values that an event may set.
fn add_event(lookup: &Lookup, record: &[u8], keys: &mut Vec<LookupKey>) {
    let Ok(record) = EventRecord::decode(record) else {
        return;
    };
    let (key, kind) = (record.head.key(), record.head.body_kind);
    // An event whose body cannot be read is damage wherever it is replayed.
    let _ = values_of(kind, record.body, &lookup.fields, |place, value| {
        keys.extend(lookup_key(place, &value, key));
    });
}

fn add_baseline(lookup: &Lookup, baseline: &Baseline, key: ProfileKey, keys: &mut Vec<LookupKey>) {
    let Known::Present(state) = &baseline.known else {
        return;
    };
    for (place, name) in lookup.fields.iter().enumerate() {
        if let Some(value) = state.fields.get(name) {
            keys.extend(lookup_key(place, value, key));
        }
    }
}
