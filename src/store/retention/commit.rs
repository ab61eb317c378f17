//! Putting a new `format` file in the place of the old one.

use std::io;
use std::path::Path;

use crate::storage::{Storage, name_of_new, rename_durably, write_new};

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing has happened.
    #[error("writing the format file: {0}")]
    NotDone(io::Error),
    /// Whether it is on stable storage is not known before a restart.
    #[error("making the format file durable: {0}")]
    Unknown(io::Error),
}

/// Puts a text in the place of a data folder's `format` file. When this returns
/// it is on stable storage.
pub fn commit(storage: &dyn Storage, folder: &Path, text: &str) -> Result<(), CommitError> {
    let path = folder.join("format");
    let new = name_of_new(&path);
    write_new(storage, &new, text.as_bytes()).map_err(CommitError::NotDone)?;
    rename_durably(storage, &new, &path).map_err(CommitError::Unknown)
}
