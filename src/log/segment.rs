//! One segment, and where in it a `seq` is found.
//!
//! A segment is *plain*, a file of frames as they were appended, or *sealed*
//! ([`super::sealed`]). Both are read as a plain file, by blocks; [`super::blocks`] or
//! the footer has their places.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::blocks::{Block, Blocks};
use super::error::{Damage, LogError};
pub(super) use super::names::{parse_segment_name, sealed_name, segment_name};
use super::notifier::AppendNotifier;
use super::sealed::{BlockCache, Footer, SealedFile};
use super::segment_file::SegmentFile;
use super::segment_reader::{Found, SegmentReader};
use crate::storage::{Access, Storage, StorageFile};

/// A log that is open for reading; clones share it.
#[derive(Clone)]
pub struct Log {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub storage: Arc<dyn Storage>,
    pub dir: PathBuf,
    pub id: u64,
    /// In the order of their first `seq`; only the last one grows.
    pub segments: RwLock<Vec<Arc<Segment>>>,
    /// The last synced `seq`, and the threads that wait for it to grow.
    pub notifier: AppendNotifier,
    /// The damage at the end when the log was opened, after which nothing is
    /// appended.
    pub lost_end: Option<Damage>,
    /// The bytes after the last good frame when the log was opened, unless opening cut
    /// them off.
    pub leftover: Option<Damage>,
    /// Blocks of sealed segments for readers of single events.
    pub cache: Arc<BlockCache>,
    /// Locked for writing while files are replaced, and for reading while none may be
    /// replaced.
    pub rewrite_lock: RwLock<()>,
}

pub(super) struct Segment {
    pub path: PathBuf,
    pub first_seq: u64,
    content: Content,
}

enum Content {
    Plain {
        /// The length up to which frames are synced and may be read.
        end: AtomicU64,
        blocks: RwLock<Option<Blocks>>,
    },
    Sealed {
        /// Read at the first use.
        footer: Mutex<Option<Arc<Footer>>>,
    },
}

impl Segment {
    /// A plain segment of that length.
    pub fn plain(dir: &Path, first_seq: u64, end: u64, blocks: Option<Blocks>) -> Self {
        Self {
            path: dir.join(segment_name(first_seq)),
            first_seq,
            content: Content::Plain {
                end: AtomicU64::new(end),
                blocks: RwLock::new(blocks),
            },
        }
    }

    pub fn sealed(dir: &Path, first_seq: u64) -> Self {
        Self {
            path: dir.join(sealed_name(first_seq)),
            first_seq,
            content: Content::Sealed {
                footer: Mutex::new(None),
            },
        }
    }

    pub const fn is_sealed(&self) -> bool {
        matches!(self.content, Content::Sealed { .. })
    }

    /// The current file.
    pub fn open_raw(&self, storage: &dyn Storage) -> Result<Arc<dyn StorageFile>, LogError> {
        storage
            .open(&self.path, Access::Read)
            .map_err(LogError::io("opening", &self.path))
    }

    /// The file as that of a plain segment. With `cached`, blocks of a sealed one
    /// are kept in the log's cache.
    pub fn open(&self, inner: &Inner, cached: bool) -> Result<Arc<SegmentFile>, LogError> {
        let file = self.open_raw(inner.storage.as_ref())?;
        let Some(footer) = self.footer(inner)? else {
            return Ok(Arc::new(SegmentFile::Plain(file)));
        };
        // The file may have been rewritten since its footer was read or its blocks were found
        // by scan; then the caller finds the segment that replaced this one.
        let is_unchanged = match footer.stored_crc() {
            Some((at, crc)) => {
                let mut found = [0; 4];
                file.read_at(&mut found, at)
                    .map_err(LogError::io("reading", &self.path))?;
                found == crc.to_le_bytes()
            }
            None => false,
        };
        if !is_unchanged && !inner.holds(self) {
            return Err(LogError::io("opening", &self.path)(
                io::ErrorKind::NotFound.into(),
            ));
        }
        let cache = cached.then(|| Arc::clone(&inner.cache));
        let sealed =
            SealedFile::new(file, footer, cache).map_err(LogError::io("reading", &self.path))?;
        Ok(Arc::new(SegmentFile::Sealed(sealed)))
    }

