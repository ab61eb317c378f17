//! A frame: the records of one group commit, under one checksum.
//!
//! Numbers are little-endian.
//!
//! | offset | bytes | content |
//! | --- | --- | --- |
//! | 0 | 4 | magic `PTLF` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | zero |
//! | 8 | 8 | log id: random, one for each data folder |
//! | 16 | 8 | `seq` of the first record |
//! | 24 | 4 | number of records, at least 1 |
//! | 28 | 4 | length of the payload in bytes |
//! | 32 | 4 | CRC-32C of bytes 0 to 31 and the payload |
//! | 36 | … | payload: for each record its length (4 bytes) and its bytes |
//!
//! The log id is secret. It keeps a sender from planting a frame inside a body:
//! when a reader searches for the next good frame after damage, only frames with
//! the id are accepted.

use super::fixed::{get, put};

/// The length of a frame's header in bytes.
pub const HEADER_LEN: usize = 36;

/// The first bytes of every frame.
pub const MAGIC: [u8; 4] = *b"PTLF";

/// The filler after the end of the active segment. Not zero: zeros there are damage, or
/// the rest of a frame after a crash.
pub const FILLER: u8 = 0xF1;

/// The version of frames.
pub const VERSION: u16 = 1;

/// The longest valid payload in bytes: the longest line of an import plus the overhead of
/// a group. No memory is reserved for a length beyond it, even if a file claims one.
pub const MAX_PAYLOAD: usize = 129 << 20;

/// The longest valid frame in bytes.
pub const MAX_FRAME: usize = HEADER_LEN + MAX_PAYLOAD;

/// The greatest valid `seq`: no log reaches it, and sums of numbers up to it do not
/// overflow.
pub const MAX_SEQ: u64 = 1 << 62;

/// A frame's header, whose checksum is not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `seq` of the first record.
    pub first_seq: u64,
    /// The number of records.
    pub count: u32,
    /// The payload's length in bytes.
    pub payload_len: usize,
    /// CRC-32C of the header before it and the payload.
    pub crc: u32,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Fewer bytes than a frame needs.
    #[error("the frame is cut short")]
    Short,
    /// They do not begin with the magic.
    #[error("no frame begins here")]
    Magic,
    /// A version that this version of the program does not know.
    #[error("the frame has the unknown version {0}")]
    Version(u16),
    /// A frame of another data folder.
    #[error("the frame belongs to another data folder")]
    OtherLog,
    /// A header with invalid numbers.
    #[error("the frame's header makes no sense")]
    Header,
    /// A checksum that does not match.
    #[error("the checksum does not match")]
    Checksum,
    /// Records that do not fill the payload.
    #[error("the records do not fill the frame")]
    Records,
}

/// The numbers of a header: magic, version, zero, log id, first `seq`, number of
/// records, length and checksum.
type Numbers = ([u8; 4], u16, u16, u64, u64, u32, u32, u32);

impl Header {
    /// The length of the whole frame in bytes.
    pub const fn frame_len(&self) -> u64 {
        (HEADER_LEN + self.payload_len) as u64
    }

    /// The `seq` after the last record.
    pub const fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.count as u64)
    }

    /// Reads a header from the start of `bytes`.
    pub fn parse(bytes: &[u8], log_id: u64) -> Result<Self, BadFrame> {
        if bytes.get(..MAGIC.len()).ok_or(BadFrame::Short)? != MAGIC {
            return Err(BadFrame::Magic);
        }
        let (_, version, _, id, first_seq, count, len, crc): Numbers =
            get(bytes).ok_or(BadFrame::Short)?;
        if id != log_id {
            return Err(BadFrame::OtherLog);
        }
        if version != VERSION {
            return Err(BadFrame::Version(version));
        }
        let payload_len = len as usize;
        if first_seq == 0 || first_seq > MAX_SEQ || count == 0 || payload_len > MAX_PAYLOAD {
            return Err(BadFrame::Header);
        }
        Ok(Self {
            first_seq,
            count,
            payload_len,
            crc,
        })
    }
}

/// Overwrites the bytes of a header that are the same in every frame of a log: magic,
/// version, zero and log id.
pub(super) fn restore_fixed(header: &mut [u8; HEADER_LEN], log_id: u64) {
    let mut fixed = Vec::new();
    put(&mut fixed, (MAGIC, VERSION, 0_u16, log_id)).unwrap_or_default();
    for (byte, right) in header.iter_mut().zip(fixed) {
        *byte = right;
    }
}

