//! The one thread that feeds the index from what is synced, and puts another
//! in its place where it fails.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::error::IndexError;
use super::lookup::Lookup;
use super::lookup_feed::Feeding;
use super::memory::MemoryIndex;
use super::shared::{Backend, Damage, Opened, Renewal, Shared, discard};
use super::store::{Entry, Position, SledIndex};
use crate::event::{now_micros, seconds_to_rfc3339};
use crate::log::record::{EventHead, Lost, RecordError, is_pruned};
use crate::log::{LogError, Scanned};
use crate::store::retention::Retention;

/// How many events are entered at once when catching up; a step of a merge goes
/// between, so that runs do not pile up.
const BATCH_LEN: usize = 1024;

/// How long the thread lets events gather before it looks, unless asked.
const PAUSE: Duration = Duration::from_millis(5);

/// How often the thread looks when nothing comes.
const IDLE: Duration = Duration::from_millis(50);

/// A catching-up of more events than this is told of.
const WORTH_TELLING: u64 = 20_000;

/// How often an index is set aside before it is kept in memory: what breaks
/// every one of them is no damage.
const MAX_REBUILDS: u32 = 3;

/// After how long a log that could not be read is read again.
const RETRY: Duration = Duration::from_secs(1);

/// What is to be entered together.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    /// First and last `seq` of events that cannot be read.
    unreadable: Vec<(u64, u64)>,
}

impl Batch {
    fn add(&mut self, retention: &Retention, seq: u64, record: &[u8]) {
        if retention.hides_record(seq, record) {
            return;
        }
        match EventHead::decode(record) {
            Ok((head, _)) => self.entries.push(Entry {
                key: head.key(),
                time: head.time,
                seq,
            }),
            Err(RecordError::Lost(_)) => self.miss(seq),
            Err(error) => {
                tracing::error!("event {seq} cannot be read: {error}");
                self.miss(seq);
            }
        }
    }
}

/// What the thread does next.
enum Work {
    Stop,
    /// The index is damaged.
    Mend(Damage),
    /// The log has more than the index.
    CatchUp,
    /// The index is out of date.
    Renew(Renewal),
    /// Nothing else: a merge may go on, or the lookups.
    Tidy,
}

impl Batch {
    /// Takes note of an event that cannot be read.
    fn miss(&mut self, seq: u64) {
        match self.unreadable.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => self.unreadable.push((seq, seq)),
        }
    }
}

