//! A segment's file, read as a plain one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::error::Damage;
use super::sealed::{Footer, SealedFile};
use super::segment_reader::Gap;
use crate::storage::StorageFile;

/// A plain or sealed segment, open for reading. Offsets and lengths are those of the
/// plain segment.
pub(super) enum SegmentFile {
    Plain(Arc<dyn StorageFile>),
    Sealed(SealedFile),
}

impl SegmentFile {
    /// Reads the footer if the file is a sealed segment.
    pub fn new(file: Arc<dyn StorageFile>, is_sealed: bool, log_id: u64) -> io::Result<Self> {
        if !is_sealed {
            return Ok(Self::Plain(file));
        }
        let footer = Arc::new(Footer::load(&file, log_id)?);
        Ok(Self::Sealed(SealedFile::new(file, footer, None)?))
    }

    /// The footer of a sealed segment.
    pub fn footer(&self) -> Option<&Footer> {
        match self {
            Self::Plain(_) => None,
            Self::Sealed(file) => Some(&file.footer),
        }
    }

    pub fn len(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.len(),
            Self::Sealed(file) => Ok(file.footer.plain_len()),
        }
    }

    /// Reads up to `buffer.len()` bytes at an offset; fewer only at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, offset),
            Self::Sealed(file) => file.read_at(buffer, offset),
        }
    }

    /// Where the bytes from one offset to another are in the file itself.
    pub fn place(&self, offset: u64, end: u64) -> (u64, u64) {
        match self {
            Self::Plain(_) => (offset, end),
            Self::Sealed(file) => file.footer.place(offset, end),
        }
    }

    /// The damage that makes events of this segment up to `last_seq` unreadable. In a
    /// sealed segment its place is that of the compressed blocks, and the reason is that
    /// of the first of them.
    pub fn damage(&self, gap: Gap, segment: &Path, last_seq: u64) -> Damage {
        let place = self.place(gap.offset, gap.end);
        let fault = match self {
            Self::Sealed(file) if gap.offset < gap.end => file.fault(gap.offset),
            _ => None,
        };
        let reason = fault.map_or(gap.reason, str::to_owned);
        Damage::new(segment, place, (gap.first_seq, last_seq), reason)
    }
}
