//! Taking a backup.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copying::remove;
use super::manifest::{BASELINES, Manifest, ManifestFile, PARTS};
use super::{BackupDone, BackupError, BackupOrder};
use crate::log::{Log, SnapshotFile};
use crate::ops::Told;
use crate::storage::{Access, Storage, StorageFile};

/// How often the list of files is taken anew before it is given up.
const ROUNDS: usize = 20;

/// What is backed up.
pub struct Source<'a> {
    /// The data folder.
    pub folder: &'a Path,
    /// Its number.
    pub log_id: u64,
    /// The events.
    pub events: &'a Log,
    /// The calls that could not be read.
    pub rejected: &'a Log,
    /// What its `format` file says, …
    pub format: String,
    /// … and the files of the baselines that go with that. They stay there, and
    /// so does every event that they do not stand for, until the backup is taken.
    pub baselines: Vec<PathBuf>,
    /// The present moment, RFC 3339.
    pub now: String,
}

/// A file of the log that the backup lacks.
pub(super) struct Wanted {
    pub path: String,
    pub stamp: String,
    pub snapshot: SnapshotFile,
    /// Whether it has its name in the backup already.
    pub linked: bool,
}

/// Files of a log as they were at a moment.
#[derive(Default)]
struct Listed {
    /// The paths of those that the backup has.
    had: Vec<(String, SnapshotFile)>,
    wanted: Vec<Wanted>,
    /// The one that grows, with its stamp, held open.
    active: Option<(Wanted, Arc<dyn StorageFile>)>,
}

/// A backup that is being taken.
pub(super) struct Taker<'a, 'b> {
    pub source: &'a Source<'a>,
    pub storage: &'a dyn Storage,
    pub dir: &'a Path,
    /// Names that the last manifest needs.
    pub kept: BTreeSet<String>,
    /// What the backup has of the data folder, by path.
    pub have: BTreeMap<String, ManifestFile>,
    /// Whether linking is to be tried.
    pub link: bool,
    pub done: BackupDone,
    pub told: &'a mut Told<'b>,
    /// Bytes that are done, and that there are.
    pub progress: (u64, u64),
}

/// Brings the backup in a folder up to date, or makes one in an empty folder,
/// which must be on the same storage. What cannot be read in the data folder is
/// added to `damage`; it is taken as it is.
pub fn back_up(
    source: &Source<'_>,
    storage: &dyn Storage,
    order: &BackupOrder,
    damage: &mut Vec<String>,
    told: &mut Told<'_>,
) -> Result<BackupDone, BackupError> {
    let dir = &order.dir;
    let old = Manifest::read(storage, dir)?;
    if let Some(old) = &old {
        check_old(old, source, dir)?;
    }
    let pruned = (!source.baselines.is_empty()).then_some(BASELINES);
    for part in PARTS.into_iter().chain(pruned) {
        let part = dir.join(part);
        storage
            .make_dir(&part)
            .map_err(BackupError::io("making", part))?;
    }
    let mut taker = Taker {
        source,
        storage,
        dir,
        kept: BTreeSet::new(),
        have: BTreeMap::new(),
        link: !order.copy,
        done: BackupDone {
            backup: dir.clone(),
            ..BackupDone::default()
        },
        told,
        progress: (0, 0),
    };
    for file in old.into_iter().flat_map(|old| old.files) {
        taker.kept.insert(file.stored.clone());
        // One that was lost or cut is taken anew.
        let there = storage.open(&dir.join(&file.stored), Access::Read);
        if there
            .and_then(|file| file.len())
            .is_ok_and(|len| len == file.bytes)
        {
            taker.have.insert(file.path.clone(), file);
        }
    }
    let manifest = match taker.take() {
        Ok(manifest) => manifest,
        Err(error) => {
            // A backup that failed, on a full disk perhaps, gives the room back.
            taker.remove_others(&taker.kept);
            return Err(error);
        }
    };
    // Where this fails it is open which of the two manifests is found: what
    // either names stays.
    manifest.write(storage, dir)?;
    let stored = manifest.files.iter().map(|file| file.stored.clone());
    taker.remove_others(&stored.collect());
    let mut done = taker.done;
    done.last_event = manifest.last_event;
    done.last_rejected = manifest.last_rejected;
    done.files = manifest.files.len() as u64;
    done.bytes = manifest.bytes();
    damage.extend(manifest.damage());
    Ok(done)
}

/// An error where a backup is not an earlier state of the data folder.
fn check_old(old: &Manifest, source: &Source<'_>, dir: &Path) -> Result<(), BackupError> {
    if old.log_id != format!("{:016x}", source.log_id) {
        return Err(BackupError::OtherFolder(dir.to_owned()));
    }
    let logs = [
        ("event", old.last_event, source.events.last_seq()),
        (
            "rejected call",
            old.last_rejected,
            source.rejected.last_seq(),
        ),
    ];
    for (what, theirs, ours) in logs {
        if theirs > ours {
            return Err(BackupError::Older {
                dir: dir.to_owned(),
                what,
                theirs,
                ours,
            });
        }
    }
    Ok(())
}

