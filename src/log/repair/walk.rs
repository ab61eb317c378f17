//! A damaged segment as a row of whole frames and of numbers that are lost.

use std::io;
use std::sync::Arc;

use crate::log::error::LogError;
use crate::log::frame::{BadFrame, Frame, HEADER_LEN, Header, MAGIC, VERSION};
use crate::log::scan::{Bad, Frames, Step};
use crate::log::sealed::{SealedFile, begins_footer, load};
use crate::log::segment::{Inner, Segment};
use crate::log::tail::{can_be_one_frame, refuse_others};
use crate::storage::StorageFile;

/// How many bytes are searched for headers at once.
const WINDOW: usize = 1 << 20;

/// The least bytes that a record takes in a frame.
const LEAST_RECORD: u64 = 4;

/// A segment, open for reading.
pub(super) struct Source<'a> {
    segment: &'a Segment,
    /// The file as that of a plain segment, and its length.
    file: Arc<dyn StorageFile>,
    len: u64,
    next_first: Option<u64>,
    id: u64,
    /// Of a sealed segment: whether its footer had to be done without, and
    /// whether something other than the footer follows the last block.
    searched: bool,
    cut: bool,
}

/// A part of a segment.
pub(super) enum Piece<'a> {
    /// A whole frame.
    Good(Frame<'a>),
    /// First and last `seq` of events that cannot be read.
    Lost(u64, u64),
}

/// What a segment came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// Something of it is not as it should be.
    pub damaged: bool,
    /// There may have been more events at the end of the log.
    pub unknown: bool,
    /// It ends with a write that was cut short.
    pub torn: bool,
    /// The `seq` after its last.
    pub next_seq: u64,
}

impl<'a> Source<'a> {
    pub fn open(
        segment: &'a Segment,
        inner: &Inner,
        next_first: Option<u64>,
    ) -> Result<Self, LogError> {
        let reading = || LogError::io("reading", &segment.path);
        let raw = segment.open_raw(inner.storage.as_ref())?;
        let mut source = Self {
            segment,
            file: Arc::clone(&raw),
            len: raw.len().map_err(reading())?,
            next_first,
            id: inner.id,
            searched: false,
            cut: false,
        };
        if segment.is_sealed() {
            let footer = Arc::new(load(raw.as_ref(), inner.id).map_err(reading())?);
            source.searched = footer.searched.is_some();
            let end = footer.blocks.last();
            let end = end.map_or(0, |last| last.offset + u64::from(last.len));
            let mut start = [0; 4];
            raw.read_at(&mut start, end).map_err(reading())?;
            source.cut = !begins_footer(start);
            source.len = footer.plain_len();
            let sealed = SealedFile::new(raw, footer, None).map_err(reading())?;
            source.file = Arc::new(sealed);
        }
        Ok(source)
    }
}

