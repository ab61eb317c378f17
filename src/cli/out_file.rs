//! A file that a command writes: it exists completely, or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use super::context::UsageError;
use crate::storage::{RealDisk, Storage as _};

/// A file under a temporary name in the same folder as its final name.
pub struct OutFile {
    path: PathBuf,
    pub dir: PathBuf,
    file: NamedTempFile,
    force: Option<bool>,
}

fn already(path: &Path, force: Option<bool>) -> UsageError {
    let path = path.display();
    let way_out = match force {
        Some(_) => "add --force",
        None => "remove it",
    };
    UsageError::new(format!(
        "--out: {path} already exists; name another file, or {way_out}"
    ))
}

impl OutFile {
    /// A new file for this path, which must not exist unless `force` is `Some(true)`; `force` is
    /// `None` if the command has no `--force`.
    pub fn beside(path: &Path, force: Option<bool>) -> anyhow::Result<Self> {
        if force != Some(true) && path.symlink_metadata().is_ok() {
            return Err(already(path, force).into());
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(dir);
        Ok(Self {
            file: file.with_context(|| format!("writing into {}", dir.display()))?,
            path: path.to_owned(),
            dir: dir.to_owned(),
            force,
        })
    }

    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Puts it in its place. When this returns it is on stable storage.
    pub fn put(self) -> anyhow::Result<()> {
        let path = self.path;
        let writing = || format!("writing {}", path.display());
        self.file.as_file().sync_all().with_context(writing)?;
        let put = if self.force == Some(true) {
            self.file.persist(&path)
        } else {
            self.file.persist_noclobber(&path)
        };
        match put {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(already(&path, self.force).into());
            }
            Err(error) => return Err(error.error).with_context(writing),
        }
        if let Err(error) = RealDisk.sync_dir(&self.dir) {
            bail!(
                "{}: it was written, but could not be synced to the disk: {error}",
                path.display()
            );
        }
        Ok(())
    }
}
