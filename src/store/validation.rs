//! The files by which Copernica validates an address.
//!
//! Before Copernica calls an address, it fetches a text file from the host's root or from the
//! webhook's folder. It shows the file's name and content to its user. These files are in
//! `validation/` of the data folder. The server reads them at each request, so a change needs no
//! restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::event::is_label;
use crate::storage::{
    Links, RealDisk, Storage, found, give_to_owner, read_small, replace_for_owner,
};

/// The most files.
const MAX_FILES: usize = 16;

/// The most bytes of a file.
const MAX_LEN: u64 = 4 << 10;

/// Why a file cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum ValidationError {
    /// The name is not one that is served.
    #[error(
        "{0:?} is not the name of a validation file: 1 to 64 of A-Z, a-z, 0-9, _ and -, and .txt; save the file under \
         the name that Copernica shows"
    )]
    Name(String),
    /// There are as many files as there may be.
    #[error(
        "there are {MAX_FILES} validation files, which is the limit: remove one that was validated, with \
         `profiletrail validation remove NAME`"
    )]
    TooMany,
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The validation files of a data folder.
#[derive(Clone, Debug)]
pub struct ValidationFiles {
    folder: PathBuf,
}

/// Whether a validation file may have this name.
fn is_name(name: &str) -> bool {
    name.strip_suffix(".txt").is_some_and(is_label)
}

impl ValidationFiles {
    /// Those of the data folder at a path.
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.join("validation")
    }

    /// The names of all files, in order.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let Some(entries) = found(fs::read_dir(self.dir()))? else {
            return Ok(Vec::new());
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| is_name(name));
        names.sort_unstable();
        Ok(names)
    }

    /// The content of a file; `None` if there is no such file.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = is_name(name).then(|| self.dir().join(name))?;
        read_small(&path, MAX_LEN, Links::Refuse).ok()
    }

    /// The content of the file that a request for a path gets.
    pub fn at_path(&self, path: &str) -> Option<Vec<u8>> {
        self.read(path.strip_prefix("/webhook/").or(path.strip_prefix('/'))?)
    }

    /// Copies a file into the folder, in place of one of the same name, and returns its name.
    pub fn add(&self, file: &Path) -> Result<String, ValidationError> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if !is_name(&name) {
            return Err(ValidationError::Name(name.into_owned()));
        }
        let content = read_small(file, MAX_LEN, Links::Follow)?;
        let names = self.names()?;
        if names.len() >= MAX_FILES && !names.iter().any(|known| *known == name) {
            return Err(ValidationError::TooMany);
        }
        let dir = self.dir();
        RealDisk.make_dir(&dir)?;
        give_to_owner(&dir, &self.folder)?;
        replace_for_owner(&dir.join(&*name), &self.folder, &content)?;
        Ok(name.into_owned())
    }

    /// Removes a file; returns whether there was one.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        if !is_name(name) {
            return Ok(false);
        }
        Ok(found(fs::remove_file(self.dir().join(name)))?.is_some())
    }
}
