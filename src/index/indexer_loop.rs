//! The thread that indexes what is synced, and replaces an index that fails.

use std::io;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::error::{IndexError, discard};
use super::lookup::{Lookup, normalized};
use super::lookup_backfill::{BackfillState, Failed};
use super::manifest::Position;
use super::pending::Entry;
use super::shared::{OpenIndex, Replace, Shared};
use super::store::EventStore;
use super::tree::Database;
use crate::event::{now_micros, seconds_to_rfc3339};
use crate::log::record::{EventHead, RecordError, is_pruned};
use crate::log::{LogError, Scanned};

/// How many events are indexed at once when catching up; a step of a merge goes
/// between, so that runs do not pile up.
const BATCH_LEN: usize = 1024;

/// How long events are collected before they are indexed, unless a caller waits for
/// them.
const GATHER: Duration = Duration::from_millis(5);

/// How long the thread sleeps at most. It is woken when events arrive, and on
/// every request; one that comes just before it falls asleep is repeated by
/// those who wait.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// Progress is logged if the index lacks more events than this.
const LOGGED_CATCH_UP: u64 = 20_000;

/// How often progress is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// How often an index is set aside before it is kept in memory: if every new one
/// breaks, damage is not the cause.
const MAX_REBUILDS: u32 = 3;

/// After how long a log that could not be read is read again.
const RETRY: Duration = Duration::from_secs(1);

/// Events that are indexed together.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    /// First and last `seq` of events that cannot be read.
    unreadable: Vec<(u64, u64)>,
}

impl Batch {
    fn add(&mut self, seq: u64, record: &[u8]) {
        match EventHead::decode(record) {
            Ok((head, _)) => self.entries.push(Entry {
                key: head.key(),
                time: head.time,
                seq,
            }),
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

/// What the thread does next.
enum Work {
    Stop,
    Replace(Replace),
    /// The log has more than the index.
    CatchUp,
    /// A merge may go on, or the look-ups.
    Background,
}

/// Records that the thread has ended, even by a panic.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.update(|state| state.ended = true);
    }
}

impl Shared {
    /// What the thread does until it is stopped.
    pub fn run(&self) {
        let _ended = Ended(self);
        let mut rebuilds = 0;
        if let Err(reason) = self.open() {
            self.replace(reason, &mut rebuilds);
        }
        let mut caught_up = Instant::now();
        let mut backfill = BackfillState::default();
        let mut busy = false;
        loop {
            let done = match self.wait_for_work(busy, caught_up) {
                Work::Stop => return,
                Work::Replace(reason) => Err(reason),
                Work::CatchUp => {
                    let done = self.catch_up();
                    caught_up = Instant::now();
                    done.map(|()| true)
                }
                Work::Background => self.background_step(&mut backfill),
            };
            busy = done.unwrap_or_else(|reason| {
                backfill = BackfillState::default();
                self.replace(reason, &mut rebuilds);
                true
            });
        }
    }

    /// Waits until there is something to do; not at all while a merge or the
    /// look-ups keep the thread busy. `caught_up` is when it caught up last.
    fn wait_for_work(&self, busy: bool, caught_up: Instant) -> Work {
        let mut waited = busy;
        loop {
            let (applied, wanted) = {
                let state = self.state();
                if state.stop {
                    return Work::Stop;
                }
                if let Some(reason) = &state.replace {
                    return Work::Replace(reason.clone());
                }
                (state.applied, state.wanted)
            };
            let behind = self.log.last_seq() > applied;
            let gathering = GATHER.saturating_sub(caught_up.elapsed());
            if behind && (wanted > applied || gathering.is_zero()) {
                return Work::CatchUp;
            }
            if waited {
                return Work::Background;
            }
            if behind {
                self.sleep(gathering);
            } else {
                self.log.notifier().wait_for_seq_after(applied, MAX_SLEEP);
                waited = self.log.last_seq() <= applied;
            }
        }
    }

    /// Sleeps for a while, or until the state changes.
    fn sleep(&self, time: Duration) {
        let woken = self.changed.wait_timeout(self.state(), time);
        drop(woken.unwrap_or_else(PoisonError::into_inner));
    }

    /// A step of merging, or else of the look-ups: whether there is more to do.
    fn background_step(&self, backfill: &mut BackfillState) -> Result<bool, Replace> {
        let done = match &*self.index() {
            Some(index) => match index.events.compact_step() {
                Ok(true) => Ok(true),
                Ok(false) if self.state().is_ready() => self.backfill_step(index, backfill),
                Ok(false) => Ok(false),
                Err(error) => Err(error.into()),
            },
            None => Ok(false),
        };
        match done {
            Ok(more) => {
                if more && backfill.events_arrive {
                    // Leave the processor to those who append.
                    self.sleep(GATHER);
                }
                Ok(more)
            }
            Err(Failed::Index(error)) => Err(error.into()),
            Err(Failed::Log(error)) => {
                *backfill = BackfillState::default();
                self.pause_after(&error);
                Ok(false)
            }
        }
    }

