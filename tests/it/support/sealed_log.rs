//! A log of several closed segments, to be sealed and read.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use profiletrail::log::{Log, LogError, NotSealed, OpenMode, Recovered, Scanned};
use profiletrail::storage::{SimulatedDisk, Storage};

use crate::support::files::write_new;

pub const DIR: &str = "/log";
pub const ID: u64 = 0x5EA1_ED00_0000_0001;

/// Three segments; only the last is open.
pub const SEGMENT: u64 = 200_000;
pub const RECORDS: u64 = 900;

pub fn open(disk: &SimulatedDisk, mode: OpenMode) -> Result<Recovered, LogError> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode)
}

pub fn appending() -> OpenMode {
    OpenMode::Append {
        segment_size: SEGMENT,
    }
}

/// A record that compresses well and holds its time: ten times its `seq`, but
/// now and then one that comes late.
pub fn record(seq: u64) -> Vec<u8> {
    let time = if seq.is_multiple_of(97) {
        seq
    } else {
        seq * 10
    };
    let mut record = (time as i64).to_le_bytes().to_vec();
    let mut state = seq;
    while record.len() < 500 + (seq as usize * 7) % 300 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        record.extend_from_slice(b"fields%5Bname%5D=");
        record.extend_from_slice(&state.to_le_bytes()[6..]);
    }
    record
}

pub fn time_of(record: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(record.get(..8)?.try_into().ok()?))
}

pub fn filled() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let mut writer = open(&disk, appending()).unwrap().writer.unwrap();
    let mut seq = 1;
    while seq <= RECORDS {
        let count = (1 + seq % 5).min(RECORDS - seq + 1);
        let group: Vec<_> = (seq..seq + count).map(record).collect();
        assert_eq!(writer.append(&group).unwrap(), seq);
        seq += count;
    }
    disk
}

pub fn seal_all(log: &Log) -> Result<usize, NotSealed> {
    let mut count = 0;
    for (first_seq, _) in log.unsealed() {
        count += usize::from(log.seal(first_seq, &time_of, &|| false)?.is_some());
    }
    Ok(count)
}

/// The records, made once: they are compared with what thousands of logs have.
static EXPECTED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (1..=RECORDS + 1).map(record).collect());

/// The numbers of the records that can be read, each with the right bytes, in a
/// row and alone; those that cannot must be reported as damage.
pub fn readable(log: &Log, count: u64) -> BTreeSet<u64> {
    assert_eq!(log.last_seq(), count);
    let expected = |seq: u64| &EXPECTED[seq as usize - 1];
    let (mut found, mut lost) = (BTreeSet::new(), BTreeSet::new());
    let mut scan = log.scan(1);
    while let Some(step) = scan.step().unwrap() {
        match step {
            Scanned::Records(records) => {
                for (seq, bytes) in records {
                    assert!(bytes == *expected(seq), "event {seq} differs");
                    assert!(found.insert(seq), "event {seq} comes twice");
                }
            }
            Scanned::Damage(damage) => lost.extend(damage.first_seq..=damage.last_seq),
        }
    }
    assert!(found.is_disjoint(&lost));
    assert_eq!((found.len() + lost.len()) as u64, count);
    let mut cursor = log.cursor();
    for seq in 1..=count {
        match cursor.get(seq) {
            Ok(bytes) => assert!(bytes == *expected(seq) && found.contains(&seq)),
            Err(LogError::Damaged { .. }) => assert!(lost.contains(&seq), "{seq}"),
            Err(error) => panic!("{error}"),
        }
    }
    found
}

pub fn all(count: u64) -> BTreeSet<u64> {
    (1..=count).collect()
}

pub fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.list(Path::new(DIR)).unwrap();
    names.sort();
    names
}

/// Another disk, with this alone as its only segment but for an empty one
/// after it.
pub fn disk_of(name: &str, bytes: &[u8], next: &str) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    for (name, bytes) in [(name, bytes), (next, &[])] {
        write_new(&disk, &Path::new(DIR).join(name), bytes);
    }
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk
}
