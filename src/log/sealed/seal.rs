//! Writing records as compressed blocks, and a closed segment in that form.

use std::io;
use std::path::Path;
use std::sync::Arc;

use zstd::bulk::Compressor;

use super::file::{SealedFile, load};
use super::footer::{Footer, SealedBlock};
use super::{BLOCK_LEN, LEVEL};
use crate::log::frame;
use crate::log::scan::{Frames, Step};
use crate::storage::{Access, Storage, StorageFile};

/// After how many bytes written they are synced: a large sync at once would
/// hold up the committer's.
const SYNC_LEN: u64 = 1 << 20;

/// The times of a block of pruned records alone: no span touches them.
const NO_TIMES: (i64, i64) = (i64::MAX, i64::MIN);

/// A closed segment that is to be sealed, or written anew.
pub(in crate::log) struct Plain<'a> {
    /// Its file, read as that of a plain segment.
    pub file: Arc<dyn StorageFile>,
    /// Its length in bytes.
    pub len: u64,
    /// `seq` of its first record.
    pub first_seq: u64,
    /// `seq` of the record after its last.
    pub next_seq: u64,
    /// The folder's.
    pub log_id: u64,
    /// The time of a record in Unix seconds; `None` where it cannot be read.
    pub time_of: &'a dyn Fn(&[u8]) -> Option<i64>,
    /// Whether a record is to be left out; one without bytes stands in its place.
    pub is_pruned: &'a dyn Fn(u64, &[u8]) -> bool,
}

/// Why a segment was not sealed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub(in crate::log) enum SealError {
    /// Some of it cannot be read.
    #[error("it is damaged at offset {0}")]
    Damaged(u64),
    /// It was told to stop.
    #[error("sealing was stopped")]
    Stopped,
    /// What was written does not read back as the same.
    #[error("what was written reads back otherwise")]
    Differs,
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the sealed form of a segment to a new file and syncs it; its name is
/// not synced. `stop` is asked between blocks. Tells the new file's length in bytes.
pub(in crate::log) fn seal(
    plain: &Plain<'_>,
    storage: &dyn Storage,
    target: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<u64, SealError> {
    let mut writer = SealedWriter::create(storage, target, plain.log_id, plain.first_seq)?;
    each_record(&plain.file, plain, stop, |seq, record| {
        if (plain.is_pruned)(seq, record) {
            return writer.add(&[], None);
        }
        let time = (plain.time_of)(record).map_or((i64::MIN, i64::MAX), |time| (time, time));
        writer.add(record, Some(time).filter(|_| !record.is_empty()))
    })?;
    writer.finish(stop)
}

/// Tells two rows of records apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    count: u64,
    crc: u32,
}

impl Digest {
    fn add(&mut self, seq: u64, record: &[u8]) {
        self.count += 1;
        self.crc = crc32c::crc32c_append(self.crc, &seq.to_le_bytes());
        self.crc = crc32c::crc32c_append(self.crc, record);
    }
}

/// Hands all records of a segment to `each`; an error where any is missing.
fn each_record(
    file: &Arc<dyn StorageFile>,
    plain: &Plain<'_>,
    stop: &dyn Fn() -> bool,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let mut frames = Frames::new(Arc::clone(file), plain.log_id);
    frames.seek(0, plain.len, plain.first_seq, Some(plain.next_seq));
    while let Some(step) = frames.step()? {
        if stop() {
            return Err(SealError::Stopped);
        }
        match step {
            Step::Bad(bad) => return Err(SealError::Damaged(bad.offset)),
            Step::Frame { offset, header } => {
                let frame = frames.frame(offset, header).into_iter();
                for (seq, record) in frame.flat_map(|frame| frame.records()) {
                    each(seq, record)?;
                }
            }
        }
    }
    if frames.expected() == plain.next_seq {
        Ok(())
    } else {
        Err(SealError::Damaged(frames.at()))
    }
}

/// Writes a new sealed segment: gathers records to blocks.
pub(in crate::log) struct SealedWriter {
    file: Arc<dyn StorageFile>,
    log_id: u64,
    first_seq: u64,
    compressor: Compressor<'static>,
    blocks: Vec<SealedBlock>,
    records: Vec<Vec<u8>>,
    records_len: usize,
    /// `seq` of the next record.
    next_seq: u64,
    /// The least and the greatest time of the gathered records.
    times: Option<(i64, i64)>,
    frame: Vec<u8>,
    /// Up to where the file is synced.
    synced: u64,
    written: Digest,
}

