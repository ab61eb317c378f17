//! Writing records as compressed blocks, and a closed segment in that form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zstd::bulk::Compressor;

use super::footer::{Footer, NO_TIMES, SealedBlock};
use super::{BLOCK_LEN, LEVEL, Rewriting};
use crate::log::error::LogError;
use crate::log::frame;
use crate::log::record::is_no_event;
use crate::log::segment_file::SegmentFile;
use crate::log::segment_reader::{Found, SegmentReader};
use crate::storage::{Access, Storage, StorageFile};

/// The file is synced each time this many bytes are written: one large sync would delay
/// those of the committer.
const SYNC_LEN: u64 = 1 << 20;

/// A closed segment whose records are read.
pub(in crate::log) struct Plain<'a> {
    /// The path that errors name.
    pub path: &'a Path,
    /// Its file, as that of a plain segment.
    pub file: Arc<SegmentFile>,
    pub len: u64,
    pub first_seq: u64,
    /// `seq` of the record after its last.
    pub next_seq: u64,
    pub log_id: u64,
}

/// Why a segment was not sealed. It is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// The caller stopped it.
    #[error("sealing was stopped")]
    Stopped,
    /// A part of it cannot be read and would be lost.
    #[error("{segment} is damaged at offset {offset}: run `profiletrail repair`")]
    Damaged {
        /// The segment's file.
        segment: String,
        /// Where the damage begins.
        offset: u64,
    },
    /// The sealed form does not read back as it was written.
    #[error("the sealed form of {0} does not read back as it was written: is the disk failing?")]
    Differs(String),
    /// The file system failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Writes the sealed form of a segment to a new file and syncs it, but not its
/// name. `stop` is called between blocks. Returns the new file's length in bytes.
pub(in crate::log) fn seal(
    plain: &Plain<'_>,
    rewriting: &Rewriting<'_>,
    storage: &dyn Storage,
    target: &Path,
) -> Result<u64, NotSealed> {
    let mut writer =
        SealedWriter::create(storage, target, plain.path, plain.log_id, plain.first_seq)?;
    each_record(plain, rewriting.stop, |seq, record| {
        let other = (rewriting.replace)(seq, record);
        writer.add_record(other.as_deref().unwrap_or(record), rewriting.time_of)
    })?;
    writer.finish(rewriting.stop)
}

/// Count and checksum of records, to compare written with read records.
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

/// Calls `each` with all records of a segment; an error if one is missing.
fn each_record(
    plain: &Plain<'_>,
    stop: &dyn Fn() -> bool,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), NotSealed>,
) -> Result<(), NotSealed> {
    let damaged = |offset| NotSealed::Damaged {
        segment: plain.path.display().to_string(),
        offset,
    };
    let mut reader = SegmentReader::new(Arc::clone(&plain.file), plain.log_id);
    reader.seek(0, plain.len, plain.first_seq, Some(plain.next_seq));
    while let Some(found) = reader
        .read_next()
        .map_err(LogError::io("reading", plain.path))?
    {
        if stop() {
            return Err(NotSealed::Stopped);
        }
        match found {
            Found::Gap(gap) => return Err(damaged(gap.offset)),
            Found::Frame { frame, .. } => {
                for (seq, record) in frame.records() {
                    each(seq, record)?;
                }
            }
        }
    }
    if reader.expected == plain.next_seq {
        Ok(())
    } else {
        Err(damaged(reader.at))
    }
}

/// Writes a new sealed segment; collects records into blocks.
pub(in crate::log) struct SealedWriter {
    /// The path that errors name.
    path: PathBuf,
    file: Arc<dyn StorageFile>,
    log_id: u64,
    pub(super) first_seq: u64,
    compressor: Compressor<'static>,
    blocks: Vec<SealedBlock>,
    records: Vec<Vec<u8>>,
    records_len: usize,
    next_seq: u64,
    /// The least and the greatest time of the collected records.
    times: Option<(i64, i64)>,
    frame: Vec<u8>,
    /// Up to where the file is synced.
    synced: u64,
    written: Digest,
}

impl SealedWriter {
    /// Creates the file, which must not exist yet. Errors name the path `of`.
    pub fn create(
        storage: &dyn Storage,
        target: &Path,
        of: &Path,
        log_id: u64,
        first_seq: u64,
    ) -> Result<Self, NotSealed> {
        let failed = || LogError::io("sealing", of);
        Ok(Self {
            path: of.to_owned(),
            file: storage.open(target, Access::CreateNew).map_err(failed())?,
            log_id,
            first_seq,
            compressor: Compressor::new(LEVEL).map_err(failed())?,
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

    /// Writes a record with its time; a record that is not an event has no time, and one
    /// whose time cannot be read may have any.
    pub fn add_record(
        &mut self,
        record: &[u8],
        time_of: &dyn Fn(&[u8]) -> Option<i64>,
    ) -> Result<(), NotSealed> {
        let time = time_of(record).map_or((i64::MIN, i64::MAX), |time| (time, time));
        self.add(record, Some(time).filter(|_| !is_no_event(record)))
    }

    /// Writes a record. `times` are its least and its greatest time.
    pub fn add(&mut self, record: &[u8], times: Option<(i64, i64)>) -> Result<(), NotSealed> {
        if self.records_len > 0 && self.records_len + record.len() + 4 > BLOCK_LEN {
            let written = self.write_block();
            written.map_err(LogError::io("sealing", &self.path))?;
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

    /// Compresses the collected records, if any, and writes them.
    fn write_block(&mut self) -> io::Result<()> {
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
        let last = self.blocks.last();
        let (offset, plain_offset) = last.map_or((0, 0), |last| (last.end(), last.plain_end()));
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
        // The memory of a rare large record is given back.
        self.frame.shrink_to(2 * BLOCK_LEN);
        Ok(())
    }

    /// Writes the rest, syncs the file, reads it back and compares it with the written
    /// records. Its name is not synced. Returns its length in bytes.
    pub fn finish(mut self, stop: &dyn Fn() -> bool) -> Result<u64, NotSealed> {
        let path = self.path.clone();
        let failed = || LogError::io("sealing", &path);
        self.write_block().map_err(failed())?;
        let differs = || NotSealed::Differs(path.display().to_string());
        let len = self.write_footer().map_err(failed())?;
        let file = SegmentFile::new(self.file, true, self.log_id).map_err(failed())?;
        let footer = file.footer();
        if footer.is_none_or(|footer| footer.recovered_by_scan.is_some()) {
            return Err(differs());
        }
        let sealed = Plain {
            path: &path,
            len: file.len().map_err(failed())?,
            file: Arc::new(file),
            first_seq: self.first_seq,
            next_seq: self.next_seq,
            log_id: self.log_id,
        };
        let mut read = Digest::default();
        let same = each_record(&sealed, stop, |seq, record| {
            read.add(seq, record);
            Ok(())
        });
        match same {
            Err(NotSealed::Damaged { .. }) => Err(differs()),
            Ok(()) if read != self.written => Err(differs()),
            other => other.map(|()| len),
        }
    }

    /// Writes the footer and syncs the file. Returns its length in bytes.
    fn write_footer(&mut self) -> io::Result<u64> {
        let footer = Footer::new(std::mem::take(&mut self.blocks), None);
        let bytes = footer
            .encode(self.log_id)
            .ok_or_else(|| io::Error::other("the segment has too many blocks"))?;
        self.file.write_at(&bytes, footer.blocks_end())?;
        self.file.sync()?;
        self.file.len()
    }
}
