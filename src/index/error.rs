//! What is wrong with the index.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is wrong with the index. All of it ends in a rebuild.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// sled failed.
    #[error("sled: {0}")]
    Sled(#[from] sled::Error),
    /// sled panicked.
    #[error("sled panicked: {0}")]
    Panic(String),
    /// A value that makes no sense, or one that is gone.
    #[error("an entry is damaged")]
    Entry,
    /// An index of another version or another data folder.
    #[error("it was written by another version, or for another data folder")]
    Foreign,
}

impl IndexError {
    /// Whether this process has the database open still.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Sled(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock"))
    }

    /// Whether the disk is full: then a rebuild on it has no hope.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sled(sled::Error::Io(error))
            if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge))
    }
}

/// Calls into sled, taking its panics for errors.
pub(super) fn contain<T>(call: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(IndexError::Panic(
            text.unwrap_or_else(|| "for no stated reason".to_owned()),
        ))
    })
}
