//! Changes a log's folder according to the input of a fuzz target.
//!
//! Arbitrary bytes would never be valid frames, because of checksums and log id. So the
//! input is a list of operations that change a valid log of plain and sealed segments:
//!
//! | byte | what follows | order |
//! | --- | --- | --- |
//! | 0 | file, at (2), bytes | overwrite |
//! | 1 | file, at (2), bytes | insert |
//! | 2 | file, at (2), length (2) | delete |
//! | 3 | file, length (2) | truncate |
//! | 4 | file, at (2), from file, from (2), length (2) | insert a copy of a part |
//! | 5 | file | remove the file |
//! | 6 | file, first `seq` (1 or, after a 0, 8), sealed | rename to another segment |
//! | 7 | file | correct the checksums |
//! | 8 | file, bytes | replace the content |
//!
//! *Bytes* are a length (2) and that many bytes; numbers are little-endian; missing bytes
//! at the end are 0, and numbers are taken modulo the existing count.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use super::{event_time, open};
use crate::event::{BodyKind, TimeSource};
use crate::log::OpenMode;
use crate::log::fixed::get;
use crate::log::frame::{HEADER_LEN, Header, MAGIC};
use crate::log::names::{parse_segment_name, sealed_name, segment_name};
use crate::log::record::{EventHead, EventRecord};
use crate::log::sealed::{Footer, SealedBlock};
use crate::storage::{Access, SimulatedDisk, Storage, read_start};

/// The log's folder on the simulated disk.
pub const DIR: &str = "/log";

pub const ID: u64 = 0x5EA1_ED00_F022_0001;

/// How many operations are executed at most.
const MAX_ORDERS: usize = 16;

/// How many bytes a file grows to at most.
const MAX_BYTES: usize = 16 << 10;

/// Names and contents.
pub type Files = BTreeMap<String, Vec<u8>>;

/// All files of a log.
pub fn files(disk: &SimulatedDisk) -> Files {
    let dir = Path::new(DIR);
    let read = |name: String| {
        let bytes = read_start(disk, &dir.join(&name), usize::MAX);
        (name, bytes.expect("its bytes"))
    };
    let names = disk.list(dir).expect("the names");
    names.into_iter().map(read).collect()
}

/// A disk with the log that the orders make, and whether it is *honest*: no segment
/// was renamed and no checksum corrected.
pub fn folder(orders: &[u8]) -> (SimulatedDisk, bool) {
    static WHOLE: OnceLock<Files> = OnceLock::new();
    let mut files = WHOLE.get_or_init(whole).clone();
    let mut orders = Orders(orders);
    let mut honest = true;
    for _ in 0..MAX_ORDERS {
        if orders.0.is_empty() || files.is_empty() {
            break;
        }
        honest &= !matches!(orders.execute(&mut files), 6 | 7);
    }
    let disk = SimulatedDisk::new();
    for (name, bytes) in &files {
        let path = Path::new(DIR).join(name);
        let file = disk.open(&path, Access::CreateNew).expect("a new file");
        file.write_at(bytes, 0).expect("its bytes");
        file.sync().expect("a sync");
    }
    disk.sync_dir(Path::new(DIR)).expect("a sync");
    (disk, honest)
}

/// A whole log of six segments, two of them sealed.
fn whole() -> Files {
    let disk = SimulatedDisk::new();
    let opened = open(&disk, OpenMode::Append { segment_size: 400 }).expect("an empty log");
    let mut writer = opened.writer.expect("open for appending");
    for seq in (1..=24).step_by(2) {
        let records = [seq, seq + 1].map(|seq| record(seq).encode().expect("a record"));
        writer.append(&records).expect("the disk does not fail");
    }
    for (first_seq, _) in opened.log.unsealed().into_iter().take(2) {
        let sealed = opened.log.seal(first_seq, &event_time, &|| false);
        sealed.expect("whole").expect("closed");
    }
    drop(writer);
    files(&disk)
}

fn record(seq: u64) -> EventRecord<'static> {
    EventRecord {
        head: EventHead {
            received: 1_760_000_000_000_000 + seq as i64,
            time: 1_760_000_000 + seq as i64,
            time_source: TimeSource::Time,
            profile: seq % 5,
            subprofile: None,
            database: Some(1),
            collection: None,
            event_type: "update",
            label: None,
            remote: None,
            evidence: None,
            body_kind: BodyKind::Form,
        },
        body: b"type=update&profile=1&fields[mail]=a@example.com",
    }
}

struct Orders<'a>(&'a [u8]);

