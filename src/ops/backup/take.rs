//! Taking a backup.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::copying::{copy, hash, hex, list, remove};
use super::manifest::{BASELINES, Manifest, ManifestFile, NEW_NAME, PARTS};
use super::{BackupDone, BackupError, BackupLine, BackupOrder};
use crate::log::{Log, SnapshotFile};
use crate::ops::Output;
use crate::storage::{Access, Storage, StorageFile};

/// How often the files are listed again before giving up.
const MAX_ROUNDS: usize = 20;

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
    /// The content of its `format` file.
    pub format: String,
    /// The files of the baselines that belong to it. Neither they nor events that
    /// are in no baseline are removed during the backup.
    pub baselines: Vec<PathBuf>,
    /// The present moment, RFC 3339.
    pub now: String,
}

/// A file of the data folder that the backup lacks.
struct NewFile {
    /// Its path in the data folder.
    path: String,
    /// Where it is.
    from: PathBuf,
    stamp: String,
    len: u64,
    /// The segment that it is; `None` for baselines.
    segment: Option<SnapshotFile>,
    /// Whether it is linked into the backup already.
    linked: bool,
}

/// The files of a log at a moment.
#[derive(Default)]
struct Listed {
    /// The paths of those that the backup has.
    present: Vec<(String, SnapshotFile)>,
    missing: Vec<NewFile>,
    /// The active segment if the backup lacks it, held open.
    active: Option<(NewFile, Arc<dyn StorageFile>)>,
}

/// A backup that is being taken.
struct Taker<'a, 'b> {
    source: &'a Source<'a>,
    storage: &'a dyn Storage,
    dir: &'a Path,
    /// Names that the last manifest needs.
    kept: BTreeSet<String>,
    /// The files in the backup, by their path in the data folder.
    have: BTreeMap<String, ManifestFile>,
    /// Whether to try hard links.
    link: bool,
    done: BackupDone,
    output: &'a mut Output<'b>,
    /// Bytes copied or read, and the bytes to copy or read.
    progress: (u64, u64),
}

/// Updates the backup in a folder, or makes one in an empty folder on the same
/// storage. Damage in the data folder is copied as it is and added to `damage`.
pub fn back_up(
    source: &Source<'_>,
    storage: &dyn Storage,
    order: &BackupOrder,
    damage: &mut Vec<String>,
    output: &mut Output<'_>,
) -> Result<BackupDone, BackupError> {
    let dir = &order.dir;
    let old = Manifest::read(storage, dir)?;
    if let Some(old) = &old {
        check_old(old, source, dir)?;
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
        output,
        progress: (0, 0),
    };
    for part in taker.folders() {
        let made = storage.make_dir(&part);
        made.map_err(BackupError::io("making", part))?;
    }
    for file in old.into_iter().flat_map(|old| old.files) {
        taker.kept.insert(file.stored.clone());
        // A file that is missing or shorter is taken again.
        let there = storage.open(&dir.join(&file.stored), Access::Read);
        let len = there.and_then(|file| file.len());
        if len.is_ok_and(|len| len == file.bytes) {
            taker.have.insert(file.path.clone(), file);
        }
    }
    let manifest = match taker.take_all() {
        Ok(manifest) => manifest,
        Err(error) => {
            // Free the space of a failed backup: the disk may be full.
            taker.remove_others(&taker.kept);
            return Err(error);
        }
    };
    // If this fails, either manifest may be found: the files of both stay.
    manifest.write(storage, dir)?;
    let stored = manifest.files.iter().map(|file| file.stored.clone());
    taker.remove_others(&stored.collect());
    damage.extend(manifest.damage());
    Ok(BackupDone {
        last_event: manifest.last_event,
        last_rejected: manifest.last_rejected,
        files: manifest.files.len() as u64,
        bytes: manifest.bytes(),
        ..taker.done
    })
}

