//! A sealed segment, read as the plain one that it was made from.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use zstd::bulk::Decompressor;

use super::cache::BlockCache;
use super::footer::{Footer, SealedBlock};
use crate::storage::StorageFile;

/// A sealed segment, open for reading. Offsets and lengths are those of the
/// plain segment; a damaged block reads as zeros, with which no frame begins.
pub(in crate::log) struct SealedFile {
    file: Arc<dyn StorageFile>,
    pub footer: Arc<Footer>,
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
    /// The file with this footer. With a cache, blocks are looked up there first.
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

    /// What is wrong with the block that holds an offset.
    pub fn fault(&self, offset: u64) -> Option<&'static str> {
        let (_, block) = self.footer.block_of_offset(offset)?;
        let mut plain = vec![0; block.plain_len as usize];
        let read = self.work.lock().decompress(&*self.file, block, &mut plain);
        read.ok()?.err()
    }

    /// Reads up to `buffer.len()` bytes at an offset; fewer only at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
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

    /// Copies the bytes of a block from an offset in it on.
    fn copy(
        &self,
        (at, block): (usize, &SealedBlock),
        skip: usize,
        target: &mut [u8],
    ) -> io::Result<()> {
        let place = (self.footer.number, at);
        let mut work = self.work.lock();
        let held = match &work.last {
            Some((last, bytes)) if *last == at => Some(Arc::clone(bytes)),
            _ => self.cache.as_ref().and_then(|cache| cache.get(place)),
        };
        let bytes = match held {
            Some(bytes) => bytes,
            None if self.cache.is_none() && target.len() == block.plain_len as usize => {
                return work.decompress_or_zero(&*self.file, block, target);
            }
            None => {
                let mut bytes = vec![0; block.plain_len as usize];
                work.decompress_or_zero(&*self.file, block, &mut bytes)?;
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
    fn decompress_or_zero(
        &mut self,
        file: &dyn StorageFile,
        block: &SealedBlock,
        plain: &mut [u8],
    ) -> io::Result<()> {
        if self.decompress(file, block, plain)?.is_err() {
            plain.fill(0);
        }
        Ok(())
    }

    /// Decompresses a block into `plain`, which has its length; an error names the fault.
    fn decompress(
        &mut self,
        file: &dyn StorageFile,
        block: &SealedBlock,
        plain: &mut [u8],
    ) -> io::Result<Result<(), &'static str>> {
        self.compressed.clear();
        self.compressed.shrink_to(1 << 20);
        self.compressed.resize(block.len as usize, 0);
        if file.read_at(&mut self.compressed, block.offset)? < self.compressed.len() {
            return Ok(Err("the compressed block is cut short"));
        }
        if crc32c::crc32c(&self.compressed) != block.crc {
            return Ok(Err("the compressed block's checksum does not match"));
        }
        let made = self
            .decompressor
            .decompress_to_buffer(&self.compressed, plain);
        Ok(match made {
            Ok(len) if len == plain.len() => Ok(()),
            _ => Err("the compressed block cannot be decompressed"),
        })
    }
}