impl SealedWriter {
    /// Makes the file, which must not be there yet.
    pub fn create(
        storage: &dyn Storage,
        target: &Path,
        log_id: u64,
        first_seq: u64,
    ) -> io::Result<Self> {
        Ok(Self {
            file: storage.open(target, Access::CreateNew)?,
            log_id,
            first_seq,
            compressor: Compressor::new(LEVEL)?,
            blocks: Vec::new(),
            records: Vec::new(),
            records_len: 0,
            next_seq: first_seq,
            times: None,
            frame: Vec::new(),
            synced: 0,
            written: Digest::default(),
        })
    }

    /// Writes a record. `times` are its least and its greatest time.
    pub fn add(&mut self, record: &[u8], times: Option<(i64, i64)>) -> Result<(), SealError> {
        if self.records_len > 0 && self.records_len + record.len() + 4 > BLOCK_LEN {
            self.write_block()?;
        }
        if let Some((first, last)) = times {
            let (least, greatest) = self.times.unwrap_or((first, last));
            self.times = Some((least.min(first), greatest.max(last)));
        }
        self.written.add(self.next_seq, record);
        self.records_len += record.len() + 4;
        self.records.push(record.to_vec());
        self.next_seq += 1;
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), SealError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let times = self.times.take().unwrap_or(NO_TIMES);
        let count = self.records.len();
        let first_seq = self.next_seq - count as u64;
        let too_long = || io::Error::other("a block is too long");
        frame::encode(&mut self.frame, self.log_id, first_seq, &self.records)
            .ok_or_else(too_long)?;
        let compressed = self.compressor.compress(&self.frame)?;
        let (offset, plain_offset) = self.blocks.last().map_or((0, 0), |last| {
            (last.offset + u64::from(last.len), last.plain_end())
        });
        self.blocks.push(SealedBlock {
            first_seq,
            count: u32::try_from(count).map_err(io::Error::other)?,
            offset,
            len: u32::try_from(compressed.len()).map_err(io::Error::other)?,
            plain_offset,
            plain_len: u32::try_from(self.frame.len()).map_err(io::Error::other)?,
            crc: crc32c::crc32c(&compressed),
            times,
        });
        self.file.write_at(&compressed, offset)?;
        let end = offset + compressed.len() as u64;
        if end - self.synced >= SYNC_LEN {
            self.file.sync()?;
            self.synced = end;
        }
        self.records.clear();
        self.records_len = 0;
        // A rare large record must not hold its memory for ever.
        self.frame.shrink_to(2 * BLOCK_LEN);
        Ok(())
    }

    /// Writes what is left, syncs the file, and reads it back: what it holds
    /// must be what was written. Its name is not synced. Tells its length in bytes.
    pub fn finish(mut self, stop: &dyn Fn() -> bool) -> Result<u64, SealError> {
        self.write_block()?;
        let end = self
            .blocks
            .last()
            .map_or(0, |last| last.offset + u64::from(last.len));
        let footer = Footer::new(std::mem::take(&mut self.blocks), None);
        let bytes = footer
            .encode(self.log_id)
            .ok_or_else(|| io::Error::other("the segment has too many blocks"))?;
        self.file.write_at(&bytes, end)?;
        self.file.sync()?;
        let len = self.file.len()?;
        let footer = Arc::new(load(self.file.as_ref(), self.log_id)?);
        if footer.searched.is_some() {
            return Err(SealError::Differs);
        }
        let plain_len = footer.plain_len();
        let sealed = Plain {
            file: Arc::new(SealedFile::new(self.file, footer, None)?),
            len: plain_len,
            first_seq: self.first_seq,
            next_seq: self.next_seq,
            log_id: self.log_id,
            time_of: &|_| None,
            is_pruned: &|_, _| false,
        };
        let mut read = Digest::default();
        let same = each_record(&sealed.file, &sealed, stop, |seq, record| {
            read.add(seq, record);
            Ok(())
        });
        match same {
            Err(SealError::Damaged(_)) => Err(SealError::Differs),
            Ok(()) if read != self.written => Err(SealError::Differs),
            other => other.map(|()| len),
        }
    }
}