/// Checks that a backup is an earlier state of the data folder.
fn check_old(old: &Manifest, source: &Source<'_>, dir: &Path) -> Result<(), BackupError> {
    if old.log_id != format!("{:016x}", source.log_id) {
        return Err(BackupError::OtherFolder(dir.to_owned()));
    }
    let events = ("event", old.last_event, source.events);
    let rejected = ("rejected call", old.last_rejected, source.rejected);
    for (what, theirs, log) in [events, rejected] {
        let ours = log.last_seq();
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
    /// The folders of the backup.
    fn folders(&self) -> Vec<PathBuf> {
        let pruned = (!self.source.baselines.is_empty()).then_some(BASELINES);
        let parts = PARTS.into_iter().chain(pruned);
        parts.map(|part| self.dir.join(part)).collect()
    }

    /// Takes closed segments until none is missing, then all that grows.
    fn take_all(&mut self) -> Result<Manifest, BackupError> {
        for _ in 0..MAX_ROUNDS {
            let events = self.list(self.source.events, PARTS[0])?;
            let rejected = self.list(self.source.rejected, PARTS[1])?;
            if events.missing.is_empty() && rejected.missing.is_empty() {
                return self.finish(events, rejected);
            }
            let missing: Vec<_> = events.missing.into_iter().chain(rejected.missing).collect();
            let bytes: u64 = missing.iter().map(|file| file.len).sum();
            self.progress.1 = self.progress.0 + bytes;
            for file in missing {
                self.take(file, None)?;
            }
        }
        Err(BackupError::SegmentsKeptChanging)
    }

    /// Lists a log's files, and links new closed ones if possible.
    fn list(&mut self, log: &Log, part: &str) -> Result<Listed, BackupError> {
        let mut listed = Listed::default();
        log.snapshot(|snapshot, file| {
            let path = format!("{part}/{}", snapshot.name);
            let stamp = file.stamp();
            let stamp = stamp.map_err(BackupError::io("reading", &snapshot.path))?;
            if self.is_present(&path, &stamp, snapshot.len) {
                listed.present.push((path, snapshot));
                return Ok(());
            }
            let linked = snapshot.closed && self.try_link(&snapshot.path, &path)?;
            let closed = snapshot.closed;
            let new = NewFile {
                path,
                from: snapshot.path.clone(),
                stamp,
                len: snapshot.len,
                segment: Some(snapshot),
                linked,
            };
            match closed {
                true => listed.missing.push(new),
                false => listed.active = Some((new, file)),
            }
            Ok::<(), BackupError>(())
        })?;
        Ok(listed)
    }

    fn is_present(&self, path: &str, stamp: &str, len: u64) -> bool {
        let had = self.have.get(path);
        had.is_some_and(|had| had.stamp == stamp && had.bytes == len)
    }

    /// Gives a file a second name in the backup. `false` if links are not wanted
    /// or not possible.
    fn try_link(&mut self, from: &Path, path: &str) -> Result<bool, BackupError> {
        if !self.link {
            return Ok(false);
        }
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

    /// The name in the backup that no file of the last manifest has.
    fn free_name(&self, path: &str) -> String {
        let taken = self.kept.contains(path);
        format!("{path}{}", if taken { "~" } else { "" })
    }

    /// With all closed segments in the backup: takes the files that grow, and
    /// returns the manifest of all files, synced.
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
            if let Some((active, file)) = listed.active {
                paths.push(active.path.clone());
                self.progress.1 = self.progress.0 + active.len;
                *last = self.take(active, Some(file.as_ref()))?;
            } else if let Some((path, segment)) = listed.present.last() {
                let stored = self.have.get(path).map_or(path, |file| &file.stored);
                *last = self.last_seq(segment, stored)?.0;
            }
            paths.extend(listed.present.into_iter().map(|(path, _)| path));
        }
        paths.sort_unstable();
        let files = paths.iter().filter_map(|path| self.have.get(path));
        manifest.files = files.cloned().collect();
        for dir in self.folders().iter().chain([&self.dir.to_owned()]) {
            let synced = self.storage.sync_dir(dir);
            synced.map_err(BackupError::io("syncing", dir))?;
        }
        Ok(manifest)
    }

    /// Takes a file, unless it has changed since it was listed. `held` is a file
    /// that grows: its first `len` bytes are taken. Returns the last `seq` of a
    /// segment that was taken.
    fn take(&mut self, new: NewFile, held: Option<&dyn StorageFile>) -> Result<u64, BackupError> {
        let stored = self.free_name(&new.path);
        let to = self.dir.join(&stored);
        if new.linked {
            let file = self.storage.open(&to, Access::Read);
            let file = file.map_err(BackupError::io("opening", &to))?;
            let sha256 = hash(file.as_ref(), new.len, |count| self.advance(count));
            let sha256 = sha256.map_err(BackupError::io("reading", &to))?;
            return self.add(new, stored, sha256);
        }
        let opened;
        let file = match held {
            Some(file) => file,
            None => {
                let reading = || BackupError::io("reading", &new.from);
                // If it is gone or was replaced, the next list has the new file.
                opened = match self.storage.open(&new.from, Access::Read) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                    opened => opened.map_err(reading())?,
                };
                if opened.stamp().map_err(reading())? != new.stamp {
                    return Ok(0);
                }
                // After a restore, a file with the same content has another stamp.
                if let Some(had) = self.have.get_mut(&new.path)
                    && had.bytes == new.len
                    && had.sha256 == hash(opened.as_ref(), new.len, |_| ()).map_err(reading())?
                {
                    had.stamp = new.stamp;
                    return Ok(0);
                }
                opened.as_ref()
            }
        };
        let storage = self.storage;
        let sha256 = copy(file, new.len, storage, &to, |count| self.advance(count));
        let sha256 = sha256.map_err(BackupError::io("copying to", &to))?;
        self.add(new, stored, sha256)
    }

    fn advance(&mut self, bytes: u64) {
        self.progress.0 += bytes;
        (self.output.progress)(self.progress.0, self.progress.1);
    }

    /// Takes the `format` file, which says whose the logs are and what is pruned.
    fn take_format(&mut self) -> Result<String, BackupError> {
        let (path, text) = ("format".to_owned(), self.source.format.as_bytes());
        let (bytes, sha256) = (text.len() as u64, hex(&Sha256::digest(text)));
        let had = self.have.get(&path);
        if had.is_none_or(|had| (had.bytes, &had.sha256) != (bytes, &sha256)) {
            let stored = self.free_name(&path);
            let to = self.dir.join(&stored);
            let write = || {
                remove(self.storage, &to)?;
                let file = self.storage.open(&to, Access::CreateNew)?;
                file.write_at(text, 0)?;
                file.sync()
            };
            write().map_err(BackupError::io("writing", &to))?;
            let new = NewFile {
                path: path.clone(),
                from: self.source.folder.join(&path),
                stamp: String::new(),
                len: bytes,
                segment: None,
                linked: false,
            };
            self.add(new, stored, sha256)?;
        }
        Ok(path)
    }

    /// Takes a file of baselines, which never changes.
    fn take_baselines(&mut self, from: &Path) -> Result<String, BackupError> {
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{BASELINES}/{name}");
        let reading = || BackupError::io("reading", from);
        let file = self.storage.open(from, Access::Read).map_err(reading())?;
        let len = file.len().map_err(reading())?;
        let stamp = file.stamp().map_err(reading())?;
        if !self.is_present(&path, &stamp, len) {
            let new = NewFile {
                path: path.clone(),
                from: from.to_owned(),
                stamp,
                len,
                segment: None,
                linked: self.try_link(from, &path)?,
            };
            self.take(new, None)?;
        }
        Ok(path)
    }

    /// Adds a file to those in the backup, and reports it. Returns the `seq` of
    /// its last record.
    fn add(&mut self, new: NewFile, stored: String, sha256: String) -> Result<u64, BackupError> {
        let (last_seq, damage) = match &new.segment {
            Some(segment) => self.last_seq(segment, &stored)?,
            None => (0, Vec::new()),
        };
        let NewFile {
            path,
            stamp,
            len: bytes,
            linked,
            ..
        } = new;
        let (files, all) = match linked {
            true => (&mut self.done.linked_files, &mut self.done.linked_bytes),
            false => (&mut self.done.copied_files, &mut self.done.copied_bytes),
        };
        *files += 1;
        *all += bytes;
        let line = BackupLine::File {
            file: path.clone(),
            bytes,
            linked,
        };
        let written = self.output.line(&line);
        let written = written.and_then(|()| self.output.out.flush());
        written.map_err(BackupError::Output)?;
        let file = ManifestFile {
            path: path.clone(),
            stored,
            bytes,
            sha256,
            stamp,
            damage,
        };
        self.have.insert(path, file);
        Ok(last_seq)
    }

    /// The last `seq` of a segment in the backup, and its damage.
    fn last_seq(
        &self,
        segment: &SnapshotFile,
        stored: &str,
    ) -> Result<(u64, Vec<String>), BackupError> {
        let at = self.dir.join(stored);
        let file = self.storage.open(&at, Access::Read);
        let held = segment.read(file.map_err(BackupError::io("opening", at))?)?;
        let damage = held.damage.iter().map(ToString::to_string);
        Ok((held.last_seq, damage.collect()))
    }

    /// Removes files that an earlier backup made and no manifest names.
    fn remove_others(&self, kept: &BTreeSet<String>) {
        let is_ours = |name: &String| {
            let name = name.strip_suffix('~').unwrap_or(name);
            name.ends_with(".log") || name.ends_with(".log.zst")
        };
        let mut names: Vec<String> = ["format", "format~", NEW_NAME].map(str::to_owned).into();
        for part in PARTS.into_iter().chain([BASELINES]) {
            let listed = list(self.storage, &self.dir.join(part)).unwrap_or_default();
            let listed = listed.into_iter().filter(is_ours);
            names.extend(listed.map(|name| format!("{part}/{name}")));
        }
        for name in names.iter().filter(|name| !kept.contains(*name)) {
            let path = self.dir.join(name);
            if let Err(error) = remove(self.storage, &path) {
                tracing::warn!("{} could not be removed: {error}", path.display());
            }
        }
    }
}
