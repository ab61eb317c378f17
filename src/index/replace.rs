//! Opening an index, and putting another in the place of one that is damaged or
//! outdated.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::{IndexError, discard};
use super::filling::{Failed, Filling};
use super::lookup::normalized;
use super::manifest::Position;
use super::shared::{Reason, Replace, Shared};
use super::store::EventStore;
use super::tree::{Database, wait_until_closed};
use crate::event::{now_micros, seconds_to_rfc3339};
use crate::log::LogError;
use crate::log::record::is_pruned;

/// How often an index is set aside before it is kept in memory: if every new one
/// breaks, damage is not the cause.
const MAX_REBUILDS: u32 = 3;

/// An index that is built while another one answers.
pub(super) struct Successor {
    index: EventStore,
    filling: Filling,
    fields: Vec<String>,
    reason: Reason,
}

impl Shared {
    /// Opens the index; an error says why it must be replaced.
    pub fn open(&self) -> Result<(), Replace> {
        // What an interrupted build has left; on a read-only disk it does no harm.
        let _ = fs::remove_dir_all(self.successor_path());
        let existed = self.path.exists();
        let new = self.new_manifest();
        let opened = EventStore::open(&self.path, self.cache, &new);
        let index = match opened {
            Err(error) if !existed => return Err(Replace::DiskFull(error.to_string())),
            opened => opened?,
        };
        if let Some(reason) = self.verify_against_log(index.position()) {
            discard(index);
            return Err(Replace::Damaged(reason.to_owned()));
        }
        // It may have events that a prune has hidden since; only the log's records show
        // which.
        let outdated = if index.generation() != new.generation {
            Some(Reason::Pruned)
        } else {
            let readable = self.can_read_any(&index.unreadable());
            readable.then_some(Reason::Readable)
        };
        if let Some(reason) = outdated {
            self.keep_lookup_fields(&index);
            discard(index);
            return Err(Replace::Rebuild(reason));
        }
        self.add_baselines(&index)?;
        self.set_index(Some(index));
        Ok(())
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
                 acknowledged are missing from the log. Was it restored from an older backup, or truncated?",
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

    /// The index that replaces another is to have look-ups of the same fields, unless
    /// others are wanted.
    fn keep_lookup_fields(&self, index: &EventStore) {
        let fields = index.fields();
        if !fields.is_empty() {
            self.state().lookup_fields.get_or_insert(fields);
        }
    }

    /// Begins another index in place of the present one; questions wait for it.
    pub fn replace(&self, reason: Replace, rebuilds: &mut u32) {
        if let Some(index) = &*self.index() {
            self.keep_lookup_fields(index);
        }
        // It must be closed before its folder is moved or removed.
        self.set_index(None);
        let _ = fs::remove_dir_all(self.successor_path());
        let new = self.new_manifest();
        let begun = self.clear_folder(reason, rebuilds).and_then(|()| {
            let index = EventStore::open(&self.path, self.cache, &new);
            let filled = index.and_then(|index| self.add_baselines(&index).map(|()| index));
            filled.map_err(|error| error.to_string())
        });
        let index = begun.or_else(|reason| {
            tracing::warn!(
                "the index cannot be written ({reason}); it is kept in memory until the next start, \
                 at about 16 bytes an event: make sure that {} has free space and is writable",
                self.path.display()
            );
            let mut new = new;
            new.fields.clear();
            EventStore::with_database(Database::Memory, &new)
        });
        match index {
            Ok(index) => self.set_index(Some(index)),
            Err(error) => tracing::error!("no index can be kept in memory: {error}"),
        }
    }

    /// Moves the index's folder aside, or removes it. An error says why an index
    /// cannot be stored.
    fn clear_folder(&self, reason: Replace, rebuilds: &mut u32) -> Result<(), String> {
        match reason {
            Replace::DiskFull(reason) => Err(reason),
            Replace::Damaged(reason) => {
                if *rebuilds >= MAX_REBUILDS {
                    return Err(format!("{reason}, repeatedly"));
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
            Replace::Rebuild(reason) => {
                self.remove_folders(reason)
                    .map_err(|error| format!("the old one cannot be removed: {error}"))?;
                tracing::info!("the index is rebuilt from the log {}", reason.text());
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

    /// Removes the index's folder, and after a prune those that were set aside, too:
    /// they may hold pruned values.
    fn remove_folders(&self, reason: Reason) -> io::Result<()> {
        let is_pruned = reason == Reason::Pruned;
        self.remove_each(|is_aside| !is_aside || is_pruned)
    }

    /// Removes the folders that were set aside: they may hold erased values.
    pub(super) fn remove_set_aside(&self) -> io::Result<()> {
        self.remove_each(|is_aside| is_aside)
    }

    /// Removes the index's folder and those set aside as far as they are wanted to go.
    fn remove_each(&self, goes: impl Fn(bool) -> bool) -> io::Result<()> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(());
        };
        let aside = format!("{}.damaged-", name.to_string_lossy());
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let own = entry.file_name();
            let is_aside = own.to_string_lossy().starts_with(&aside);
            if (own == name || is_aside) && goes(is_aside) {
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn successor_path(&self) -> PathBuf {
        self.path.with_extension("new")
    }

    /// Why another index is wanted in place of one that is whole.
    fn wants_successor(&self) -> Option<Reason> {
        let guard = self.index();
        let index = guard.as_ref()?;
        self.keep_lookup_fields(index);
        let state = self.state();
        if index.generation() != self.retention().generation() {
            // Answers that began before the commit need the pruned events.
            return state.remove_pruned.then_some(Reason::Pruned);
        }
        if state.readable {
            return Some(Reason::Readable);
        }
        let wanted = normalized(state.lookup_fields.as_deref().unwrap_or_default());
        let differ = wanted != index.fields() && !index.db.is_memory();
        differ.then_some(Reason::Fields)
    }

    /// Builds the index that is to replace the present one, if another is wanted: a
    /// step, between which the present one answers and gets new events. Returns whether
    /// there is more to do.
    pub fn build_successor(&self, successor: &mut Option<Successor>) -> Result<bool, Failed> {
        let Some(own) = successor else {
            let Some(reason) = self.wants_successor() else {
                return Ok(false);
            };
            return match self.begin_successor(reason) {
                Ok(begun) => {
                    *successor = Some(begun);
                    Ok(true)
                }
                Err(error) => self.give_up(reason, &error),
            };
        };
        let reason = own.reason;
        let stepped = self.step_successor(own);
        if own.index.generation() != self.retention().generation() {
            // A prune was committed meanwhile, so it may lack events that answers need.
            *successor = None;
            return Ok(true);
        }
        match stepped {
            Ok(false) => match successor.take().map(|own| self.place_successor(own)) {
                Some(Err(error)) => {
                    tracing::warn!("the new index could not be put in place: {error}");
                    Err(Failed::Outdated(reason))
                }
                _ => Ok(true),
            },
            Err(Failed::Index(error)) => {
                *successor = None;
                self.give_up(reason, &error)
            }
            stepped => stepped,
        }
    }

    fn begin_successor(&self, reason: Reason) -> Result<Successor, IndexError> {
        let path = self.successor_path();
        // One that was given up may still be writing there.
        wait_until_closed(&path)?;
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let index = EventStore::open(&path, self.cache, &self.new_manifest())?;
        self.add_baselines(&index)?;
        tracing::info!("another index is built from the log, {}", reason.text());
        Ok(Successor {
            fields: index.fields(),
            filling: Filling::after(self, 0),
            index,
            reason,
        })
    }

    /// Indexes some events; `false` once it has all that the present index has.
    fn step_successor(&self, own: &mut Successor) -> Result<bool, Failed> {
        let stepped = own.filling.step(self, &own.index, &own.fields);
        if let Ok(true) = stepped {
            own.index.compact_step()?;
            return stepped;
        }
        let seq = own.index.position().seq;
        own.filling = Filling::after(self, seq);
        stepped.map(|_| seq < self.state().applied)
    }

    /// Puts a complete index in the place of the present one. Questions wait a moment.
    fn place_successor(&self, own: Successor) -> Result<(), IndexError> {
        let (path, last) = (self.successor_path(), own.index.position().seq);
        own.index.flush()?;
        discard(own.index);
        wait_until_closed(&path)?;
        self.set_index(None);
        wait_until_closed(&self.path)?;
        self.remove_folders(own.reason)?;
        fs::rename(&path, &self.path)?;
        let index = EventStore::open(&self.path, self.cache, &self.new_manifest())?;
        // Without events, nothing has written yet that it has the baselines.
        self.add_baselines(&index)?;
        self.set_index(Some(index));
        tracing::info!("the new index is complete: {last} events");
        Ok(())
    }

    /// Keeps the present index, unless it may hold pruned events: then it is rebuilt in
    /// its own place.
    fn give_up(&self, reason: Reason, error: &IndexError) -> Result<bool, Failed> {
        tracing::warn!(
            "the new index {} could not be built: {error}",
            reason.text()
        );
        let present = self.index().as_ref().map(EventStore::fields);
        match reason {
            Reason::Pruned => return Err(Failed::Outdated(reason)),
            Reason::Readable => self.update(|state| state.readable = false),
            Reason::Fields => self.update(|state| state.lookup_fields = present),
        }
        Ok(false)
    }
}