/// Hands the parts of a segment to `each`, in the order of their numbers, which
/// follow each other without gaps.
pub(super) fn walk(
    source: &Source<'_>,
    each: &mut dyn FnMut(Piece<'_>) -> io::Result<()>,
) -> Result<Walked, LogError> {
    let failed = || LogError::io("reading", &source.segment.path);
    let mut frames = Frames::new(Arc::clone(&source.file), source.id);
    let first_seq = source.segment.first_seq;
    frames.seek(0, source.len, first_seq, source.next_first);
    let mut walked = Walked {
        damaged: source.searched,
        next_seq: first_seq,
        ..Walked::default()
    };
    let mut any = false;
    while let Some(step) = frames.step().map_err(failed())? {
        let mut bad = match step {
            Step::Frame { offset, header } => {
                if let Some(frame) = frames.frame(offset, header) {
                    each(Piece::Good(frame)).map_err(failed())?;
                }
                walked.next_seq = header.next_seq();
                any = true;
                continue;
            }
            Step::Bad(bad) => bad,
        };
        if let Some(bytes) = heal(source, &bad).map_err(failed())?
            && let Ok(frame) = Frame::parse(&bytes, source.id)
        {
            each(Piece::Good(frame)).map_err(failed())?;
            walked.damaged = true;
            walked.next_seq = frame.header.next_seq();
            bad.offset += bytes.len() as u64;
            bad.first_seq = walked.next_seq;
            if bad.offset >= bad.end && bad.next_seq.is_none_or(|next| next == bad.first_seq) {
                continue;
            }
        }
        let next = match (bad.next_seq, source.next_first) {
            (Some(next), _) | (None, Some(next)) => next,
            (None, None) => match end(source, &bad, any)? {
                Some(next) => {
                    walked.unknown = true;
                    next
                }
                None => {
                    walked.torn = true;
                    continue;
                }
            },
        };
        walked.damaged = true;
        lose(&mut walked, next, each).map_err(failed())?;
    }
    match source.next_first {
        // What was whole up to its end is whole; the next one is missing. But one
        // that holds nothing stands in the place of what should be there.
        Some(next) if walked.damaged || walked.next_seq == first_seq => {
            walked.damaged = true;
            lose(&mut walked, next, each).map_err(failed())?;
        }
        None if source.searched && source.cut => {
            let next = walked.next_seq + 1;
            lose(&mut walked, next, each).map_err(failed())?;
            walked.unknown = true;
        }
        _ => {}
    }
    Ok(walked)
}

/// Takes note that the events before `next` are lost.
fn lose(
    walked: &mut Walked,
    next: u64,
    each: &mut dyn FnMut(Piece<'_>) -> io::Result<()>,
) -> io::Result<()> {
    if walked.next_seq < next {
        each(Piece::Lost(walked.next_seq, next - 1))?;
        walked.next_seq = next;
    }
    Ok(())
}

/// The bytes of a frame with the magic, version and log id that it must have
/// had, if its checksum holds with them.
fn heal(source: &Source<'_>, bad: &Bad) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; HEADER_LEN];
    source.file.read_at(&mut bytes, bad.offset)?;
    amend(&mut bytes, source.id);
    let Ok(header) = Header::parse(&bytes, source.id) else {
        return Ok(None);
    };
    let limit = bad.next_seq.or(source.next_first).unwrap_or(u64::MAX);
    if header.first_seq != bad.first_seq
        || header.next_seq() > limit
        || bad.offset + header.frame_len() > bad.end
    {
        return Ok(None);
    }
    bytes.resize(HEADER_LEN + header.payload_len, 0);
    source.file.read_at(&mut bytes, bad.offset)?;
    amend(&mut bytes, source.id);
    Ok(Frame::parse(&bytes, source.id).is_ok().then_some(bytes))
}

/// Puts in the first bytes of a header what is the same in every frame.
fn amend(header: &mut [u8], id: u64) {
    let mut start = MAGIC.to_vec();
    start.extend_from_slice(&VERSION.to_le_bytes());
    start.extend_from_slice(&[0; 2]);
    start.extend_from_slice(&id.to_le_bytes());
    for (byte, right) in header.iter_mut().zip(start) {
        *byte = right;
    }
}

/// The `seq` that comes next after a bad stretch at the end of the log; `None`
/// where it is one write that was cut short. `any` tells whether whole frames
/// stand before it.
fn end(source: &Source<'_>, bad: &Bad, any: bool) -> Result<Option<u64>, LogError> {
    let path = &source.segment.path;
    let failed = || LogError::io("reading", path);
    let file = source.file.as_ref();
    let mut start = vec![0; HEADER_LEN];
    let read = file.read_at(&mut start, bad.offset).map_err(failed())?;
    start.truncate(read);
    match refuse_others(&start, source.id, path, bad.offset) {
        // Frames before it are this log's, so that its id was changed.
        Err(LogError::OtherLog { .. }) if any => {}
        Err(error) => return Err(error),
        // A sealed segment took its name when it was whole.
        Ok(()) if source.segment.is_sealed() => {}
        Ok(()) => {
            if can_be_one_frame(file, source.id, bad, &start).map_err(failed())? {
                return Ok(None);
            }
        }
    }
    // At least one event was there.
    let mut next = bad.first_seq + 1;
    let most = (bad.end - bad.offset) / LEAST_RECORD;
    let mut learn = |header: &[u8]| {
        let mut header = header.to_vec();
        amend(&mut header, source.id);
        let Ok(header) = Header::parse(&header, source.id) else {
            return;
        };
        let seen = header.next_seq();
        if header.first_seq >= bad.first_seq && seen - bad.first_seq <= most {
            next = next.max(seen);
        }
    };
    learn(&start);
    let mut at = bad.offset;
    while at < bad.end {
        let mut bytes = vec![0; WINDOW];
        let read = file.read_at(&mut bytes, at).map_err(failed())?;
        bytes.truncate(read);
        for found in memchr::memmem::find_iter(&bytes, &MAGIC) {
            let header = bytes.get(found..found + HEADER_LEN);
            let own = |header: &&[u8]| {
                !matches!(Header::parse(header, source.id), Err(BadFrame::OtherLog))
            };
            if let Some(header) = header.filter(own) {
                learn(header);
            }
        }
        if read < WINDOW {
            break;
        }
        // A header may be cut by the window's end.
        at += (read - HEADER_LEN) as u64;
    }
    Ok(Some(next))
}
