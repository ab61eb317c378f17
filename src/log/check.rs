//! Checking every byte of a segment, and its footer against its records.
//!
//! A plain segment is read frame by frame, a sealed one block by block. Damage is
//! collected in the order of the file; only an error of the file system ends the
//! check early.

use std::io;
use std::sync::Arc;

use super::error::{Damage, LogError};
use super::frame::{Frame, Header};
use super::sealed::{SealedBlock, SealedFile, load};
use super::segment::{Inner, Log, Segment, segment_name};
use super::segment_reader::{Found, SegmentReader};
use crate::storage::StorageFile;

/// The form of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Frames, as they were appended.
    Plain,
    /// Compressed blocks.
    Sealed,
}

/// The result of checking a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedSegment {
    /// What is wrong with it, in the order of the file.
    pub damage: Vec<Damage>,
    /// The length of its file in bytes.
    pub bytes: u64,
}

/// A whole frame of a segment that is checked.
pub struct CheckedFrame<'a> {
    /// Its records.
    pub frame: Frame<'a>,
    /// Where the frame, or its compressed block, begins in the file.
    pub offset: u64,
    /// Where it ends.
    pub end: u64,
}

/// What a visitor found in the records of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visited {
    /// The least and the greatest time of the records that could be read.
    pub times: Option<(i64, i64)>,
    /// Whether there are records whose time is not known.
    pub untimed: bool,
    /// The records that cannot be read, and why.
    pub wrong: Vec<(u64, String)>,
}

/// Called with each whole frame of a segment.
pub type Visit<'a> = dyn FnMut(&CheckedFrame<'_>) -> Visited + 'a;

impl Visited {
    /// Notes a record's time; `None` if it cannot be read.
    pub fn time(&mut self, time: Option<i64>) {
        let Some(time) = time else {
            self.untimed = true;
            return;
        };
        let (least, greatest) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), greatest.max(time)));
    }

    /// Whether a footer can have these times of the frame: exactly them, or, if
    /// some are unknown, a range that includes those that are known.
    fn agrees(&self, (least, greatest): (i64, i64)) -> bool {
        match self.times {
            Some(times) if !self.untimed => times == (least, greatest),
            Some(times) => least <= times.0 && greatest >= times.1,
            None => true,
        }
    }
}

impl Log {
    /// First `seq` and form of every segment, in order.
    pub fn segments(&self) -> Vec<(u64, Form)> {
        let segments = self.inner.segments();
        let form = |segment: &Segment| match segment.is_sealed() {
            true => Form::Sealed,
            false => Form::Plain,
        };
        segments
            .iter()
            .map(|segment| (segment.first_seq, form(segment)))
            .collect()
    }

    /// The names of the segments' files.
    pub fn file_names(&self) -> Vec<String> {
        let segments = self.inner.segments();
        let names = segments
            .iter()
            .filter_map(|it| it.path.file_name()?.to_str());
        names.map(str::to_owned).collect()
    }

    /// What followed the last good frame when the log was opened, unless opening
    /// cut it off.
    pub fn leftover(&self) -> Option<&Damage> {
        self.inner.leftover.as_ref()
    }

    /// The damage if segments are missing before the first one that exists.
    pub fn missing_start(&self) -> Option<Damage> {
        self.inner.missing_start()
    }

    /// Reads the segment that begins with a `seq` and passes its whole frames to
    /// `visit`. `next_first` is the `seq` that should follow its last.
    pub fn check_segment(
        &self,
        first_seq: u64,
        next_first: u64,
        visit: &mut Visit<'_>,
    ) -> Result<CheckedSegment, LogError> {
        let inner = &self.inner;
        let opened = inner.with_segment(first_seq, |segment, next| {
            let file = segment.open_raw(inner.storage.as_ref())?;
            // Of the active segment only what is synced counts.
            let len = match next {
                None if !segment.is_sealed() => segment.end(inner)?,
                _ => file.len().map_err(LogError::io("reading", &segment.path))?,
            };
            Ok((Arc::clone(segment), file, len, next))
        })?;
        let Some((segment, file, len, limit)) = opened else {
            return Ok(CheckedSegment::default());
        };
        let mut check = Check::new(inner, &segment, Some(next_first), visit);
        check.read(file, len, limit)?;
        Ok(CheckedSegment {
            damage: check.damage,
            bytes: len,
        })
    }
}

/// The check of one segment's file.
pub(super) struct Check<'a, 'v> {
    inner: &'a Inner,
    segment: &'a Segment,
    /// The `seq` that should follow the last one; `None` if nothing says it.
    next_first: Option<u64>,
    visit: &'a mut Visit<'v>,
    /// What is wrong, in the order of the file.
    pub damage: Vec<Damage>,
    /// The `seq` that comes next.
    pub expected: u64,
}

impl<'a, 'v> Check<'a, 'v> {
    pub fn new(
        inner: &'a Inner,
        segment: &'a Segment,
        next_first: Option<u64>,
        visit: &'a mut Visit<'v>,
    ) -> Self {
        Self {
            inner,
            segment,
            next_first,
            visit,
            damage: Vec::new(),
            expected: segment.first_seq,
        }
    }