    /// Opens the index; an error says why it must be replaced.
    fn open(&self) -> Result<(), Replace> {
        let existed = self.path.exists();
        let generation = self.retention().generation();
        let opened = EventStore::open(&self.path, self.cache, self.log_id, generation);
        let events = match opened {
            Err(error) if !existed => return Err(Replace::DiskFull(error.to_string())),
            opened => opened?,
        };
        if let Some(reason) = self.verify_against_log(events.position()) {
            discard(events);
            return Err(Replace::Damaged(reason.to_owned()));
        }
        let lookup = self.open_lookup(&events.db)?;
        let index = OpenIndex::new(events, lookup);
        // It may have events that a prune has hidden since; only the log's records show
        // which.
        let replace = if index.events.generation() != generation {
            Some(Replace::Pruned)
        } else {
            let readable = self.can_read_any(&index.events.unreadable());
            readable.then_some(Replace::Readable)
        };
        if let Some(replace) = replace {
            self.keep_lookup_fields(&index);
            discard(index);
            return Err(replace);
        }
        self.set_index(Some(index));
        Ok(())
    }

    /// Opens the look-ups of an index, if they are of this log; else they are
    /// begun again.
    fn open_lookup(&self, db: &Database) -> Result<Option<Lookup>, IndexError> {
        let Some(lookup) = Lookup::open(db, self.log_id)? else {
            return Ok(None);
        };
        if self.verify_against_log(lookup.position()).is_none() {
            return Ok(Some(lookup));
        }
        let fields = lookup.fields.clone();
        drop(lookup);
        Lookup::create(db, self.log_id, fields)
    }

    /// Why an index with this position is not of this log, if so.
    fn verify_against_log(&self, position: Position) -> Option<&'static str> {
        if position.seq == 0 {
            return None;
        }
        let last = self.log.last_seq();
        if position.seq > last {
            // Only what was synced is ever indexed.
            tracing::error!(
                "the log ends at event {last}, but the index knows events up to {}: events that were \
                 acknowledged are missing from the log. Has it been put back from an older backup, or cut?",
                position.seq
            );
            return Some("it knows more events than the log holds");
        }
        match self.log.cursor().get(position.seq) {
            Ok(record) if is_pruned(record) || crc32c::crc32c(record) == position.record_crc => {
                None
            }
            // Damage of the log is not damage of the index.
            Err(LogError::Damaged { .. }) => None,
            Ok(_) | Err(_) => Some("it was made from another log"),
        }
    }

    /// The index that replaces another is to have look-ups of the same fields.
    fn keep_lookup_fields(&self, index: &OpenIndex) {
        let fields = index.lookup_fields();
        if !fields.is_empty() {
            self.state().lookup_fields.get_or_insert(fields);
        }
    }

    /// Begins another index in place of the present one.
    fn replace(&self, reason: Replace, rebuilds: &mut u32) {
        if let Some(index) = &*self.index() {
            self.keep_lookup_fields(index);
        }
        // It must be closed before its folder is moved or removed.
        self.set_index(None);
        let begun = self.clear_folder(reason, rebuilds).and_then(|()| {
            let generation = self.retention().generation();
            let events = EventStore::open(&self.path, self.cache, self.log_id, generation);
            events.map_err(|error| error.to_string())
        });
        let events = begun.or_else(|reason| {
            tracing::warn!(
                "the index cannot be written ({reason}); it is kept in memory until the next start, \
                 at about 16 bytes an event: see that {} has room and can be written",
                self.path.display()
            );
            EventStore::with_database(Database::Memory, self.log_id, 0)
        });
        match events {
            Ok(events) => {
                let lookup = self.create_lookup(&events.db).unwrap_or_else(|error| {
                    tracing::warn!("the look-ups could not be created: {error}");
                    None
                });
                self.set_index(Some(OpenIndex::new(events, lookup)));
            }
            Err(error) => tracing::error!("no index can be kept in memory: {error}"),
        }
    }

    /// Begins look-ups of the wanted fields in a new index: it must have them even
    /// if the program ends before the backfill.
    fn create_lookup(&self, db: &Database) -> Result<Option<Lookup>, IndexError> {
        let fields = self.state().lookup_fields.clone().unwrap_or_default();
        if fields.is_empty() || db.is_memory() {
            return Ok(None);
        }
        Lookup::create(db, self.log_id, normalized(&fields))
    }