    /// The footer of a sealed segment; `None` if the segment is plain.
    pub fn footer(&self, inner: &Inner) -> Result<Option<Arc<Footer>>, LogError> {
        let Content::Sealed { footer } = &self.content else {
            return Ok(None);
        };
        let mut known = footer.lock();
        if let Some(footer) = &*known {
            return Ok(Some(Arc::clone(footer)));
        }
        let file = self.open_raw(inner.storage.as_ref())?;
        let loaded = Footer::load(&file, inner.id).map_err(LogError::io("reading", &self.path))?;
        if let Some(reason) = loaded.recovered_by_scan {
            tracing::error!(
                "{}: {reason}; its blocks were found by searching the file, so no event is lost by that",
                self.path.display()
            );
        }
        Ok(Some(Arc::clone(known.insert(Arc::new(loaded)))))
    }

    /// The readable length in bytes, as a plain segment.
    pub fn end(&self, inner: &Inner) -> Result<u64, LogError> {
        match &self.content {
            Content::Plain { end, .. } => Ok(end.load(Ordering::Acquire)),
            Content::Sealed { .. } => {
                let footer = self.footer(inner)?;
                Ok(footer.map_or(0, |footer| footer.plain_len()))
            }
        }
    }

    /// Makes an appended and synced frame readable.
    pub fn publish(&self, first_seq: u64, offset: u64, new_end: u64) {
        if let Content::Plain { end, blocks } = &self.content {
            let mut blocks = blocks.write();
            blocks.get_or_insert_default().add(first_seq, offset);
            end.store(new_end, Ordering::Release);
        }
    }

    /// The block that holds a `seq` of this segment. `next_first` is the first
    /// `seq` of the segment after it.
    pub fn find_block(
        &self,
        inner: &Inner,
        seq: u64,
        next_first: Option<u64>,
    ) -> Result<Block, LogError> {
        let end = self.end(inner)?;
        let found = match self.footer(inner)? {
            Some(footer) => footer.block_of_seq(seq).map(|(at, block)| Block {
                first_seq: block.first_seq,
                offset: block.plain_offset,
                end: block.plain_end(),
                next_seq: footer.blocks.get(at + 1).map(|next| next.first_seq),
            }),
            None => self.with_blocks(inner, next_first, |blocks| blocks.find(seq, end))?,
        };
        // A segment without a frame is one block.
        Ok(found.unwrap_or(Block {
            first_seq: self.first_seq,
            offset: 0,
            end,
            next_seq: None,
        }))
    }

    /// Calls `ask` with the blocks of a plain segment. They are known for the active
    /// segment; for one that an earlier process closed they are found by reading it once.
    /// A sealed segment has no such blocks.
    pub fn with_blocks<T>(
        &self,
        inner: &Inner,
        next_first: Option<u64>,
        ask: impl FnOnce(&Blocks) -> T,
    ) -> Result<T, LogError> {
        let Content::Plain { blocks, .. } = &self.content else {
            return Ok(ask(&Blocks::default()));
        };
        if let Some(known) = &*blocks.read() {
            return Ok(ask(known));
        }
        let loaded = self.scan_blocks(inner, next_first)?;
        let mut place = blocks.write();
        Ok(ask(place.get_or_insert(loaded)))
    }

    fn scan_blocks(&self, inner: &Inner, next_first: Option<u64>) -> Result<Blocks, LogError> {
        let mut blocks = Blocks::default();
        let mut reader = SegmentReader::new(self.open(inner, false)?, inner.id);
        reader.seek(0, self.end(inner)?, self.first_seq, next_first);
        let reading = || LogError::io("reading", &self.path);
        while let Some(found) = reader.read_next().map_err(reading())? {
            match found {
                Found::Frame { offset, frame } => blocks.add(frame.header.first_seq, offset),
                Found::Gap(gap) => blocks.add(gap.first_seq, gap.offset),
            }
        }
        Ok(blocks)
    }
}
