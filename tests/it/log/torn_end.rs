//! What a crash leaves at the end of a log is cut off; what may have been
//! acknowledged is not.

use std::path::Path;
use std::sync::Arc;

use profiletrail::log::frame::{self, FILLER};
use profiletrail::log::repair::{repair_segment, survey};
use profiletrail::log::{AppendError, Damage, Log, LogError, OpenMode, Recovered, Report, Scanned};
use profiletrail::storage::{Access, SimulatedDisk, Storage};

use crate::support::{files, has};

const DIR: &str = "/log";
const NAME: &str = "00000000000000000001.log";
const ID: u64 = 0x0123_4567_89AB_CDEF;
const APPEND: OpenMode = OpenMode::Append {
    segment_size: 1 << 20,
};

fn frame_of(id: u64, seq: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, id, seq, &[vec![seq as u8; len]]).unwrap();
    bytes
}

/// A segment of six frames of one event each, and where they begin.
fn segment() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    for seq in 1..=6 {
        starts.push(bytes.len());
        bytes.extend(frame_of(ID, seq, 700));
    }
    (bytes, starts)
}

fn disk(bytes: &[u8]) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let path = Path::new(DIR).join(NAME);
    let file = disk.open(&path, Access::CreateNew).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk
}

fn open(disk: &SimulatedDisk, mode: OpenMode) -> Result<Recovered, LogError> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode)
}

fn is_unchanged(disk: &SimulatedDisk, bytes: &[u8]) -> bool {
    files::read(disk, &Path::new(DIR).join(NAME)) == bytes
        && disk.list(Path::new(DIR)).unwrap() == [NAME]
}

/// The log opens up to the event `last`, says so, and takes and cuts nothing.
#[track_caller]
fn is_kept(bytes: &[u8], last: u64, offset: usize) {
    let disk = disk(bytes);
    for mode in [OpenMode::Read, APPEND, APPEND] {
        let opened = open(&disk, mode).unwrap();
        let found = opened.report.damage.last().unwrap();
        assert_eq!((found.first_seq, found.offset), (last + 1, offset as u64));
        assert_eq!(found.last_seq, Damage::UNKNOWN);
        assert_eq!(opened.report.torn, None);
        assert_eq!(opened.log.last_seq(), last);
        let mut cursor = opened.log.cursor();
        for seq in last + 1..8 {
            assert!(matches!(cursor.get(seq), Err(LogError::NotFound { .. })));
        }
        let mut scan = opened.log.scan(1);
        let mut read = 0;
        while let Some(step) = scan.step().unwrap() {
            match step {
                Scanned::Records(records) => read += records.count() as u64,
                Scanned::Damage(damage) => panic!("{damage}"),
            }
        }
        assert_eq!(read, last);
        if let Some(mut writer) = opened.writer {
            let poison = opened.report.poison.unwrap();
            let (place, way_out) = (format!("offset {offset} "), "`profiletrail repair`");
            has(&poison, &[&place, way_out]);
            assert_eq!(writer.append(&[b"x"]), Err(AppendError::Poisoned(poison)));
        }
    }
    assert!(is_unchanged(&disk, bytes));
    // The remedy that it names.
    let (storage, dir): (Arc<dyn Storage>, _) = (Arc::new(disk.clone()), Path::new(DIR));
    for finding in survey(&storage, dir, ID).unwrap() {
        repair_segment(&storage, dir, ID, &finding, (0, "now"), &|_| None).unwrap();
    }
    let mut opened = open(&disk, APPEND).unwrap();
    let next = opened.log.last_seq() + 1;
    assert!(next > last + 1, "a number would be given twice");
    assert_eq!(
        opened.writer.as_mut().unwrap().append(&[b"x"]).unwrap(),
        next
    );
}

#[test]
fn several_bad_frames_at_the_end_are_not_torn() {
    let (whole, starts) = segment();
    for first in 0..5 {
        let mut bytes = whole.clone();
        for start in &starts[first..] {
            bytes[start + 100] ^= 1;
        }
        is_kept(&bytes, first as u64, starts[first]);
        // The header of the first is unreadable; the next one says the number.
        bytes[starts[first] + 28] ^= 1;
        bytes[starts[first]] ^= 1;
        is_kept(&bytes, first as u64, starts[first]);
        // Neither do the others, but the first does.
        let mut bytes = whole.clone();
        bytes[starts[first] + 100] ^= 1;
        for start in &starts[first + 1..] {
            bytes[*start] ^= 1;
        }
        is_kept(&bytes, first as u64, starts[first]);
    }
}

#[test]
fn a_header_is_found_wherever_the_search_is_divided() {
    for len in [
        262_144 - 60,
        262_144 - 45,
        262_144 - 40,
        262_144 - 36,
        600_000,
    ] {
        let start = frame_of(ID, 1, 10);
        let mut bytes = start.clone();
        bytes.extend(frame_of(ID, 2, len));
        let second = bytes.len();
        bytes.extend(frame_of(ID, 3, 10));
        bytes[start.len()] ^= 1;
        bytes[second + 40] ^= 1;
        is_kept(&bytes, 1, start.len());
    }
}