    /// Moves the index's folder aside, or removes it. An error says why an index
    /// cannot be stored.
    fn clear_folder(&self, reason: Replace, rebuilds: &mut u32) -> Result<(), String> {
        match reason {
            Replace::DiskFull(reason) => Err(reason),
            Replace::Damaged(reason) => {
                if *rebuilds >= MAX_REBUILDS {
                    return Err(format!("{reason}, again and again"));
                }
                *rebuilds += 1;
                let aside = self.set_aside();
                let aside =
                    aside.map_err(|error| format!("{reason}; it cannot be set aside: {error}"))?;
                let place = match aside {
                    Some(aside) => format!("set aside as {} and ", aside.display()),
                    None => String::new(),
                };
                tracing::warn!(
                    "the index cannot be used ({reason}); it is {place}rebuilt from the log"
                );
                Ok(())
            }
            Replace::Pruned | Replace::Readable => {
                let why = match reason {
                    Replace::Pruned => "without the pruned events",
                    _ => "with events that could not be read before",
                };
                self.remove_folders(reason == Replace::Pruned)
                    .map_err(|error| format!("the old one cannot be removed: {error}"))?;
                tracing::info!("the index is rebuilt from the log {why}");
                Ok(())
            }
        }
    }

    /// Renames the index's folder, and returns the new name; `None` if there is
    /// no folder.
    fn set_aside(&self) -> io::Result<Option<PathBuf>> {
        let time = seconds_to_rfc3339(now_micros().div_euclid(1_000_000)).replace([':', '-'], "");
        let names = std::iter::once(format!("damaged-{time}"))
            .chain((1..1000).map(|number| format!("damaged-{time}-{number}")));
        let mut paths = names.map(|name| self.path.with_extension(name));
        let Some(aside) = paths.find(|path| !path.exists()) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        match std::fs::rename(&self.path, &aside) {
            Ok(()) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the index's folder, and maybe those that were set aside, too.
    fn remove_folders(&self, set_aside: bool) -> io::Result<()> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(());
        };
        let aside = format!("{}.damaged-", name.to_string_lossy());
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let own = entry.file_name();
            if own == name || (set_aside && own.to_string_lossy().starts_with(&aside)) {
                if entry.file_type()?.is_dir() {
                    std::fs::remove_dir_all(entry.path())?;
                } else {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Indexes what the log holds beyond the index.
    fn catch_up(&self) -> Result<(), Replace> {
        let applied = self.state().applied;
        let mut scan = self.log.scan(applied + 1);
        let last = scan.last_seq();
        let logging = last.saturating_sub(applied) > LOGGED_CATCH_UP;
        if logging {
            tracing::info!("indexing {} events", last - applied);
        }
        let mut logged = Instant::now();
        let mut batch = Batch::default();
        let mut position = Position {
            seq: applied,
            record_crc: 0,
        };
        while !self.state().stop {
            match scan.step() {
                Ok(Some(Scanned::Records(records))) => {
                    let retention = self.retention();
                    for (seq, record) in records {
                        position = Position {
                            seq,
                            record_crc: crc32c::crc32c(record),
                        };
                        if !retention.hides_record(seq, record) {
                            batch.add(seq, record);
                        }
                    }
                }
                Ok(Some(Scanned::Damage(damage))) => {
                    tracing::error!("{damage}");
                    if damage.first_seq <= damage.last_seq {
                        batch.unreadable.push((damage.first_seq, damage.last_seq));
                    }
                    position.seq = position.seq.max(damage.last_seq);
                }
                Ok(None) => {
                    // There may be only damage.
                    position.seq = position.seq.max(last);
                    self.add(&mut batch, position)?;
                    if logging {
                        tracing::info!("the index is complete: {last} events");
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.pause_after(&error);
                    return Ok(());
                }
            }
            if batch.entries.len() >= BATCH_LEN {
                self.add(&mut batch, position)?;
                if let Some(index) = &*self.index() {
                    index.events.compact_step()?;
                }
                if logging && logged.elapsed() > LOG_INTERVAL {
                    logged = Instant::now();
                    tracing::info!("indexed {} of {last} events", position.seq);
                }
            }
        }
        Ok(())
    }

    /// Indexes a batch.
    fn add(&self, batch: &mut Batch, position: Position) -> Result<(), IndexError> {
        let Batch {
            entries,
            unreadable,
        } = std::mem::take(batch);
        if let Some(index) = &*self.index() {
            index.events.add(&entries, &unreadable, position)?;
        }
        let mut state = self.state();
        state.applied = position.seq;
        state.min_visible_seq = state.min_visible_seq.max(position.seq);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Those who wait get an error while the log cannot be read; it is read
    /// again after a while.
    fn pause_after(&self, error: &LogError) {
        tracing::error!("the log cannot be read for the index: {error}");
        self.update(|state| state.failure = Some(error.to_string()));
        let begun = Instant::now();
        let mut state = self.state();
        while !state.stop && begun.elapsed() < RETRY {
            let waited = self.changed.wait_timeout(state, RETRY);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.failure = None;
    }
}
