//! Events spread by (sub)profile over the parts of a file.
//!
//! Where subprofiles end with their profile, they stay with it.
//!
//! An entry is a length (4 bytes), the (sub)profile's hash (8), the `seq` (8)
//! and a record as the log has it, but that a form's variables may be missing
//! on which no change depends that is asked for: then the body ends with a
//! digest of the whole one, so that the same bodies are those that were the
//! same. The entries of a part go to the file in pieces: where the piece before
//! it is (8 bytes), the length (4), the entries. Numbers are little-endian. The
//! file has no name and is gone with its owner.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Filter;
use crate::event::{BodyKind, ProfileKey, narrow_form};
use crate::log::record::{EventHead, EventRecord, RecordError};
use crate::store::leave_room;

/// How many bytes wait for the disk, of all parts together.
const HELD: usize = 8 << 20;

/// How many bytes a part should have.
const PART: u64 = 2 << 20;

/// The bytes of a piece before its entries.
const PIECE_HEAD: usize = 12;

/// Stands where there is no piece before.
const FIRST: u64 = u64::MAX;

/// After so many bytes the room on the disk is looked at again.
const CHECKED: u64 = 16 << 20;

/// A hash of (sub)profiles that no sender can foresee.
#[derive(Clone, Debug)]
pub(super) struct Spreading {
    hash: RandomState,
    /// Whether a profile and its subprofiles stay together.
    together: bool,
}

impl Spreading {
    /// That for a question.
    pub fn new(filter: &Filter) -> Self {
        Self {
            hash: RandomState::new(),
            together: filter.cascades(),
        }
    }

    pub fn hash(&self, key: ProfileKey) -> u64 {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(key.profile);
        if self.together {
            return hasher.finish();
        }
        hasher.write_u64(key.subprofile.unwrap_or_default());
        hasher.write_u8(u8::from(key.subprofile.is_some()));
        hasher.finish()
    }
}

/// Appends the entry of a record, with its `whole` body if need be.
pub(super) fn write_entry(
    filter: &Filter,
    hash: u64,
    seq: u64,
    record: &EventRecord<'_>,
    whole: bool,
    entry: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let wanted = |name: &str| {
        let mut names = filter.fields.iter().chain(&filter.interests);
        names.any(|wanted| wanted == name)
    };
    let all = whole || (filter.fields.is_empty() && filter.interests.is_empty());
    let body = record.body;
    let narrowed = (record.head.body_kind == BodyKind::Form && !all).then(|| {
        let mut narrowed = narrow_form(body, wanted);
        narrowed.extend_from_slice(b"&=");
        let digest = Sha256::digest(body);
        let digits = |byte: &u8| [b'A' + (byte >> 4), b'A' + (byte & 15)];
        narrowed.extend(digest.iter().take(16).flat_map(digits));
        narrowed
    });
    let record = EventRecord {
        head: EventHead {
            remote: None,
            evidence: None,
            ..record.head.clone()
        },
        body: narrowed.as_deref().unwrap_or(body),
    }
    .encode()?;
    let len =
        u32::try_from(record.len()).map_err(|error| RecordError::Encode(error.to_string()))?;
    entry.extend_from_slice(&len.to_le_bytes());
    entry.extend_from_slice(&hash.to_le_bytes());
    entry.extend_from_slice(&seq.to_le_bytes());
    entry.extend_from_slice(&record);
    Ok(())
}

/// An entry of some bytes.
pub(super) struct Entry<'a> {
    pub hash: u64,
    pub seq: u64,
    pub record: &'a [u8],
    whole: &'a [u8],
}

/// The entries of some bytes.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (hash, after) = after.split_first_chunk::<8>()?;
        let (seq, after) = after.split_first_chunk::<8>()?;
        let (record, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let whole = rest.get(..rest.len() - after.len())?;
        rest = after;
        Some(Entry {
            hash: u64::from_le_bytes(*hash),
            seq: u64::from_le_bytes(*seq),
            record,
            whole,
        })
    })
}

/// The file.
pub(super) struct Spread {
    dir: PathBuf,
    file: File,
    len: u64,
    /// The length at which the room on the disk is looked at.
    checked: u64,
    parts: Vec<Part>,
    /// How many bytes of a part wait before they go to the file.
    held: usize,
}

#[derive(Default)]
struct Part {
    /// The next piece.
    waiting: Vec<u8>,
    /// Where its last piece is in the file.
    last: Option<u64>,
    len: u64,
}

impl Spread {
    /// A file in a folder, for about so many bytes.
    pub fn new(dir: &Path, expected: u64) -> io::Result<Self> {
        let count = (expected / PART).clamp(8, 1024).next_power_of_two() as usize;
        Ok(Self {
            dir: dir.to_owned(),
            file: tempfile::tempfile_in(dir)?,
            len: 0,
            checked: 0,
            parts: (0..count).map(|_| Part::default()).collect(),
            held: (HELD / count).min(64 << 10),
        })
    }

    /// Takes entries.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        for entry in entries(bytes) {
            let number = entry.hash % self.parts.len() as u64;
            let Some(part) = self.parts.get_mut(number as usize) else {
                continue;
            };
            part.waiting.extend_from_slice(entry.whole);
            if part.waiting.len() >= self.held {
                part.write(&self.file, &mut self.len)?;
            }
        }
        if self.len >= self.checked {
            leave_room(&self.dir, CHECKED)?;
            self.checked = self.len + CHECKED;
        }
        Ok(())
    }

    /// Writes what waits.
    pub fn finish(&mut self) -> io::Result<()> {
        for part in &mut self.parts {
            part.write(&self.file, &mut self.len)?;
            part.waiting = Vec::new();
        }
        Ok(())
    }

    /// How many bytes each part has.
    pub fn part_lens(&self) -> Vec<u64> {
        self.parts.iter().map(|part| part.len).collect()
    }

    /// Hands the pieces of a part to `each`, whole entries in the order of arrival.
    pub fn read(
        &self,
        part: usize,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut pieces = Vec::new();
        let mut next = self.parts.get(part).and_then(|part| part.last);
        while let Some(offset) = next {
            let mut head = [0; PIECE_HEAD];
            self.file.read_exact_at(&mut head, offset)?;
            let [before @ .., a, b, c, d] = head;
            let before = u64::from_le_bytes(before);
            pieces.push((offset + PIECE_HEAD as u64, u32::from_le_bytes([a, b, c, d])));
            next = (before != FIRST).then_some(before);
        }
        let mut bytes = Vec::new();
        for (offset, len) in pieces.into_iter().rev() {
            bytes.resize(len as usize, 0);
            self.file.read_exact_at(&mut bytes, offset)?;
            each(&bytes)?;
        }
        Ok(())
    }
}

impl Part {
    fn write(&mut self, file: &File, end: &mut u64) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let len = u32::try_from(self.waiting.len()).map_err(io::Error::other)?;
        let mut head = self.last.unwrap_or(FIRST).to_le_bytes().to_vec();
        head.extend_from_slice(&len.to_le_bytes());
        file.write_all_at(&head, *end)?;
        file.write_all_at(&self.waiting, *end + PIECE_HEAD as u64)?;
        self.last = Some(*end);
        self.len += u64::from(len);
        *end += PIECE_HEAD as u64 + u64::from(len);
        self.waiting.clear();
        Ok(())
    }
}
