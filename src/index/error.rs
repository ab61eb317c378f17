//! Faults of the index.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A fault of the index. Every fault leads to a rebuild.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(transparent)]
    Sled(#[from] sled::Error),
    #[error("sled panicked: {0}")]
    Panic(String),
    /// A value is malformed or missing.
    #[error("an entry is damaged")]
    Entry,
    #[error("it was written by another version, or for another data folder")]
    Foreign,
}

/// Why the index cannot answer in a way that a rebuild does not fix, as a text for the
/// operator.
#[derive(Debug, thiserror::Error)]
#[error("the index: {0}")]
pub struct IndexUnavailable(pub(super) String);

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::Sled(error.into())
    }
}

impl IndexError {
    /// Whether the disk is full, so that an index on it cannot be rebuilt.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sled(sled::Error::Io(error))
            if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge))
    }
}

/// Calls into sled and turns its panics into errors.
pub(super) fn catch_panic<T>(
    call: impl FnOnce() -> Result<T, IndexError>,
) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(IndexError::Panic(
            text.unwrap_or_else(|| "no reason given".to_owned()),
        ))
    })
}

/// Closes a database that may be damaged: sled may panic once more then.
pub(super) fn discard<T>(index: T) {
    let _ = catch_unwind(AssertUnwindSafe(move || drop(index)));
}
