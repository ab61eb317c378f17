//! Taking a backup.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::bail;
use sha2::{Digest, Sha256};

use super::copying::{copy, list, read_through};
use super::manifest::{BASELINES, Manifest, ManifestFile, NEW_NAME, PARTS, PROOF_FILES, PROOFS};
use super::{BackupDone, BackupLine, BackupOrder, failed};
use crate::log::{
    CheckedSegment, Log, LogSnapshot, SnapshotFile, TILE, check_copy, is_segment_name,
};
use crate::ops::Output;
use crate::proofs::{Kept, is_anchor_name};
use crate::storage::{Access, Storage, write_new};

/// The source of the backup.
pub struct Source<'a> {
    /// The data folder's number.
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
    /// The checkpoint that was signed before the logs are read, if any.
    pub proofs: Option<Kept>,
    /// The present moment, RFC 3339.
    pub now: String,
}

/// A backup that is being taken.
struct Taker<'a, 'b> {
    source: &'a Source<'a>,
    storage: &'a dyn Storage,
    dir: &'a Path,
    /// Names that the last manifest needs.
    kept: BTreeSet<String>,
    /// The files of the last backup that are there, by their path in the data folder.
    have: BTreeMap<String, ManifestFile>,
    /// Whether to try hard links.
    link: bool,
    /// The new manifest.
    manifest: Manifest,
    done: BackupDone,
    output: &'a mut Output<'b>,
    /// Bytes taken, and the bytes to take.
    progress: (u64, u64),
}

