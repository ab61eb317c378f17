//! Restores a data folder from a backup.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::copying::{copy, list, read_through};
use super::manifest::{BASELINES, Manifest, ManifestFile, NAME, PARTS, PROOFS};
use super::{LOCK, failed, is_within, lock};
use crate::log::check_copy;
use crate::storage::{Access, RealDisk, Storage, found, make_dirs, rename_durably};
use crate::store::Folder;

/// Reads a whole backup and compares it with its manifest; an error names every file that
/// differs. With a target, all is copied to a temporary folder, which is renamed to the target
/// if all of it matches: its parent must exist, and it must be missing or empty. `progress`
/// gets the bytes done and the total.
pub fn read_backup(
    storage: &dyn Storage,
    backup: &Path,
    target: Option<&Path>,
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(storage, backup)?.ok_or_else(|| {
        anyhow!(
            "{}: there is no backup here, or it was never finished: it has no manifest.json",
            backup.display()
        )
    })?;
    let aside = target.map(aside_of);
    let mut dirs: Vec<PathBuf> = aside.iter().cloned().collect();
    if let Some(aside) = &aside {
        dirs.extend(manifest.parts().iter().map(|part| aside.join(part)));
        for dir in &dirs {
            storage.make_dir(dir).map_err(failed("making", dir))?;
        }
        // Removes the rest of an interrupted restore.
        clear(storage, aside)?;
    }
    let (mut done, all) = (0, manifest.bytes());
    let mut wrong = Vec::new();
    for file in &manifest.files {
        let fault = read_file(storage, backup, file, aside.as_deref(), |count| {
            done += count;
            progress(done, all);
        })?;
        wrong.extend(fault.map(|reason| format!("{} {reason}", file.stored)));
    }
    if wrong.is_empty() {
        wrong.extend(wrong_claims(storage, backup, &manifest)?);
    }
    if !wrong.is_empty() {
        bail!(
            "the backup {} is damaged, and nothing of it was restored: {}. Restore another one; \
             or, if the data folder still exists, remove the damaged files from the backup and \
             back up again",
            backup.display(),
            wrong.join("; ")
        );
    }
    if let (Some(aside), Some(target)) = (&aside, target) {
        for dir in dirs.iter().rev() {
            storage.sync_dir(dir).map_err(failed("syncing", dir))?;
        }
        rename_durably(storage, aside, target).map_err(failed("renaming to", target))?;
    }
    Ok(manifest)
}

/// The fault of a file of a backup, if it has one. It is copied if a folder is given.
fn read_file(
    storage: &dyn Storage,
    backup: &Path,
    file: &ManifestFile,
    copy_to: Option<&Path>,
    progress: impl FnMut(u64),
) -> anyhow::Result<Option<String>> {
    let path = backup.join(&file.stored);
    let opened = found(storage.open(&path, Access::Read));
    let Some(opened) = opened.map_err(failed("opening", &path))? else {
        return Ok(Some("is missing".to_owned()));
    };
    let len = opened.len().map_err(failed("reading", &path))?;
    if len != file.bytes {
        return Ok(Some(format!(
            "has {len} bytes, and {} were written",
            file.bytes
        )));
    }
    let from = (path.as_path(), opened.as_ref());
    let sha256 = match copy_to {
        Some(target) => copy(from, len, storage, &target.join(&file.path), progress)?,
        None => read_through(from, len, None, progress)?,
    };
    let differs = sha256 != file.sha256;
    Ok(differs.then(|| "does not match its checksum".to_owned()))
}

/// The last records of the manifest that the files lack.
fn wrong_claims(
    storage: &dyn Storage,
    backup: &Path,
    manifest: &Manifest,
) -> anyhow::Result<Vec<String>> {
    let log_id = u64::from_str_radix(&manifest.log_id, 16).unwrap_or_default();
    let claims = [
        ("event", manifest.last_event),
        ("rejected call", manifest.last_rejected),
    ];
    let mut wrong = Vec::new();
    for (part, (what, claimed)) in PARTS.into_iter().zip(claims) {
        let is_of = |file: &&ManifestFile| Path::new(&file.path).starts_with(part);
        let last = manifest
            .files
            .iter()
            .filter(is_of)
            .max_by_key(|file| &file.path);
        let found = match last {
            Some(file) => {
                let path = backup.join(&file.stored);
                let opened = storage.open(&path, Access::Read);
                let opened = opened.map_err(failed("opening", path))?;
                check_copy(Path::new(&file.path), opened, log_id, None)?.last_seq
            }
            None => 0,
        };
        if found != claimed {
            wrong.push(format!(
                "{NAME} says that the last {what} is {claimed}, but it is {found}"
            ));
        }
    }
    Ok(wrong)
}