/// Says that the thread has ended, however it ends.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.state().ended = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// What the thread does until it is stopped.
    pub fn run(&self) {
        let _ended = Ended(self);
        self.open();
        let mut looked = Instant::now();
        let mut feeding = Feeding::default();
        loop {
            let busy = self.tidy() == Some(true) || self.feed_lookup(&mut feeding);
            match self.wait_for_work(busy, looked) {
                Work::Stop => return,
                // An index that is only full is whole: the next start goes on with it.
                Work::Mend(damage) if damage.disk_full => self.use_memory(&damage.reason),
                Work::Mend(damage) => self.rebuild(&damage.reason),
                Work::Renew(renewal) => self.renew(renewal),
                Work::CatchUp => {
                    self.catch_up();
                    looked = Instant::now();
                }
                Work::Tidy => {}
            }
        }
    }

    /// Waits a while, or until there is something to do. While the index is
    /// `busy` merging, or with the lookups, it does not wait. `looked` is when the log was last looked at.
    fn wait_for_work(&self, busy: bool, looked: Instant) -> Work {
        let mut state = self.state();
        let mut waited = busy;
        loop {
            if state.stop {
                return Work::Stop;
            }
            if let Some(damage) = &state.damage {
                return Work::Mend(damage.clone());
            }
            if let Some(renewal) = state.renew {
                return Work::Renew(renewal);
            }
            let behind = self.log.last_seq() > state.applied;
            if behind && (state.wanted > state.applied || looked.elapsed() >= PAUSE) {
                return Work::CatchUp;
            }
            if waited {
                return Work::Tidy;
            }
            let pause = if behind { PAUSE } else { IDLE };
            let woken = self.changed.wait_timeout(state, pause);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
            waited = true;
        }
    }

    /// A step of the index's own work: whether there is more of it; `None` where
    /// it failed and another index took its place.
    fn tidy(&self) -> Option<bool> {
        let done = match &*self.backend() {
            Backend::Sled(opened) => opened.events.tidy(),
            Backend::Memory(_) | Backend::Closed => Ok(false),
        };
        done.map_err(|error| self.give_up(&error)).ok()
    }

    /// Puts another index in the place of one that failed.
    pub(super) fn give_up(&self, error: &IndexError) {
        if error.is_disk_full() {
            self.use_memory(&error.to_string());
        } else {
            self.rebuild(&error.to_string());
        }
    }

    /// Opens the index, if it is one of this log; else sets it aside.
    fn open(&self) {
        let existed = self.path.exists();
        let opened = SledIndex::open(&self.path, self.cache, self.log_id, self.generation())
            .map(|index| (index.position(), index));
        let reason = match opened {
            Ok((position, index)) => match self.distrust(position) {
                None => match self.open_lookup(index) {
                    Ok(opened) => return self.accept(opened, position),
                    Err(error) => error.to_string(),
                },
                Some(reason) => {
                    discard(index);
                    reason.to_owned()
                }
            },
            Err(error) if error.is_disk_full() || !existed => {
                return self.use_memory(&error.to_string());
            }
            Err(error) => error.to_string(),
        };
        self.rebuild(&reason);
    }

    /// Answers from an index, unless it lacks events that the log can read now.
    fn accept(&self, opened: Box<Opened>, position: Position) {
        let unreadable = match opened.events.unreadable() {
            Ok(unreadable) => unreadable,
            Err(error) => {
                discard(opened);
                return self.rebuild(&error.to_string());
            }
        };
        let healed = self.can_read_any(&unreadable);
        if healed {
            self.state().renew = Some(Renewal::Healed);
        }
        self.set_backend(Backend::Sled(opened), position.seq);
    }

    /// Whether the log can read now any of the events that an index holds as
    /// unreadable.
    pub(super) fn can_read_any(&self, unreadable: &[(u64, u64)]) -> bool {
        let mut cursor = self.log.cursor();
        for (first, last) in unreadable {
            let mut seq = *first;
            while seq <= *last {
                let end = match cursor.get(seq) {
                    Ok(record) => match Lost::decode(record) {
                        Some(lost) => lost.last,
                        None if !is_pruned(record) && EventHead::decode(record).is_err() => seq,
                        None => return true,
                    },
                    Err(LogError::Damaged { damage, .. }) => damage.last_seq,
                    Err(_) => return false,
                };
                seq = end.max(seq).saturating_add(1);
            }
        }
        false
    }

    /// Opens the lookups of an index, if they are of this log; else they are
    /// begun anew.
    fn open_lookup(&self, events: SledIndex) -> Result<Box<Opened>, IndexError> {
        let db = &events.db;
        let mut lookup = Lookup::open(db, self.log_id)?;
        if let Some(known) = lookup.take_if(|known| self.distrust(known.position()).is_some()) {
            let fields = known.fields.clone();
            drop(known);
            lookup = Some(Lookup::make(db, self.log_id, fields)?);
        }
        Ok(Box::new(Opened {
            events,
            lookup: RwLock::new(lookup),
        }))
    }

    /// Why an index with this position is not one of this log, if so.
    fn distrust(&self, position: Position) -> Option<&'static str> {
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
            Ok(record) if is_pruned(record) || crc32c::crc32c(record) == position.mark => None,
            // The log's damage is not the index's.
            Err(LogError::Damaged { .. }) => None,
            Ok(_) | Err(_) => Some("it was made from another log"),
        }
    }

    /// Removes the index and begins a new one.
    fn renew(&self, renewal: Renewal) {
        let fields = match &*self.backend() {
            Backend::Sled(opened) => opened.lookup().as_ref().map(|known| known.fields.clone()),
            Backend::Memory(_) | Backend::Closed => None,
        };
        if let Some(fields) = fields {
            self.state().lookup.get_or_insert(fields);
        }
        self.set_backend(Backend::Closed, 0);
        let removed = self.folders().and_then(|folders| {
            folders
                .iter()
                .filter(|folder| renewal == Renewal::Pruned || **folder == self.path)
                .try_for_each(std::fs::remove_dir_all)
        });
        if let Err(error) = removed {
            return self.use_memory(&format!("the old one cannot be removed: {error}"));
        }
        tracing::info!("the index is built again from the log, {renewal}");
        self.begin();
    }

    /// The index's folder, and those that were set aside.
    fn folders(&self) -> std::io::Result<Vec<PathBuf>> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(Vec::new());
        };
        let aside = format!("{}.damaged-", name.to_string_lossy());
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let own = entry.file_name();
            if own == name || own.to_string_lossy().starts_with(&aside) {
                folders.push(entry.path());
            }
        }
        Ok(folders)
    }

    /// Sets the index aside and begins a new one.
    fn rebuild(&self, reason: &str) {
        // The old one must be closed before its folder is renamed.
        self.set_backend(Backend::Closed, 0);
        if self.rebuilds.fetch_add(1, Ordering::Relaxed) >= MAX_REBUILDS {
            return self.use_memory(&format!("{reason}, again and again"));
        }
        let aside = (0..1000)
            .map(|number| self.aside_name(number))
            .find(|path| !path.exists());
        let moved = aside.map(|aside| std::fs::rename(&self.path, &aside).map(|()| aside));
        match moved {
            Some(Ok(aside)) => tracing::warn!(
                "the index cannot be used ({reason}); it is set aside as {} and rebuilt from the log",
                aside.display()
            ),
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return self.use_memory(&format!("{reason}; it cannot be set aside: {error}"));
            }
            _ => tracing::warn!("the index cannot be used ({reason}); it is rebuilt from the log"),
        }
        self.begin();
    }

    /// Begins an index where there is none.
    fn begin(&self) {
        match SledIndex::open(&self.path, self.cache, self.log_id, self.generation()) {
            Ok(index) => self.set_backend(
                Backend::Sled(Box::new(Opened {
                    events: index,
                    lookup: RwLock::default(),
                })),
                0,
            ),
            Err(error) => self.use_memory(&error.to_string()),
        }
    }

    fn aside_name(&self, number: u32) -> PathBuf {
        let time = seconds_to_rfc3339(now_micros().div_euclid(1_000_000)).replace([':', '-'], "");
        let suffix = if number == 0 {
            String::new()
        } else {
            format!("-{number}")
        };
        self.path.with_extension(format!("damaged-{time}{suffix}"))
    }

    fn use_memory(&self, reason: &str) {
        tracing::warn!(
            "the index cannot be written ({reason}); it is kept in memory until the next start, \
             at about 16 bytes an event: see that {} has room and can be written",
            self.path.display()
        );
        self.set_backend(Backend::Memory(MemoryIndex::default()), 0);
    }

    /// Applies what the log holds beyond the index.
    fn catch_up(&self) {
        let applied = self.state().applied;
        let mut scan = self.log.scan(applied + 1);
        let last = scan.last_seq();
        let telling = last.saturating_sub(applied) > WORTH_TELLING;
        if telling {
            tracing::info!("indexing {} events", last - applied);
        }
        let mut told = Instant::now();
        let mut batch = Batch::default();
        let mut position = Position {
            seq: applied,
            mark: 0,
        };
        while !self.state().stop {
            match scan.step() {
                Ok(Some(Scanned::Records(records))) => {
                    let retention = self.retention();
                    for (seq, record) in records {
                        position = Position {
                            seq,
                            mark: crc32c::crc32c(record),
                        };
                        batch.add(&retention, seq, record);
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
                    // Nothing but damage may have come.
                    position.seq = position.seq.max(last);
                    if self.apply(&mut batch, position) && telling {
                        tracing::info!("the index is complete: {last} events");
                    }
                    return;
                }
                Err(error) => return self.fail(&error.to_string()),
            }
            if batch.entries.len() >= BATCH_LEN {
                if !self.apply(&mut batch, position) || self.tidy().is_none() {
                    return;
                }
                if telling && told.elapsed() > Duration::from_secs(5) {
                    told = Instant::now();
                    tracing::info!("indexed {} of {last} events", position.seq);
                }
            }
        }
    }

    /// Enters a batch; `false` where the index failed and another took its place.
    fn apply(&self, batch: &mut Batch, position: Position) -> bool {
        let Batch {
            entries,
            unreadable,
        } = std::mem::take(batch);
        let in_sled = match &*self.backend() {
            Backend::Sled(opened) => Some(opened.events.apply(&entries, &unreadable, position)),
            Backend::Memory(_) | Backend::Closed => None,
        };
        let applied = in_sled.unwrap_or_else(|| {
            self.with_memory(|index| index.apply(&entries, &unreadable))
                .ok_or(IndexError::Entry)
        });
        match applied {
            Ok(()) => {
                let mut state = self.state();
                state.applied = position.seq;
                state.floor = state.floor.max(position.seq);
                drop(state);
                self.changed.notify_all();
                true
            }
            Err(error) => {
                self.give_up(&error);
                false
            }
        }
    }

    pub(super) fn fail(&self, reason: &str) {
        tracing::error!("the log cannot be read for the index: {reason}");
        let mut state = self.state();
        state.failure = Some(reason.to_owned());
        self.changed.notify_all();
        let begun = Instant::now();
        while !state.stop && begun.elapsed() < RETRY {
            let waited = self.changed.wait_timeout(state, RETRY);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.failure = None;
    }
}