/// Updates the backup in a folder, or makes one in an empty folder on the same storage.
/// Damage in the data folder is copied unchanged and added to `damage`.
pub fn back_up(
    source: &Source<'_>,
    storage: &dyn Storage,
    order: &BackupOrder,
    damage: &mut Vec<String>,
    output: &mut Output<'_>,
) -> anyhow::Result<BackupDone> {
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
        manifest: Manifest::new(source.log_id, source.now.clone()),
        done: BackupDone {
            backup: dir.clone(),
            ..BackupDone::default()
        },
        output,
        progress: (0, 0),
    };
    for part in taker.folders() {
        let made = storage.make_dir(&part);
        made.map_err(failed("making", part))?;
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
    if let Err(error) = taker.take_all() {
        // Free the space of a failed backup: the disk may be full.
        taker.remove_others(&taker.kept);
        return Err(error);
    }
    let manifest = &taker.manifest;
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
fn check_old(old: &Manifest, source: &Source<'_>, dir: &Path) -> anyhow::Result<()> {
    if old.log_id != format!("{:016x}", source.log_id) {
        let why = "is the backup of another data folder: name another folder";
        bail!("{} {why}", dir.display());
    }
    let events = ("event", old.last_event, source.events);
    let rejected = ("rejected call", old.last_rejected, source.rejected);
    for (what, theirs, log) in [events, rejected] {
        let ours = log.last_seq();
        if theirs > ours {
            bail!(
                "the backup {} goes up to {what} {theirs}, and the data folder only up to {ours}: \
                 was it restored from an older backup? Name another folder, so that nothing of the \
                 backup is lost",
                dir.display()
            );
        }
    }
    Ok(())
}

impl Taker<'_, '_> {
    /// The folders of the backup.
    fn folders(&self) -> Vec<PathBuf> {
        let pruned = (!self.source.baselines.is_empty()).then_some(BASELINES);
        let signed = self.source.proofs.as_ref().map(|_| PROOFS);
        let parts = PARTS.into_iter().chain(pruned).chain(signed);
        parts.map(|part| self.dir.join(part)).collect()
    }

    /// Takes every file, and syncs the backup's folders.
    fn take_all(&mut self) -> anyhow::Result<()> {
        let source = self.source;
        let (events, rejected) = (source.events.snapshot()?, source.rejected.snapshot()?);
        let files = events.files.iter().chain(&rejected.files);
        self.progress.1 = files.map(|file| file.len).sum();
        self.take_text("format", source.format.as_bytes())?;
        for from in &source.baselines {
            self.take(BASELINES, &self.whole(from)?)?;
        }
        self.manifest.last_event = self.take_log(PARTS[0], events)?;
        self.manifest.last_rejected = self.take_log(PARTS[1], rejected)?;
        if let Some(proofs) = &source.proofs {
            // Only tiles of events that the backup has.
            let most = self.manifest.last_event / TILE * 32;
            let tiles = self.whole(&proofs.tiles)?;
            let tiles = SnapshotFile {
                len: tiles.len.min(most),
                closed: false,
                ..tiles
            };
            self.take(PROOFS, &tiles)?;
            for anchor in &proofs.anchors {
                self.take(PROOFS, &self.whole(anchor)?)?;
            }
            self.take_text("proofs/partial", &proofs.partial)?;
            self.take_text("proofs/checkpoint", &proofs.checkpoint)?;
        }
        self.manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut dirs = self.folders();
        dirs.push(self.dir.to_owned());
        for dir in &dirs {
            let synced = self.storage.sync_dir(dir);
            synced.map_err(failed("syncing", dir))?;
        }
        Ok(())
    }

    /// All of a file that is complete.
    fn whole(&self, path: &Path) -> anyhow::Result<SnapshotFile> {
        let file = self.storage.open(path, Access::Read);
        let len = file.and_then(|file| file.len());
        Ok(SnapshotFile {
            path: path.to_owned(),
            len: len.map_err(failed("reading", path))?,
            closed: true,
            next_first: None,
        })
    }

    /// Takes the files of a log; returns the `seq` of its last record.
    fn take_log(&mut self, part: &str, log: LogSnapshot<'_>) -> anyhow::Result<u64> {
        let mut last_seq = 0;
        for (place, file) in log.files.iter().enumerate() {
            let (stored, taken) = self.take(part, file)?;
            last_seq = match taken {
                Some(held) => held.last_seq,
                None if place + 1 == log.files.len() => self.check(file, &stored)?.last_seq,
                None => 0,
            };
        }
        Ok(last_seq)
    }

    /// Takes a file, unless the backup has it. Returns its path in the backup, and what
    /// it holds if it was taken.
    fn take(
        &mut self,
        part: &str,
        file: &SnapshotFile,
    ) -> anyhow::Result<(String, Option<CheckedSegment>)> {
        let from = file.path.as_path();
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{part}/{name}");
        let reading = || failed("reading", from);
        let original = self.storage.open(from, Access::Read).map_err(reading())?;
        let stamp = original.stamp().map_err(reading())?;
        let had = self.have.get(&path).filter(|had| had.bytes == file.len);
        let had = had.cloned();
        if let Some(had) = had.as_ref().filter(|had| had.stamp == stamp) {
            self.progress.0 += had.bytes;
            self.manifest.files.push(had.clone());
            return Ok((had.stored.clone(), None));
        }
        let stored = self.free_name(&path);
        let to = self.dir.join(&stored);
        let linked = file.closed && self.try_link(from, &to)?;
        let original = (from, original.as_ref());
        // After a restore, a file with the same content has another stamp.
        if let Some(had) = had.filter(|_| !linked) {
            let sha256 = read_through(original, file.len, None, |bytes| self.advance(bytes))?;
            if sha256 == had.sha256 {
                let stored = had.stored.clone();
                self.manifest.files.push(ManifestFile { stamp, ..had });
                return Ok((stored, None));
            }
            // It is read again, to be copied.
            self.progress.1 += file.len;
        }
        let storage = self.storage;
        let advance = |bytes| self.advance(bytes);
        let sha256 = match linked {
            true => read_through(original, file.len, None, advance)?,
            false => copy(original, file.len, storage, &to, advance)?,
        };
        let held = match part {
            BASELINES | PROOFS => None,
            _ => Some(self.check(file, &stored)?),
        };
        let damage = held.iter().flat_map(|held| &held.damage);
        let new = ManifestFile {
            path,
            stored: stored.clone(),
            bytes: file.len,
            sha256,
            stamp,
            damage: damage.map(ToString::to_string).collect(),
        };
        self.add(new, linked)?;
        Ok((stored, held))
    }

    /// Counts bytes that were read, and reports the progress.
    fn advance(&mut self, bytes: u64) {
        let (done, all) = &mut self.progress;
        *done += bytes;
        (self.output.progress)(*done, *all);
    }

    /// Gives a file a second name in the backup. `false` if links are not wanted
    /// or not possible.
    fn try_link(&mut self, from: &Path, to: &Path) -> anyhow::Result<bool> {
        if !self.link {
            return Ok(false);
        }
        let removed = self.storage.remove_if_there(to);
        removed.map_err(failed("removing", to))?;
        match self.storage.link(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                Err(failed("linking", to)(error))
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

    /// Takes a file with this content: `format`, which has the identity of the logs and
    /// the pruned events, or a file of proofs.
    fn take_text(&mut self, path: &str, text: &[u8]) -> anyhow::Result<()> {
        let path = path.to_owned();
        let (bytes, sha256) = (text.len() as u64, format!("{:x}", Sha256::digest(text)));
        if let Some(had) = self.have.get(&path)
            && (had.bytes, &had.sha256) == (bytes, &sha256)
        {
            self.manifest.files.push(had.clone());
            return Ok(());
        }
        let stored = self.free_name(&path);
        let to = self.dir.join(&stored);
        write_new(self.storage, &to, text).map_err(failed("writing", &to))?;
        let new = ManifestFile {
            path,
            stored,
            bytes,
            sha256,
            stamp: String::new(),
            damage: Vec::new(),
        };
        self.add(new, false)
    }

    /// Adds a file that was taken to the manifest, and reports it.
    fn add(&mut self, file: ManifestFile, linked: bool) -> anyhow::Result<()> {
        let (files, bytes) = match linked {
            true => (&mut self.done.linked_files, &mut self.done.linked_bytes),
            false => (&mut self.done.copied_files, &mut self.done.copied_bytes),
        };
        *files += 1;
        *bytes += file.bytes;
        let line = BackupLine::File {
            file: file.path.clone(),
            bytes: file.bytes,
            linked,
        };
        self.manifest.files.push(file);
        let written = self.output.line(&line);
        let written = written.and_then(|()| self.output.out.flush());
        Ok(written?)
    }

    /// The content of a segment in the backup.
    fn check(&self, file: &SnapshotFile, stored: &str) -> anyhow::Result<CheckedSegment> {
        let at = self.dir.join(stored);
        let copy = self.storage.open(&at, Access::Read);
        let copy = copy.map_err(failed("opening", at))?;
        let held = check_copy(&file.path, copy, self.source.log_id, file.next_first)?;
        Ok(held)
    }

    /// Removes files that an earlier backup made and no manifest names.
    fn remove_others(&self, kept: &BTreeSet<String>) {
        let is_ours = |part: &str, name: &str| {
            let name = name.strip_suffix('~').unwrap_or(name);
            match part {
                PROOFS => is_anchor_name(name),
                _ => is_segment_name(name),
            }
        };
        let mut names: Vec<String> = ["format", "format~", NEW_NAME].map(str::to_owned).into();
        for part in PARTS.into_iter().chain([BASELINES, PROOFS]) {
            let listed = list(self.storage, &self.dir.join(part)).unwrap_or_default();
            let listed = listed.into_iter().filter(|name| is_ours(part, name));
            names.extend(listed.map(|name| format!("{part}/{name}")));
        }
        let proofs = PROOF_FILES.iter().map(|name| format!("{PROOFS}/{name}"));
        names.extend(proofs.flat_map(|name| [format!("{name}~"), name]));
        for name in names.iter().filter(|name| !kept.contains(*name)) {
            let path = self.dir.join(name);
            if let Err(error) = self.storage.remove_if_there(&path) {
                tracing::warn!("{} could not be removed: {error}", path.display());
            }
        }
    }
}
