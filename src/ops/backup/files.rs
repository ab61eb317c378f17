//! Single files of a backup.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::copying::{copy, hash, hex, list, remove};
use super::manifest::{BASELINES, ManifestFile, NEW_NAME, PARTS};
use super::take::{Taker, Wanted};
use super::{BackupError, BackupLine};
use crate::log::SnapshotFile;
use crate::storage::{Access, StorageFile};

impl Taker<'_, '_> {
    /// Takes a closed file, if it is still as it was when it was listed.
    pub(super) fn take_closed(&mut self, wanted: Wanted) -> Result<(), BackupError> {
        let Wanted {
            path,
            stamp,
            snapshot,
            linked,
        } = wanted;
        let name = self.free_name(&path);
        let stored = self.dir.join(&name);
        let reading = || BackupError::io("reading", &snapshot.path);
        if !linked {
            // Gone or replaced: the next list tells by what.
            let file = match self.storage.open(&snapshot.path, Access::Read) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                opened => opened.map_err(reading())?,
            };
            if file.stamp().map_err(reading())? != stamp {
                return Ok(());
            }
            // After a restore the same content has another stamp.
            if let Some(same) = self.same(&path, file.as_ref(), snapshot.len)? {
                self.have.insert(path, ManifestFile { stamp, ..same });
                return Ok(());
            }
            let sha256 = self.copy(file.as_ref(), snapshot.len, &stored)?;
            return self
                .keep(path, name, stamp, sha256, &snapshot, false)
                .map(|_| ());
        }
        let file = self.storage.open(&stored, Access::Read);
        let file = file.map_err(BackupError::io("opening", &stored))?;
        let sha256 = self.hash(file.as_ref(), snapshot.len, &stored)?;
        self.keep(path, name, stamp, sha256, &snapshot, true)
            .map(|_| ())
    }

    /// What the backup has at that path, if it has the content of this file.
    fn same(
        &mut self,
        path: &str,
        file: &dyn StorageFile,
        len: u64,
    ) -> Result<Option<ManifestFile>, BackupError> {
        let Some(had) = self.have.get(path).filter(|had| had.bytes == len).cloned() else {
            return Ok(None);
        };
        let sha256 = hash(file, len, |_| ()).map_err(BackupError::io("reading", path))?;
        Ok((had.sha256 == sha256).then_some(had))
    }

    /// Copies the first bytes of a file, syncs the copy and tells of the progress.
    pub(super) fn copy(
        &mut self,
        from: &dyn StorageFile,
        len: u64,
        to: &Path,
    ) -> Result<String, BackupError> {
        let (told, progress) = (&mut *self.told, &mut self.progress);
        copy(from, len, self.storage, to, |count| {
            progress.0 += count;
            (told.progress)(progress.0, progress.1);
        })
        .map_err(BackupError::io("copying to", to))
    }

    /// Reads a file's SHA-256 and tells of the progress.
    fn hash(
        &mut self,
        file: &dyn StorageFile,
        len: u64,
        path: &Path,
    ) -> Result<String, BackupError> {
        let (told, progress) = (&mut *self.told, &mut self.progress);
        hash(file, len, |count| {
            progress.0 += count;
            (told.progress)(progress.0, progress.1);
        })
        .map_err(BackupError::io("reading", path))
    }

    /// Takes note of a file that is in the backup now, and tells of it. Gives
    /// the `seq` of its last record.
    pub(super) fn keep(
        &mut self,
        path: String,
        stored: String,
        stamp: String,
        sha256: String,
        snapshot: &SnapshotFile,
        linked: bool,
    ) -> Result<u64, BackupError> {
        let at = self.dir.join(&stored);
        let file = self.storage.open(&at, Access::Read);
        let held = snapshot.read(file.map_err(BackupError::io("opening", at))?)?;
        let bytes = snapshot.len;
        let (files, all) = match linked {
            true => (&mut self.done.linked_files, &mut self.done.linked_bytes),
            false => (&mut self.done.copied_files, &mut self.done.copied_bytes),
        };
        *files += 1;
        *all += bytes;
        self.tell(&path, bytes, linked)?;
        let damage = held.damage.iter().map(ToString::to_string);
        let file = ManifestFile {
            path: path.clone(),
            stored,
            bytes,
            sha256,
            stamp,
            damage: damage.collect(),
        };
        self.have.insert(path, file);
        Ok(held.last_seq)
    }

    /// Tells of a new file; an error where nobody listens any more.
    fn tell(&mut self, path: &str, bytes: u64, linked: bool) -> Result<(), BackupError> {
        let file = path.to_owned();
        let line = BackupLine::File {
            file,
            bytes,
            linked,
        };
        let told = self.told.line(&line).and_then(|()| self.told.out.flush());
        told.map_err(BackupError::Output)
    }

    /// Takes the file that tells whose the logs are, and what is pruned.
    pub(super) fn take_format(&mut self) -> Result<String, BackupError> {
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
            self.note(path.clone(), stored, bytes, sha256, String::new(), false)?;
        }
        Ok(path)
    }

    /// Takes a file of baselines, which never changes.
    pub(super) fn take_baselines(&mut self, from: &Path) -> Result<String, BackupError> {
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{BASELINES}/{name}");
        let reading = || BackupError::io("reading", from);
        let file = self.storage.open(from, Access::Read).map_err(reading())?;
        let bytes = file.len().map_err(reading())?;
        let stamp = file.stamp().map_err(reading())?;
        let had = self.have.get(&path);
        if had.is_some_and(|had| had.stamp == stamp && had.bytes == bytes) {
            return Ok(path);
        }
        let stored = self.free_name(&path);
        let to = self.dir.join(&stored);
        if self.link && self.try_link(from, &path)? {
            let sha256 = self.hash(file.as_ref(), bytes, &to)?;
            self.note(path.clone(), stored, bytes, sha256, stamp, true)?;
        } else if let Some(same) = self.same(&path, file.as_ref(), bytes)? {
            self.have
                .insert(path.clone(), ManifestFile { stamp, ..same });
        } else {
            let sha256 = self.copy(file.as_ref(), bytes, &to)?;
            self.note(path.clone(), stored, bytes, sha256, stamp, false)?;
        }
        Ok(path)
    }

    /// Takes note of a file that is in the backup now and holds no log's
    /// records, and tells of it.
    fn note(
        &mut self,
        path: String,
        stored: String,
        bytes: u64,
        sha256: String,
        stamp: String,
        linked: bool,
    ) -> Result<(), BackupError> {
        let (files, all) = match linked {
            true => (&mut self.done.linked_files, &mut self.done.linked_bytes),
            false => (&mut self.done.copied_files, &mut self.done.copied_bytes),
        };
        *files += 1;
        *all += bytes;
        self.tell(&path, bytes, linked)?;
        let file = ManifestFile {
            path: path.clone(),
            stored,
            bytes,
            sha256,
            stamp,
            damage: Vec::new(),
        };
        self.have.insert(path, file);
        Ok(())
    }

    /// Removes what a backup has left here and no manifest names.
    pub(super) fn remove_others(&self, kept: &BTreeSet<String>) {
        let is_ours = |name: &str| {
            let name = name.strip_suffix('~').unwrap_or(name);
            name.ends_with(".log") || name.ends_with(".log.zst")
        };
        let mut others: Vec<PathBuf> = Vec::new();
        for part in PARTS.into_iter().chain([BASELINES]) {
            let names = list(self.storage, &self.dir.join(part)).unwrap_or_default();
            let names = names.into_iter().filter(|name| is_ours(name));
            let names = names.map(|name| format!("{part}/{name}"));
            let names = names.filter(|name| !kept.contains(name));
            others.extend(names.map(|name| self.dir.join(name)));
        }
        for name in ["format", "format~", NEW_NAME] {
            if !kept.contains(name) {
                others.push(self.dir.join(name));
            }
        }
        for path in others {
            if let Err(error) = remove(self.storage, &path) {
                tracing::warn!("{} could not be removed: {error}", path.display());
            }
        }
    }
}