impl Taker<'_, '_> {
    fn take(&mut self) -> Result<Manifest, BackupError> {
        for _ in 0..ROUNDS {
            let events = self.list(self.source.events, PARTS[0])?;
            let rejected = self.list(self.source.rejected, PARTS[1])?;
            if events.wanted.is_empty() && rejected.wanted.is_empty() {
                return self.finish(events, rejected);
            }
            let wanted = events.wanted.into_iter().chain(rejected.wanted);
            let wanted: Vec<Wanted> = wanted.collect();
            let bytes: u64 = wanted.iter().map(|wanted| wanted.snapshot.len).sum();
            self.progress.1 = self.progress.0 + bytes;
            for wanted in wanted {
                self.take_closed(wanted)?;
            }
        }
        Err(BackupError::Restless)
    }

    /// Lists a log's files, and links those that are new where that is possible.
    fn list(&mut self, log: &Log, part: &str) -> Result<Listed, BackupError> {
        let mut listed = Listed::default();
        log.snapshot(|snapshot, file| {
            let path = format!("{part}/{}", snapshot.name);
            let stamp = file
                .stamp()
                .map_err(BackupError::io("reading", &snapshot.path))?;
            let had = self.have.get(&path);
            if had.is_some_and(|had| had.stamp == stamp && had.bytes == snapshot.len) {
                listed.had.push((path, snapshot));
                return Ok(());
            }
            let linked = snapshot.closed && self.link && self.try_link(&snapshot.path, &path)?;
            let closed = snapshot.closed;
            let wanted = Wanted {
                path,
                stamp,
                snapshot,
                linked,
            };
            if closed {
                listed.wanted.push(wanted);
            } else {
                listed.active = Some((wanted, file));
            }
            Ok::<(), BackupError>(())
        })?;
        Ok(listed)
    }

    /// Whether a file has a second name in the backup now.
    pub(super) fn try_link(&mut self, from: &Path, path: &str) -> Result<bool, BackupError> {
        let to = self.dir.join(self.free_name(path));
        remove(self.storage, &to).map_err(BackupError::io("removing", &to))?;
        match self.storage.link(from, &to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                Err(BackupError::io("linking", to)(error))
            }
            Err(error) => {
                tracing::debug!("{} is copied: {error}", from.display());
                self.link = false;
                Ok(false)
            }
        }
    }

    /// The name in the backup under which nothing of the last manifest is.
    pub fn free_name(&self, path: &str) -> String {
        if self.kept.contains(path) {
            format!("{path}~")
        } else {
            path.to_owned()
        }
    }

    /// With all closed files in the backup: takes those that grow, and gives the
    /// manifest of all of them, synced.
    fn finish(&mut self, events: Listed, rejected: Listed) -> Result<Manifest, BackupError> {
        let mut manifest = Manifest::new(self.source.log_id, self.source.now.clone());
        let mut paths = vec![self.take_format()?];
        for from in &self.source.baselines {
            paths.push(self.take_baselines(from)?);
        }
        for (listed, last) in [
            (events, &mut manifest.last_event),
            (rejected, &mut manifest.last_rejected),
        ] {
            let had = listed.had.last();
            if let Some((active, file)) = listed.active {
                paths.push(active.path.clone());
                *last = self.take_active(active, file.as_ref())?;
            } else if let Some((path, snapshot)) = had {
                *last = self.last_of(path, snapshot)?;
            }
            paths.extend(listed.had.into_iter().map(|(path, _)| path));
        }
        paths.sort_unstable();
        let files = paths.iter().filter_map(|path| self.have.get(path));
        manifest.files = files.cloned().collect();
        let pruned = (!self.source.baselines.is_empty()).then_some(BASELINES);
        for part in PARTS.into_iter().chain(pruned) {
            self.sync(&self.dir.join(part))?;
        }
        self.sync(self.dir)?;
        Ok(manifest)
    }

    fn sync(&self, dir: &Path) -> Result<(), BackupError> {
        let synced = self.storage.sync_dir(dir);
        synced.map_err(BackupError::io("syncing", dir))
    }

    fn take_active(&mut self, active: Wanted, file: &dyn StorageFile) -> Result<u64, BackupError> {
        let name = self.free_name(&active.path);
        let len = active.snapshot.len;
        self.progress.1 = self.progress.0 + len;
        let sha256 = self.copy(file, len, &self.dir.join(&name))?;
        self.keep(
            active.path,
            name,
            active.stamp,
            sha256,
            &active.snapshot,
            false,
        )
    }

    /// The `seq` of the last record in a file that the backup has.
    fn last_of(&self, path: &str, snapshot: &SnapshotFile) -> Result<u64, BackupError> {
        let stored = self.have.get(path).map_or(path, |file| &file.stored);
        let at = self.dir.join(stored);
        let file = self.storage.open(&at, Access::Read);
        let held = snapshot.read(file.map_err(BackupError::io("opening", at))?)?;
        Ok(held.last_seq)
    }
}
