//! A sealed segment, read as the plain one that it was made from.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zstd::bulk::Decompressor;

use super::cache::BlockCache;
use super::footer::{Footer, SealedBlock, TABLE_END_LEN};
use crate::log::frame::{Frame, Header, MAX_PAYLOAD};
use crate::log::search::MagicSearch;
use crate::storage::StorageFile;

/// The first bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// How many bytes are read at first of a block of unknown length.
const WINDOW: usize = 1 << 20;

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::log) enum BadBlock {
    /// The file ends before it does.
    #[error("the compressed block is cut short")]
    Short,
    /// Its bytes are not those that were written.
    #[error("the compressed block's checksum does not match")]
    Checksum,
    /// It does not decompress to a frame of the log.
    #[error("the compressed block cannot be decompressed")]
    Content,
}

/// A sealed segment, open for reading. Offsets and lengths are those of the
/// plain segment; a damaged block reads as zeros, with which no frame begins.
pub(in crate::log) struct SealedFile {
    file: Arc<dyn StorageFile>,
    footer: Arc<Footer>,
    cache: Option<Arc<BlockCache>>,
    work: Mutex<Work>,
}

struct Work {
    decompressor: Decompressor<'static>,
    compressed: Vec<u8>,
    /// The block that was used last.
    last: Option<(usize, Arc<Vec<u8>>)>,
}