/// Removes the files of a restore that was not finished.
fn clear(storage: &dyn Storage, aside: &Path) -> anyhow::Result<()> {
    let mut paths = vec![aside.join("format")];
    for part in PARTS.into_iter().chain([BASELINES, PROOFS]) {
        let part = aside.join(part);
        let names = list(storage, &part).map_err(failed("listing", &part))?;
        paths.extend(names.iter().map(|name| part.join(name)));
    }
    for path in paths {
        let removed = storage.remove_if_there(&path);
        removed.map_err(failed("removing", path))?;
    }
    Ok(())
}

/// Where a restore puts its files before they are complete.
fn aside_of(target: &Path) -> PathBuf {
    beside(target, ".restoring")
}

/// The path beside a folder with its name and this suffix.
pub fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    folder.with_file_name(name)
}

/// Checks a backup and restores it to the target, an absolute path, if there is
/// one. `progress` gets the bytes done and the total.
pub fn restore_folder(
    backup: &Path,
    target: Option<&Path>,
    progress: impl FnMut(u64, u64),
) -> anyhow::Result<Manifest> {
    if let Some(target) = target {
        check_target(target)?;
        if is_within(target, backup) {
            bail!(
                "nothing can be restored into the backup {} itself: name another folder with --data",
                backup.display()
            );
        }
    }
    // A backup on a read-only medium may have no lock file.
    let _shared = match backup.join(LOCK).exists() {
        true => Some(lock(backup, LOCK, false)?),
        false => None,
    };
    let _locked = target.map(begin).transpose()?;
    let read = read_backup(&RealDisk, backup, target, progress);
    if let (Err(_), Some(target)) = (&read, target) {
        // The next one would do so, too; this gives the room back.
        let aside = aside_of(target);
        if let Err(error) = fs::remove_dir_all(&aside) {
            tracing::debug!("{} could not be removed: {error}", aside.display());
        }
    }
    read
}

/// An error if nothing may be restored to a path.
pub fn check_target(target: &Path) -> anyhow::Result<()> {
    let listed = found(fs::read_dir(target));
    let Some(mut names) = listed.map_err(failed("listing", target))? else {
        return Ok(());
    };
    if names.next().is_some() {
        let used = Folder::holder(target);
        let used = used.map_or_else(String::new, |holder| format!(", and in use by {holder}"));
        return Err(taken(target, &used));
    }
    let device = |path: &Path| fs::metadata(path).map(|data| data.dev());
    let parent = target.parent().unwrap_or(target);
    let [own, above] = [device(target), device(parent)];
    if own.ok() != above.ok() || parent == target {
        let why = "is a mount point: name a folder in it with --data";
        bail!("{} {why}", target.display());
    }
    Ok(())
}

/// Makes the temporary folder, which must not exist or be the rest of a restore, and
/// locks it like the data folder that it becomes.
fn begin(target: &Path) -> anyhow::Result<File> {
    let aside = aside_of(target);
    if let Some(parent) = target.parent() {
        make_dirs(parent).map_err(failed("making", parent))?;
    }
    let known = |name: &str| {
        matches!(name, "lock" | "format" | BASELINES | PROOFS) || PARTS.contains(&name)
    };
    let names = list(&RealDisk, &aside).map_err(failed("listing", &aside))?;
    if !names.iter().all(|name| known(name)) {
        return Err(taken(&aside, ""));
    }
    RealDisk
        .make_dir(&aside)
        .map_err(failed("making", &aside))?;
    lock(&aside, "lock", true)
}

/// The target of a restore exists; `used` says by whom it is used.
fn taken(dir: &Path, used: &str) -> anyhow::Error {
    let dir = dir.display();
    anyhow!("{dir} exists and is not empty{used}: move it away, or name another folder with --data")
}