    /// Reads `len` bytes of the segment's file, or of a copy of it. `limit` is
    /// the first `seq` of the next segment.
    pub fn read(
        &mut self,
        file: Arc<dyn StorageFile>,
        len: u64,
        limit: Option<u64>,
    ) -> Result<(), LogError> {
        let read = if self.segment.is_sealed() {
            self.read_sealed(file, len)
        } else {
            self.read_plain(file, len, limit)
        };
        read.map_err(LogError::io("reading", &self.segment.path))
    }

    fn report(&mut self, (offset, end): (u64, u64), (first, last): (u64, u64), reason: &str) {
        self.damage.push(Damage {
            segment: self.segment.path.clone(),
            offset,
            end,
            first_seq: first,
            last_seq: last,
            reason: reason.to_owned(),
        });
    }

    /// Reports damage before a `seq` by which no event is lost.
    fn report_without_loss(&mut self, place: (u64, u64), next_seq: u64, reason: &str) {
        self.report(place, (next_seq, next_seq - 1), reason);
    }

    fn visit(&mut self, found: &CheckedFrame<'_>) -> Visited {
        let visited = (self.visit)(found);
        for (seq, reason) in &visited.wrong {
            self.report((found.offset, found.end), (*seq, *seq), reason);
        }
        visited
    }

    /// The last `seq` that is lost if nothing follows that can be read.
    fn last_lost(&self) -> u64 {
        self.next_first.map_or(Damage::UNKNOWN, |next| next - 1)
    }

    fn read_plain(
        &mut self,
        file: Arc<dyn StorageFile>,
        len: u64,
        limit: Option<u64>,
    ) -> io::Result<()> {
        let mut reader = SegmentReader::new(file, self.inner.id);
        reader.seek(0, len, self.expected, limit);
        while let Some(found) = reader.read_next()? {
            match found {
                Found::Frame { offset, frame } => {
                    let end = offset + frame.header.frame_len();
                    self.visit(&CheckedFrame { frame, offset, end });
                    self.expected = frame.header.next_seq();
                }
                Found::Gap(gap) => {
                    let last = gap.next_seq.map_or(self.last_lost(), |next| next - 1);
                    self.report((gap.offset, gap.end), (self.expected, last), &gap.reason);
                    let next = gap.next_seq.or(self.next_first);
                    self.expected = next.map_or(self.expected, |next| next.max(self.expected));
                }
            }
        }
        self.check_end();
        Ok(())
    }

    fn read_sealed(&mut self, file: Arc<dyn StorageFile>, len: u64) -> io::Result<()> {
        let footer = Arc::new(load(file.as_ref(), self.inner.id)?);
        let file = SealedFile::new(file, Arc::clone(&footer), None)?;
        let mut plain = Vec::new();
        let mut at = 0;
        for block in &footer.blocks {
            if block.first_seq > self.expected || block.offset > at {
                let lost = (self.expected, block.first_seq - 1);
                self.report((at, block.offset), lost, "no whole block is here");
                self.expected = block.first_seq;
            }
            at = block.offset + u64::from(block.len);
            let place = (block.offset, at);
            let frame = match file.read_block(block, &mut plain)? {
                Ok(()) => frame_of(&plain, block, self.inner.id),
                Err(bad) => Err(bad.to_string()),
            };
            match frame {
                Err(reason) => {
                    self.report(place, (block.first_seq, block.next_seq() - 1), &reason);
                }
                Ok(frame) => {
                    let visited = self.visit(&CheckedFrame {
                        frame,
                        offset: block.offset,
                        end: at,
                    });
                    if footer.recovered_by_scan.is_none() && !visited.agrees(block.times) {
                        let reason = "the footer has other times of the block";
                        self.report_without_loss(place, block.next_seq(), reason);
                    }
                }
            }
            if block.first_seq < self.expected {
                let reason = "an earlier block has the block's numbers";
                self.report_without_loss(place, self.expected, reason);
            }
            self.expected = self.expected.max(block.next_seq());
            plain.shrink_to(1 << 20);
        }
        match footer.recovered_by_scan {
            Some(reason) => {
                let lost = match self.next_first {
                    Some(next) => (self.expected, next.max(self.expected) - 1),
                    None => (self.expected, self.expected - 1),
                };
                self.report((at, len), lost, reason);
            }
            None => self.check_end(),
        }
        Ok(())
    }

    /// Reports what is missing between the segment's end and the next segment.
    fn check_end(&mut self) {
        let last_seq = self.last_lost();
        if self.next_first.is_some() && self.expected <= last_seq {
            self.damage.push(Damage {
                segment: self.inner.dir.join(segment_name(self.expected)),
                offset: 0,
                end: 0,
                first_seq: self.expected,
                last_seq,
                reason: "the segment is missing, or the one before it ends too early".to_owned(),
            });
        }
    }
}

/// The one frame of a block, if it is the one that the footer describes.
fn frame_of<'a>(plain: &'a [u8], block: &SealedBlock, id: u64) -> Result<Frame<'a>, String> {
    let frame = Frame::parse(plain, id).map_err(|bad| bad.to_string())?;
    let Header {
        first_seq, count, ..
    } = frame.header;
    let whole = frame.header.frame_len() == plain.len() as u64;
    if whole && first_seq == block.first_seq && count == block.count {
        Ok(frame)
    } else {
        Err("the footer has other numbers of the block".to_owned())
    }
}