impl SealedFile {
    /// The file whose footer [`load`] returned. With a cache, blocks are looked
    /// up there first.
    pub fn new(
        file: Arc<dyn StorageFile>,
        footer: Arc<Footer>,
        cache: Option<Arc<BlockCache>>,
    ) -> io::Result<Self> {
        Ok(Self {
            file,
            footer,
            cache,
            work: Mutex::new(Work {
                decompressor: Decompressor::new()?,
                compressed: Vec::new(),
                last: None,
            }),
        })
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decompresses a block into `plain`, or returns what is wrong with it.
    pub fn read_block(
        &self,
        block: &SealedBlock,
        plain: &mut Vec<u8>,
    ) -> io::Result<Result<(), BadBlock>> {
        plain.resize(block.plain_len as usize, 0);
        self.work().decompress(self.file.as_ref(), block, plain)
    }

    /// Copies the bytes of a block from an offset in it on.
    fn copy(
        &self,
        (at, block): (usize, &SealedBlock),
        skip: usize,
        target: &mut [u8],
    ) -> io::Result<()> {
        let place = (self.footer.number, at);
        let mut work = self.work();
        let held = match &work.last {
            Some((last, bytes)) if *last == at => Some(Arc::clone(bytes)),
            _ => self.cache.as_ref().and_then(|cache| cache.get(place)),
        };
        let bytes = match held {
            Some(bytes) => bytes,
            None if self.cache.is_none() && target.len() == block.plain_len as usize => {
                if work.decompress(self.file.as_ref(), block, target)?.is_err() {
                    target.fill(0);
                }
                return Ok(());
            }
            None => {
                let mut bytes = vec![0; block.plain_len as usize];
                if work
                    .decompress(self.file.as_ref(), block, &mut bytes)?
                    .is_err()
                {
                    bytes.fill(0);
                }
                let bytes = Arc::new(bytes);
                if let Some(cache) = &self.cache {
                    cache.put(place, Arc::clone(&bytes));
                }
                bytes
            }
        };
        if let Some(from) = bytes.get(skip..skip + target.len()) {
            target.copy_from_slice(from);
        }
        work.last = Some((at, bytes));
        Ok(())
    }
}

impl Work {
    /// Decompresses a block into `plain`, which has its length.
    fn decompress(
        &mut self,
        file: &dyn StorageFile,
        block: &SealedBlock,
        plain: &mut [u8],
    ) -> io::Result<Result<(), BadBlock>> {
        self.compressed.clear();
        self.compressed.shrink_to(1 << 20);
        self.compressed.resize(block.len as usize, 0);
        if file.read_at(&mut self.compressed, block.offset)? < self.compressed.len() {
            return Ok(Err(BadBlock::Short));
        }
        if crc32c::crc32c(&self.compressed) != block.crc {
            return Ok(Err(BadBlock::Checksum));
        }
        let made = self
            .decompressor
            .decompress_to_buffer(&self.compressed, plain);
        Ok(if made.is_ok_and(|made| made == plain.len()) {
            Ok(())
        } else {
            Err(BadBlock::Content)
        })
    }
}

impl StorageFile for SealedFile {
    fn stamp(&self) -> io::Result<String> {
        self.file.stamp()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.footer.plain_len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
            && let Some((at, block)) = self.footer.block_of_offset(offset + filled as u64)
        {
            let skip = (offset + filled as u64 - block.plain_offset) as usize;
            let len = rest.len().min(block.plain_len as usize - skip);
            let target = rest.get_mut(..len).unwrap_or_default();
            self.copy((at, block), skip, target)?;
            filled += len;
        }
        Ok(filled)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the footer of a sealed segment; if it is damaged, searches the file for
/// the blocks.
pub(in crate::log) fn load(file: &dyn StorageFile, log_id: u64) -> io::Result<Footer> {
    let len = file.len()?;
    if let Some(footer) = read_footer(file, log_id, len)? {
        return Ok(footer);
    }
    let blocks = search(file, log_id, len)?;
    Ok(Footer::new(blocks, Some("the footer is damaged")))
}

fn read_footer(file: &dyn StorageFile, log_id: u64, len: u64) -> io::Result<Option<Footer>> {
    let mut end = [0; TABLE_END_LEN];
    let end_at = len.saturating_sub(TABLE_END_LEN as u64);
    file.read_at(&mut end, end_at)?;
    let blocks_len = Footer::encoded_len(&end).and_then(|tail| len.checked_sub(tail));
    let Some(blocks_len) = blocks_len else {
        return Ok(None);
    };
    let mut bytes = vec![0; usize::try_from(len - blocks_len).map_err(io::Error::other)?];
    let read = file.read_at(&mut bytes, blocks_len)?;
    bytes.truncate(read);
    Ok(Footer::decode(&bytes, log_id, blocks_len))
}

/// Finds the whole blocks of a file by their content alone.
fn search(file: &dyn StorageFile, log_id: u64, file_len: u64) -> io::Result<Vec<SealedBlock>> {
    let mut blocks: Vec<SealedBlock> = Vec::new();
    let mut search = MagicSearch::new(file, ZSTD_MAGIC, 0, file_len);
    while let Some((at, _)) = search.next_hit()? {
        let after = blocks.last().map_or(0, SealedBlock::next_seq);
        let block = whole_block(file, at, log_id)?;
        if let Some(mut block) = block.filter(|block| block.first_seq >= after) {
            block.plain_offset = blocks.last().map_or(0, SealedBlock::plain_end);
            search.skip_to(at + u64::from(block.len));
            blocks.push(block);
        }
    }
    Ok(blocks)
}

/// The block that begins at an offset, if a whole one does.
fn whole_block(
    file: &dyn StorageFile,
    offset: u64,
    log_id: u64,
) -> io::Result<Option<SealedBlock>> {
    let mut want = WINDOW;
    let (bytes, len) = loop {
        let bytes = read(file, offset, want)?;
        match zstd::zstd_safe::find_frame_compressed_size(&bytes) {
            Ok(len) => break (bytes, len),
            // It may be longer than what was read.
            Err(_) if bytes.len() == want && want < MAX_PAYLOAD => want *= 8,
            Err(_) => return Ok(None),
        }
    };
    let compressed = bytes.get(..len).unwrap_or_default();
    let plain_len = match zstd::zstd_safe::get_frame_content_size(compressed) {
        Ok(Some(len)) if len <= 2 * MAX_PAYLOAD as u64 => len as usize,
        _ => return Ok(None),
    };
    let Ok(plain) = zstd::bulk::decompress(compressed, plain_len) else {
        return Ok(None);
    };
    let header = Header::parse(&plain, log_id).ok();
    let whole = header.filter(|header| header.frame_len() == plain.len() as u64);
    Ok(whole
        .filter(|_| Frame::parse(&plain, log_id).is_ok())
        .and_then(|header| {
            Some(SealedBlock {
                first_seq: header.first_seq,
                count: header.count,
                offset,
                len: u32::try_from(len).ok()?,
                plain_offset: 0,
                plain_len: u32::try_from(plain.len()).ok()?,
                crc: crc32c::crc32c(compressed),
                times: (i64::MIN, i64::MAX),
            })
        }))
}

fn read(file: &dyn StorageFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let rest = file.len()?.saturating_sub(offset);
    let mut bytes = vec![0; len.min(usize::try_from(rest).unwrap_or(usize::MAX))];
    let read = file.read_at(&mut bytes, offset)?;
    bytes.truncate(read);
    Ok(bytes)
}
