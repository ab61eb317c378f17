//! The end of the active segment: whole, torn by a crash, or damaged.
//!
//! Only the last frame can be unsynced. So a gap at the end is a torn tail, without any
//! acknowledged event, only if it can be *one* frame. It cannot if its header is valid
//! and other bytes follow the frame that the header describes, or if it contains a second
//! header of this log. Then it is damage, and may have held acknowledged events.
//!
//! A log that ends with a frame of another log or of a newer version is not opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blocks::Blocks;
use super::error::{Damage, LogError};
use super::frame::{BadFrame, FILLER, HEADER_LEN, Header, MAGIC, VERSION};
use super::recover::{OpenMode, Torn};
use super::search::{MagicSearch, end_of};
use super::segment::Segment;
use super::segment_file::SegmentFile;
use super::segment_reader::{Found, Gap, SegmentReader};
use crate::storage::Storage;

/// Where in a frame the log id begins.
const ID_AT: usize = 8;

/// Where the log id ends.
const ID_END: usize = 16;

/// The content of the active segment.
pub(super) struct Tail {
    pub segment: Arc<Segment>,
    /// Where its last good frame ends.
    pub end: u64,
    pub next_seq: u64,
    /// Offset and length of the last good frame.
    pub last_frame: Option<(u64, u64)>,
    /// A gap at the end that can be one frame.
    pub torn: Option<Gap>,
    /// A gap at the end that cannot; it is in `damage`, too.
    pub lost_end: Option<Damage>,
    pub damage: Vec<Damage>,
}

impl Tail {
    /// The bytes after the last good frame while the log is open.
    pub fn leftover(&self, mode: OpenMode) -> Option<Damage> {
        let torn = self.torn.as_ref().filter(|_| mode == OpenMode::Read);
        let torn = torn.map(|torn| {
            let reason = format!(
                "{}: a crash interrupted the last write, or it was changed since; the next \
                 start moves it to a file of its own",
                torn.reason
            );
            let lost = (torn.first_seq, Damage::UNKNOWN);
            Damage::new(&self.segment.path, (torn.offset, torn.end), lost, reason)
        });
        self.lost_end.clone().or(torn)
    }

    pub fn torn_report(&self, saved: Option<PathBuf>) -> Option<Torn> {
        let torn = self.torn.as_ref()?;
        Some(Torn {
            segment: self.segment.path.clone(),
            offset: torn.offset,
            bytes: torn.end - torn.offset,
            saved,
        })
    }
}

/// Reads the last segment to its end.
pub(super) fn read_tail(
    storage: &dyn Storage,
    dir: &Path,
    id: u64,
    first_seq: u64,
) -> Result<Tail, LogError> {
    let probe = Segment::plain(dir, first_seq, 0, None);
    let reading = || LogError::io("reading", &probe.path);
    let file = Arc::new(SegmentFile::Plain(probe.open_raw(storage)?));
    let len = file.len().map_err(reading())?;
    let mut reader = SegmentReader::new(Arc::clone(&file), id);
    reader.seek(0, len, first_seq, None);
    let mut blocks = Blocks::default();
    let (mut end, mut last_frame, mut damage) = (0, None, Vec::new());
    let (mut torn, mut lost_end) = (None, None);
    while let Some(found) = reader.read_next().map_err(reading())? {
        match found {
            Found::Frame { offset, frame } => {
                let header = frame.header;
                blocks.add(header.first_seq, offset);
                end = offset + header.frame_len();
                last_frame = Some((offset, header.frame_len()));
            }
            Found::Gap(gap) => match gap.next_seq {
                Some(next) => {
                    blocks.add(gap.first_seq, gap.offset);
                    damage.push(file.damage(gap, &probe.path, next - 1));
                }
                None => {
                    let written = end_of_written(&file, &gap).map_err(reading())?;
                    if written == gap.offset {
                        continue;
                    }
                    let mut start = [0; HEADER_LEN];
                    let read = file.read_at(&mut start, gap.offset).map_err(reading())?;
                    let start = start.get(..read).unwrap_or_default();
                    refuse_others(start, id, &probe.path, gap.offset)?;
                    if can_be_one_frame(&file, id, &gap, start).map_err(reading())? {
                        torn = Some(Gap {
                            end: written,
                            ..gap
                        });
                    } else {
                        let lost = file.damage(gap, &probe.path, Damage::UNKNOWN);
                        damage.push(lost.clone());
                        lost_end = Some(lost);
                    }
                }
            },
        }
    }
    Ok(Tail {
        segment: Arc::new(Segment::plain(dir, first_seq, end, Some(blocks))),
        end,
        next_seq: reader.expected,
        last_frame,
        torn,
        lost_end,
        damage,
    })
}

/// An error if these bytes begin a frame of another log or of a newer version,
/// which may be whole although this program cannot read it.
pub(super) fn refuse_others(
    start: &[u8],
    id: u64,
    path: &Path,
    offset: u64,
) -> Result<(), LogError> {
    let segment = path.to_owned();
    match Header::parse(start, id) {
        Err(BadFrame::OtherLog) if !is_cut(start, id) => {
            Err(LogError::OtherLog { segment, offset })
        }
        Err(BadFrame::Version(version)) if version > VERSION => Err(LogError::Newer {
            segment,
            offset,
            version,
        }),
        _ => Ok(()),
    }
}

/// Whether a byte shows that something was written: other bytes also occur in an
/// unwritten sector.
pub(super) const fn is_written(byte: u8) -> bool {
    byte != 0 && byte != FILLER
}

/// The start of the filler in a gap at the end of the active segment.
pub(super) fn end_of_written(file: &SegmentFile, gap: &Gap) -> io::Result<u64> {
    end_of(file, gap.offset, gap.end, |byte| byte != FILLER)
}

/// Whether a header is this log's up to some byte of its id and unwritten from there
/// on, as if the sector after that byte was not written.
fn is_cut(start: &[u8], id: u64) -> bool {
    let written = start
        .iter()
        .rposition(|byte| is_written(*byte))
        .map_or(0, |n| n + 1);
    written < ID_END
        && start.get(ID_AT..written.max(ID_AT))
            == id.to_le_bytes().get(..written.max(ID_AT) - ID_AT)
}

/// Whether a gap at the end can be the rest of one frame after a crash. `start` are its
/// first bytes.
pub(super) fn can_be_one_frame(
    file: &SegmentFile,
    id: u64,
    gap: &Gap,
    start: &[u8],
) -> io::Result<bool> {
    // If the sector with the header's end was not written, the checksum has its old
    // bytes, and the length may be wrong.
    let frame_end = Header::parse(start, id)
        .ok()
        .filter(|header| {
            let crc = header.crc.to_le_bytes();
            header.first_seq == gap.first_seq && crc.into_iter().any(is_written)
        })
        .map(|header| gap.offset + header.frame_len());
    let mut search = MagicSearch::new(file, MAGIC, gap.offset + 1, gap.end);
    while let Some((_, header)) = search.next_hit()? {
        if header.get(ID_AT..ID_END) == Some(&id.to_le_bytes()) {
            return Ok(false);
        }
    }
    match frame_end {
        Some(end) => Ok(end_of(file, end, gap.end, is_written)? == end),
        None => Ok(true),
    }
}
