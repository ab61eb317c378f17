//! Reading a log: one event by its `seq`, or all in order.

use std::sync::Arc;

use super::error::{Damage, LogError};
use super::frame::{Header, Records};
use super::segment::{Inner, Log, Segment, segment_name};
use super::segment_reader::{Found, Gap, SegmentReader};

/// Reads single records by `seq`. Keeps the last segment open and the last
/// block in memory, so that reading in ascending order costs least.
pub struct Cursor {
    inner: Arc<Inner>,
    open: Option<(Arc<Segment>, SegmentReader)>,
    /// The last frame of the open segment that was found good, and its offset.
    last: Option<(u64, Header)>,
}

impl Log {
    /// A cursor for single records.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            inner: Arc::clone(&self.inner),
            open: None,
            last: None,
        }
    }

    /// All frames that are synced now, from the one that holds `seq` on, and
    /// the damage between them.
    pub fn scan(&self, seq: u64) -> Scan {
        self.scan_range(seq, u64::MAX)
    }

    /// As [`Log::scan`], up to the `seq` `last`.
    pub fn scan_range(&self, seq: u64, last: u64) -> Scan {
        Scan {
            inner: Arc::clone(&self.inner),
            next: seq.max(1),
            last_seq: self.last_seq().min(last),
            open: None,
        }
    }
}

impl Cursor {
    /// The bytes of the record of that `seq`.
    pub fn get(&mut self, seq: u64) -> Result<&[u8], LogError> {
        let (offset, header) = self.locate(seq)?;
        self.open
            .as_ref()
            .and_then(|(_, reader)| reader.frame_at(offset, header))
            .and_then(|frame| frame.records_within(seq, seq).next())
            .map(|(_, record)| record)
            .ok_or(LogError::NotFound { seq })
    }

    /// Reads the frame that holds a `seq`.
    fn locate(&mut self, seq: u64) -> Result<(u64, Header), LogError> {
        let missing = || LogError::NotFound { seq };
        if seq == 0 || seq > self.inner.notifier.last_seq() {
            return Err(missing());
        }
        if let (Some((offset, header)), Some(_)) = (self.last, &self.open)
            && (header.first_seq..header.next_seq()).contains(&seq)
        {
            return Ok((offset, header));
        }
        let (inner, open) = (&self.inner, &self.open);
        let found = inner.with_segment(seq, |segment, next_first| {
            let same = matches!(open, Some((open, _)) if Arc::ptr_eq(open, segment));
            let block = segment.find_block(inner, seq, next_first)?;
            let opened = if same {
                None
            } else {
                let file = segment.open(inner, true)?;
                Some((Arc::clone(segment), SegmentReader::new(file, inner.id)))
            };
            Ok((next_first, block, opened))
        })?;
        let Some((next_first, block, opened)) = found else {
            let damage = Box::new(self.inner.missing_start().ok_or_else(missing)?);
            return Err(LogError::Damaged { seq, damage });
        };
        let last = self.last.take().filter(|_| opened.is_none());
        if opened.is_some() {
            self.open = opened;
        }
        let (segment, reader) = self.open.as_mut().ok_or_else(missing)?;
        let (offset, first) = match last {
            // The frame that was read last is before it in the same block.
            Some((offset, header)) if offset >= block.offset && header.first_seq < seq => {
                (offset + header.frame_len(), header.next_seq())
            }
            _ => (block.offset, block.first_seq),
        };
        reader.seek(offset, block.end, first, next_first);
        let gap = loop {
            let (at, expected) = (reader.at, reader.expected);
            let found = reader.read_next();
            match found.map_err(LogError::io("reading", &segment.path))? {
                Some(Found::Frame { offset, frame }) => {
                    let header = frame.header;
                    if header.next_seq() > seq {
                        self.last = Some((offset, header));
                        return Ok((offset, header));
                    }
                }
                Some(Found::Gap(gap)) if gap.next_seq.is_some_and(|next| next <= seq) => {}
                Some(Found::Gap(gap)) => break gap,
                None => break Gap::at_end(at, expected),
            }
        };
        let next = gap.next_seq.or(block.next_seq).or(next_first);
        let last = next.map_or(self.inner.notifier.last_seq(), |next| next - 1);
        let damage = Box::new(reader.file.damage(gap, &segment.path, last));
        Err(LogError::Damaged { seq, damage })
    }
}

impl Inner {
    /// The damage if segments are missing before the first one that exists.
    pub(super) fn missing_start(&self) -> Option<Damage> {
        let first = self.segments().first()?.first_seq;
        let segment = || self.dir.join(segment_name(1));
        (first > 1)
            .then(|| Damage::new(segment(), (0, 0), (1, first - 1), "the segment is missing"))
    }
}