/// A whole frame, whose checksum matches.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads and checks the frame at the start of `bytes`.
    pub fn parse(bytes: &'a [u8], log_id: u64) -> Result<Self, BadFrame> {
        let header = Header::parse(bytes, log_id)?;
        let frame = Self::checked_before(header, bytes).ok_or(BadFrame::Short)?;
        let covered = bytes.get(..32).ok_or(BadFrame::Short)?;
        if crc32c::crc32c_append(crc32c::crc32c(covered), frame.payload) != header.crc {
            return Err(BadFrame::Checksum);
        }
        let mut records = frame.records();
        if records.by_ref().count() != header.count as usize || !records.rest.is_empty() {
            return Err(BadFrame::Records);
        }
        Ok(frame)
    }

    /// The frame at the start of `bytes`, which [`Self::parse`] accepted before.
    pub(super) fn checked_before(header: Header, bytes: &'a [u8]) -> Option<Self> {
        let payload = bytes.get(HEADER_LEN..HEADER_LEN + header.payload_len)?;
        Some(Self { header, payload })
    }

    /// The records with their `seq`.
    pub fn records(&self) -> Records<'a> {
        self.records_within(0, u64::MAX)
    }

    /// The records with a `seq` from `first` to `last`.
    pub(super) fn records_within(&self, first: u64, last: u64) -> Records<'a> {
        Records {
            seq: self.header.first_seq,
            rest: self.payload,
            first,
            last,
        }
    }
}

/// Records of a frame, with their `seq`.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    seq: u64,
    rest: &'a [u8],
    first: u64,
    last: u64,
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (len, rest) = self.rest.split_first_chunk()?;
            let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            self.rest = rest;
            let seq = self.seq;
            self.seq = self.seq.saturating_add(1);
            if seq > self.last {
                return None;
            }
            if seq >= self.first {
                return Some((seq, record));
            }
        }
    }
}

/// Writes the frame of these records into `buffer`, which is cleared first. `None`
/// if there are no records, or they are too long for one frame.
pub fn encode<R: AsRef<[u8]>>(
    buffer: &mut Vec<u8>,
    log_id: u64,
    first_seq: u64,
    records: &[R],
) -> Option<()> {
    let payload: usize = records.iter().map(|record| record.as_ref().len() + 4).sum();
    if records.is_empty() || payload > MAX_PAYLOAD {
        return None;
    }
    buffer.clear();
    buffer.reserve(HEADER_LEN + payload);
    let (count, len) = (
        u32::try_from(records.len()).ok()?,
        u32::try_from(payload).ok()?,
    );
    put(
        buffer,
        (MAGIC, VERSION, 0_u16, log_id, first_seq, count, len, 0_u32),
    )?;
    for record in records {
        let record = record.as_ref();
        buffer.extend_from_slice(&u32::try_from(record.len()).ok()?.to_le_bytes());
        buffer.extend_from_slice(record);
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(buffer.get(..32)?), buffer.get(HEADER_LEN..)?);
    buffer
        .get_mut(32..HEADER_LEN)?
        .copy_from_slice(&crc.to_le_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, 77, 5, &[b"one".as_slice(), b"", b"three"]).unwrap();
        bytes
    }

    #[test]
    fn a_frame_reads_what_was_written() {
        let bytes = frame();
        let frame = Frame::parse(&bytes, 77).unwrap();
        let records: Vec<_> = frame.records().collect();
        assert_eq!(records, [(5, b"one".as_slice()), (6, b""), (7, b"three")]);
        assert_eq!(frame.header.frame_len() as usize, bytes.len());
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_is_found() {
        let bytes = frame();
        for place in 0..bytes.len() {
            assert!(Frame::parse(&bytes[..place], 77).is_err());
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[place] ^= 1 << bit;
                assert!(Frame::parse(&bad, 77).is_err(), "byte {place} bit {bit}");
            }
        }
    }

    #[test]
    fn numbers_beyond_the_greatest_valid_one_are_refused() {
        let mut bytes = Vec::new();
        for (seq, believed) in [(MAX_SEQ, true), (MAX_SEQ + 1, false), (u64::MAX, false)] {
            encode(&mut bytes, 77, seq, &[b"one"]).unwrap();
            assert_eq!(Frame::parse(&bytes, 77).is_ok(), believed);
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_table() {
        let mut expected =
            b"PTLF\x01\0\0\0\x4d\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x03\0\0\0\x14\0\0\0".to_vec();
        let payload = b"\x03\0\0\0one\0\0\0\0\x05\0\0\0three";
        let crc = crc32c::crc32c(&[expected.as_slice(), payload].concat());
        expected.extend_from_slice(&crc.to_le_bytes());
        expected.extend_from_slice(payload);
        assert_eq!(frame(), expected);
    }
}
