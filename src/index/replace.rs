//! Opening an index, and making another in the place of one that is damaged or
//! outdated while questions wait.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::discard;
use super::manifest::Position;
use super::shared::{Reason, Replace, Shared};
use super::store::EventStore;
use super::tree::Database;
use crate::event::{now_seconds, seconds_to_rfc3339};
use crate::log::LogError;
use crate::log::record::is_pruned;
use crate::storage::found;

/// How often an index is set aside before it is kept in memory: if every new one
/// breaks, damage is not the cause.
const MAX_REBUILDS: u32 = 3;

impl Shared {
    /// Opens the index; an error says why it must be replaced.
    pub fn open(&self) -> Result<(), Replace> {
        // The rest of an interrupted build; on a read-only disk it does no harm.
        let _ = self.remove_successor();
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
            // Only synced events are ever indexed.
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
    pub(super) fn keep_lookup_fields(&self, index: &EventStore) {
        let fields = index.fields();
        if !fields.is_empty() {
            self.state.lock().lookup_fields.get_or_insert(fields);
        }
    }

    /// Begins another index in place of the present one; questions wait for it.
    pub fn replace(&self, reason: Replace, rebuilds: &mut u32) {
        if let Some(index) = &*self.index.read() {
            self.keep_lookup_fields(index);
        }
        // It must be closed before its folder is moved or removed.
        self.set_index(None);
        let _ = self.remove_successor();
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
        let time = seconds_to_rfc3339(now_seconds()).replace([':', '-'], "");
        let names = std::iter::once(format!("damaged-{time}"))
            .chain((1..1000).map(|number| format!("damaged-{time}-{number}")));
        let mut paths = names.map(|name| self.path.with_extension(name));
        let Some(aside) = paths.find(|path| !path.exists()) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        let renamed = found(fs::rename(&self.path, &aside))?;
        Ok(renamed.map(|()| aside))
    }

    /// Removes the index's folder, and after a prune those that were set aside, too:
    /// they may hold pruned values.
    pub(super) fn remove_folders(&self, reason: Reason) -> io::Result<()> {
        self.remove_those(|is_aside| !is_aside || reason == Reason::Pruned)
    }

    /// Removes those of the index's folder and the folders set aside that are meant;
    /// `is_meant` gets whether a folder is set aside.
    pub(super) fn remove_those(&self, is_meant: impl Fn(bool) -> bool) -> io::Result<()> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(());
        };
        let aside = format!("{}.damaged-", name.to_string_lossy());
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let own = entry.file_name();
            let is_aside = own.to_string_lossy().starts_with(&aside);
            if (own == name || is_aside) && is_meant(is_aside) {
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}