impl<'a> Orders<'a> {
    fn number<const N: usize>(&mut self) -> usize {
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        self.0 = rest;
        let byte = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        taken.iter().rev().fold(0, byte)
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = self.number::<2>().min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn name(&mut self, files: &Files) -> String {
        let place = self.number::<1>() % files.len();
        files.keys().nth(place).cloned().unwrap_or_default()
    }

    /// Executes an order and returns which it was.
    fn execute(&mut self, files: &mut Files) -> usize {
        let order = self.number::<1>() % 9;
        let name = self.name(files);
        let old = files.get(&name).cloned().unwrap_or_default();
        let mut new = old.clone();
        match order {
            0 => {
                let at = self.number::<2>() % (old.len() + 1);
                for (byte, other) in new.iter_mut().skip(at).zip(self.bytes()) {
                    *byte = *other;
                }
            }
            1 => {
                let at = self.number::<2>() % (old.len() + 1);
                new.splice(at..at, self.bytes().iter().copied());
            }
            2 => {
                let at = self.number::<2>() % (old.len() + 1);
                let end = (at + self.number::<2>()).min(old.len());
                new.drain(at..end);
            }
            3 => new.truncate(self.number::<2>() % (old.len() + 1)),
            4 => {
                let at = self.number::<2>() % (old.len() + 1);
                let from = self.name(files);
                let from = files.get(&from).map_or(&[][..], Vec::as_slice);
                let start = self.number::<2>() % (from.len() + 1);
                let len = self.number::<2>();
                new.splice(at..at, from.iter().skip(start).take(len).copied());
            }
            5 => {
                files.remove(&name);
                return order;
            }
            6 => {
                let first_seq = match self.number::<1>() {
                    0 => self.number::<8>(),
                    small => small,
                };
                let sealed = self.number::<1>() % 2 == 1;
                let name_of = if sealed { sealed_name } else { segment_name };
                files.remove(&name);
                files.insert(name_of(first_seq as u64), old);
                return order;
            }
            7 => match parse_segment_name(&name) {
                Some((_, true)) => correct_sealed(&mut new),
                _ => correct_plain(&mut new),
            },
            _ => new = self.bytes().to_vec(),
        }
        new.truncate(MAX_BYTES);
        files.insert(name, new);
        order
    }
}

/// Corrects the checksum of every frame.
fn correct_plain(bytes: &mut [u8]) {
    let places: Vec<usize> = memchr::memmem::find_iter(bytes, &MAGIC).collect();
    for place in places {
        let after = bytes.get_mut(place..).unwrap_or_default();
        let Some((header, payload)) = after.split_first_chunk_mut::<HEADER_LEN>() else {
            continue;
        };
        let Ok(parsed) = Header::parse(header, ID) else {
            continue;
        };
        let Some(payload) = payload.get(..parsed.payload_len) else {
            continue;
        };
        let (covered, crc) = header.split_at_mut(HEADER_LEN - 4);
        let right = crc32c::crc32c_append(crc32c::crc32c(covered), payload);
        crc.copy_from_slice(&right.to_le_bytes());
    }
}

/// Replaces the footer of a sealed segment by one with correct checksums and the
/// same blocks.
fn correct_sealed(bytes: &mut Vec<u8>) {
    let end = bytes.len().saturating_sub(9);
    let Some(len) = bytes.get(end..).and_then(Footer::encoded_len) else {
        return;
    };
    let Some(footer_at) = bytes.len().checked_sub(len as usize) else {
        return;
    };
    let footer = bytes.split_off(footer_at);
    let entries = footer.get(32..).unwrap_or_default().chunks_exact(40);
    let count = (len as usize - 32) / 48;
    let (mut blocks, mut offset, mut plain_offset) = (Vec::new(), 0, 0);
    for entry in entries.take(count) {
        let Some((first_seq, (count, len, plain_len, _), times)) =
            get::<(_, (_, _, _, u32), _)>(entry)
        else {
            continue;
        };
        let (len, plain_len): (u32, u32) = (len, plain_len);
        let len = u64::from(len).min(footer_at as u64 - offset);
        let plain_len = plain_len % (1 << 20);
        let content = bytes.get(offset as usize..(offset + len) as usize);
        blocks.push(SealedBlock {
            first_seq,
            count,
            offset,
            len: len as u32,
            plain_offset,
            plain_len,
            crc: crc32c::crc32c(content.unwrap_or_default()),
            times,
        });
        offset += len;
        plain_offset += u64::from(plain_len);
    }
    let footer = Footer::new(blocks, None).encode(ID);
    bytes.extend(footer.unwrap_or_default());
}