/// All frames of a log in order, past damage, up to the last `seq` that was
/// synced when it began.
pub struct Scan {
    inner: Arc<Inner>,
    /// The next `seq` that is wanted.
    next: u64,
    /// The last `seq` that belongs to this scan.
    pub last_seq: u64,
    open: Option<OpenSegment>,
}

struct OpenSegment {
    segment: Arc<Segment>,
    /// The first `seq` of the segment after it.
    next_first: Option<u64>,
    reader: SegmentReader,
}

enum Advanced {
    /// The offset and the header of a frame, and its first `seq` that is wanted.
    Frame((u64, Header, u64)),
    Damage(Damage),
}

/// The result of a scan.
pub enum Scanned<'a> {
    /// The records of a frame that belong to the scan.
    Records(Records<'a>),
    /// Events that cannot be read.
    Damage(Damage),
}

impl Scan {
    /// The next records or damage; `None` at the end.
    pub fn step(&mut self) -> Result<Option<Scanned<'_>>, LogError> {
        Ok(match self.advance()? {
            None => None,
            Some(Advanced::Damage(damage)) => Some(Scanned::Damage(damage)),
            Some(Advanced::Frame(frame)) => self.records_of(frame).map(Scanned::Records),
        })
    }

    /// The next records, past damage, which is passed to `damaged`; `None` at the end.
    pub fn next_records(
        &mut self,
        mut damaged: impl FnMut(Damage),
    ) -> Result<Option<Records<'_>>, LogError> {
        loop {
            match self.advance()? {
                None => return Ok(None),
                Some(Advanced::Damage(damage)) => damaged(damage),
                Some(Advanced::Frame(frame)) => return Ok(self.records_of(frame)),
            }
        }
    }

    fn records_of(&self, frame: (u64, Header, u64)) -> Option<Records<'_>> {
        let (offset, header, first) = frame;
        let frame = self.open.as_ref()?.reader.frame_at(offset, header)?;
        Some(frame.records_within(first, self.last_seq))
    }

    fn advance(&mut self) -> Result<Option<Advanced>, LogError> {
        while self.next <= self.last_seq {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => match self.open_segment()? {
                    Some(open) => open,
                    None => {
                        let missing = self.inner.missing_start();
                        let next = missing.as_ref().map(|damage| damage.last_seq + 1);
                        self.next = next.unwrap_or(u64::MAX);
                        return Ok(missing.map(Advanced::Damage));
                    }
                },
            };
            let segment_last = open
                .next_first
                .map_or(self.last_seq, |next| (next - 1).min(self.last_seq));
            let (at, expected) = (open.reader.at, open.reader.expected);
            let found = open.reader.read_next();
            let gap = match found.map_err(LogError::io("reading", &open.segment.path))? {
                Some(Found::Frame { offset, frame }) => {
                    let (header, first) = (frame.header, self.next);
                    self.next = first.max(header.next_seq());
                    self.open = Some(open);
                    if header.next_seq() <= first {
                        continue;
                    }
                    return Ok(Some(Advanced::Frame((offset, header, first))));
                }
                Some(Found::Gap(gap)) => gap,
                None => Gap::at_end(at, expected),
            };
            let last_seq = gap.next_seq.map_or(segment_last, |next| next - 1);
            // Nothing is missing at the end of a complete segment.
            let is_damage = gap.offset < gap.end || gap.first_seq <= last_seq;
            let continues = gap.next_seq.is_some();
            if continues && gap.first_seq <= last_seq && last_seq < self.next {
                // It is before the first requested event.
                self.open = Some(open);
                continue;
            }
            self.next = self.next.max(last_seq.saturating_add(1));
            if continues || is_damage {
                let damage = open.reader.file.damage(gap, &open.segment.path, last_seq);
                self.open = continues.then_some(open);
                return Ok(Some(Advanced::Damage(damage)));
            }
        }
        Ok(None)
    }

    fn open_segment(&self) -> Result<Option<OpenSegment>, LogError> {
        let inner = &self.inner;
        inner.with_segment(self.next, |segment, next_first| {
            let (offset, first_seq) = if self.next <= segment.first_seq {
                (0, segment.first_seq)
            } else {
                let block = segment.find_block(inner, self.next, next_first)?;
                (block.offset, block.first_seq)
            };
            let end = if next_first.is_some_and(|next| next <= self.last_seq) {
                segment.end(inner)?
            } else {
                // Blocks after the last one that is wanted are not read ahead.
                segment.find_block(inner, self.last_seq, next_first)?.end
            };
            let mut reader = SegmentReader::new(segment.open(inner, false)?, inner.id);
            reader.seek(offset, end, first_seq, next_first);
            Ok(OpenSegment {
                segment: Arc::clone(segment),
                next_first,
                reader,
            })
        })
    }
}
