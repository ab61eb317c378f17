//! Finding the blocks of a sealed segment: by its footer, or by searching the file.

use std::io;
use std::sync::Arc;

use super::footer::{Footer, SealedBlock, TABLE_END_LEN};
use crate::log::frame::{Frame, MAX_FRAME};
use crate::log::search::MagicSearch;
use crate::log::segment_file::SegmentFile;
use crate::storage::StorageFile;

/// The first bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// How many bytes are read at first of a block of unknown length.
const WINDOW: usize = 1 << 20;

impl Footer {
    /// Reads the footer of a sealed segment; if it is damaged, searches the file for
    /// the blocks.
    pub fn load(file: &Arc<dyn StorageFile>, log_id: u64) -> io::Result<Self> {
        let len = file.len()?;
        if let Some(footer) = read_footer(file.as_ref(), log_id, len)? {
            return Ok(footer);
        }
        let blocks = search(file, log_id, len)?;
        Ok(Self::new(blocks, Some("the footer is damaged")))
    }
}

fn read_footer(file: &dyn StorageFile, log_id: u64, len: u64) -> io::Result<Option<Footer>> {
    let end_at = len.saturating_sub(TABLE_END_LEN as u64);
    let end = file.read_up_to(end_at, TABLE_END_LEN)?;
    let blocks_len = Footer::encoded_len(&end).and_then(|tail| len.checked_sub(tail));
    let Some(blocks_len) = blocks_len else {
        return Ok(None);
    };
    let bytes = file.read_up_to(blocks_len, usize::MAX)?;
    Ok(Footer::decode(&bytes, log_id, blocks_len))
}

/// Finds the complete blocks of a file only by their content.
fn search(file: &Arc<dyn StorageFile>, log_id: u64, len: u64) -> io::Result<Vec<SealedBlock>> {
    let mut blocks: Vec<SealedBlock> = Vec::new();
    let raw = SegmentFile::Plain(Arc::clone(file));
    let mut search = MagicSearch::new(&raw, ZSTD_MAGIC, 0, len);
    while let Some((at, start)) = search.next_hit()? {
        let len = zstd::zstd_safe::get_frame_content_size(start).ok();
        let len = len.flatten().and_then(|len| usize::try_from(len).ok());
        // A longer one is no frame of the log.
        let Some(plain_len) = len.filter(|len| *len <= MAX_FRAME) else {
            continue;
        };
        let after = blocks.last().map_or(0, SealedBlock::next_seq);
        let block = whole_block(file.as_ref(), at, plain_len, log_id)?;
        if let Some(mut block) = block.filter(|block| block.first_seq >= after) {
            block.plain_offset = blocks.last().map_or(0, SealedBlock::plain_end);
            search.skip_to(block.end());
            blocks.push(block);
        }
    }
    Ok(blocks)
}

/// The block that begins at an offset, if a whole one does.
fn whole_block(
    file: &dyn StorageFile,
    offset: u64,
    plain_len: usize,
    log_id: u64,
) -> io::Result<Option<SealedBlock>> {
    let mut want = WINDOW;
    let (bytes, len) = loop {
        let bytes = file.read_up_to(offset, want)?;
        match zstd::zstd_safe::find_frame_compressed_size(&bytes) {
            Ok(len) => break (bytes, len),
            // It may be longer than the bytes that were read.
            Err(_) if bytes.len() == want && want < MAX_FRAME => want *= 8,
            Err(_) => return Ok(None),
        }
    };
    let compressed = bytes.get(..len).unwrap_or_default();
    let Ok(plain) = zstd::bulk::decompress(compressed, plain_len) else {
        return Ok(None);
    };
    let frame = Frame::parse(&plain, log_id).ok();
    let header = frame.map(|frame| frame.header);
    Ok(header
        .filter(|header| header.frame_len() == plain.len() as u64)
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