#[test]
fn one_bad_frame_at_the_end_is_torn() {
    let (whole, starts) = segment();
    let last = starts[5];
    let mut tails: Vec<Vec<u8>> = vec![whole.clone(), whole.clone()];
    tails[0][last + 100] ^= 1;
    tails[1][last + 100] ^= 1;
    tails[1].extend([0; 5000]);
    // What a crash leaves: any sectors of the write, in the others what was there.
    for (unwritten, without) in [0, FILLER]
        .into_iter()
        .flat_map(|it| (0..7).map(move |n| (it, n)))
    {
        for shift in 0..512 {
            let mut bytes = frame_of(ID, 1, shift);
            let start = bytes.len();
            bytes.extend(frame_of(ID, 2, 1500));
            for (at, byte) in bytes.iter_mut().enumerate().skip(start) {
                let sector = at / 512 - start / 512;
                if sector < 3 && without & (1 << sector) == 0 {
                    *byte = unwritten;
                }
            }
            if bytes[start..].iter().any(|byte| *byte != FILLER) {
                tails.push(bytes);
            }
        }
    }
    for bytes in tails {
        for filler in [0, 700] {
            let mut bytes = bytes.clone();
            let end = bytes.iter().rposition(|byte| *byte != FILLER).unwrap() as u64 + 1;
            bytes.extend(vec![FILLER; filler]);
            let disk = disk(&bytes);
            let mut opened = open(&disk, APPEND).unwrap();
            let (damage, torn) = (opened.report.damage, opened.report.torn.unwrap());
            assert!(damage.is_empty(), "{damage:?}");
            assert_eq!(torn.offset + torn.bytes, end);
            opened.writer.as_mut().unwrap().append(&[b"x"]).unwrap();
        }
    }
}

#[test]
fn filler_after_the_last_frame_is_no_damage() {
    let (whole, starts) = segment();
    for end in starts.into_iter().chain([whole.len()]) {
        let mut bytes = whole[..end].to_vec();
        bytes.extend([FILLER; 70_000]);
        let disk = disk(&bytes);
        for mode in [OpenMode::Read, APPEND] {
            let opened = open(&disk, mode).unwrap();
            assert_eq!(opened.report, Report::default(), "{end}");
            assert_eq!(opened.log.leftover(), None);
        }
        assert!(is_unchanged(&disk, &whole[..end]));
        // Anywhere else it is damage, and so are zeros after a frame.
        bytes.extend(frame_of(ID, 7, 10));
        let noted = open(&self::disk(&bytes), OpenMode::Read).unwrap().report;
        assert!(noted != Report::default());
        bytes.truncate(end);
        bytes.extend([0; 600]);
        bytes.extend([FILLER; 600]);
        let noted = open(&self::disk(&bytes), OpenMode::Read).unwrap().report;
        assert!(noted.torn.is_some());
    }
}

#[test]
fn another_logs_frame_at_the_end_is_refused() {
    let (whole, starts) = segment();
    for bytes in [
        frame_of(ID ^ 1, 1, 10),
        frame_of(ID ^ 1, 1, 10)[..40].to_vec(),
        [frame_of(ID ^ 1, 1, 10), frame_of(ID ^ 1, 2, 10)].concat(),
        [whole[..starts[3]].to_vec(), frame_of(ID ^ 1, 4, 10)].concat(),
    ] {
        let disk = disk(&bytes);
        for mode in [OpenMode::Read, APPEND] {
            let error = open(&disk, mode).map(|_| ()).unwrap_err();
            assert!(matches!(error, LogError::OtherLog { .. }), "{error}");
            assert!(error.to_string().contains("`format`"), "{error}");
        }
        assert!(is_unchanged(&disk, &bytes));
    }
}

#[test]
fn a_newer_frame_at_the_end_is_refused() {
    let (whole, starts) = segment();
    for first in [0, 3, 5] {
        let mut bytes = whole.clone();
        for start in &starts[first..] {
            bytes[start + 4] = 2;
        }
        let disk = disk(&bytes);
        for mode in [OpenMode::Read, APPEND] {
            let error = open(&disk, mode).map(|_| ()).unwrap_err();
            assert!(
                matches!(error, LogError::Newer { version: 2, .. }),
                "{error}"
            );
            assert!(error.to_string().contains("newer profiletrail"), "{error}");
        }
        assert!(is_unchanged(&disk, &bytes));
    }
}

#[test]
fn in_the_middle_they_are_damage() {
    let (whole, starts) = segment();
    for (place, value) in [(4, 2), (8, 0)] {
        for (number, start) in starts[..5].iter().enumerate() {
            let mut bytes = whole.clone();
            bytes[start + place] = value;
            let opened = open(&disk(&bytes), APPEND).unwrap();
            assert_eq!(opened.report.poison, None);
            assert_eq!(opened.log.last_seq(), 6);
            let found = &opened.report.damage[0];
            let seq = number as u64 + 1;
            assert_eq!((found.first_seq, found.last_seq), (seq, seq));
        }
    }
}
