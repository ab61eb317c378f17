//! The fuzz targets of the log: its records, and its files.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a violated invariant must end the run of a target"
)]

mod folder;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::frame::Frame;
use super::record::{EventRecord, Lost, RejectedRecord, event_time, received_time, rejected_time};
use super::repair::{RepairError, repair_segment, survey};
use super::salt::{SaltTree, Salts};
use super::{Log, LogError, OpenMode, Recovered, Scanned, Visited, leaf_of};
use crate::storage::{SimulatedDisk, Storage};
use crate::store::retention::KeptBaseline;
use folder::{DIR, ID, files, folder};

/// A repair of more lost events than this takes too long for a run.
const MAX_LOST: u64 = 4096;

/// Decodes a record as each of its kinds. Invariants: nothing panics, and a decoded
/// record is the same after encoding and decoding again.
pub fn records(bytes: &[u8]) {
    if let Ok(record) = EventRecord::decode(bytes) {
        let written = record.encode().expect("it was a record");
        assert_eq!(EventRecord::decode(&written).expect("a record"), record);
        assert_eq!(event_time(bytes), Some(record.head.time));
        assert!(received_time(bytes).is_some());
        let _ = record.to_event(1);
        let _ = leaf_of(1, bytes, &mut Salts::new(SaltTree::new([7; 32])));
    }
    if let Ok(record) = RejectedRecord::decode(bytes) {
        let written = record.encode().expect("it was a record");
        assert_eq!(RejectedRecord::decode(&written).expect("a record"), record);
        assert!(rejected_time(bytes).is_some());
    }
    if let Some(lost) = Lost::decode(bytes) {
        assert_eq!(lost.encode(), bytes);
        assert!(!lost.to_string().is_empty());
    }
    if let Ok(kept) = KeptBaseline::decode(bytes) {
        let written = kept.clone().encode().expect("it was a record");
        assert_eq!(KeptBaseline::decode(&written).expect("a record"), kept);
    }
    if let Ok(frame) = Frame::parse(bytes, ID) {
        assert_eq!(frame.records().count(), frame.header.count as usize);
    }
}

/// Opens, reads, checks and repairs a log whose files were changed according to the bytes
/// ([`folder()`]).
///
/// Invariants: nothing panics or runs forever; reading changes no file; a record
/// reads the same alone and in a scan; and after a repair nothing is damaged, every
/// record that could be read before has its number and its bytes (if the changes
/// were honest), and the log accepts a new one.
pub fn log(bytes: &[u8]) {
    let (disk, honest) = folder(bytes);
    let before = files(&disk);
    let readable = read(&disk);
    assert!(files(&disk) == before, "reading has changed a file");
    let Some(readable) = readable else {
        return;
    };
    match repair(&disk) {
        Ok(true) => judge(&disk, honest.then_some(&readable)),
        Err(RepairError::NotWritten(error)) => panic!("{error}"),
        Ok(false) | Err(_) => {}
    }
}

fn open(disk: &SimulatedDisk, mode: OpenMode) -> Result<Recovered, LogError> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode)
}

/// All records that can be read, after reading them in every way; `None` if the log
/// cannot be opened.
fn read(disk: &SimulatedDisk) -> Option<BTreeMap<u64, Vec<u8>>> {
    let log = open(disk, OpenMode::Read).ok()?.log;
    let mut found = BTreeMap::new();
    let mut scan = log.scan(1);
    let mut last = 0;
    while let Some(step) = scan.step().expect("the disk does not fail") {
        match step {
            Scanned::Records(records) => {
                for (seq, record) in records {
                    assert!(seq > last, "{seq} after {last}");
                    last = seq;
                    found.insert(seq, record.to_vec());
                }
            }
            Scanned::Damage(damage) => assert!(!damage.to_string().is_empty()),
        }
    }
    let mut cursor = log.cursor();
    for (seq, record) in &found {
        match cursor.get(*seq) {
            Ok(alone) => assert!(alone == record, "{seq} is another alone"),
            Err(error) => panic!("{seq} is not read alone: {error}"),
        }
    }
    let segments = log.segments();
    let firsts = segments.iter().map(|(first, _)| *first);
    let end = log.last_seq().saturating_add(1);
    let nexts = firsts.clone().skip(1).chain([end]);
    for (first, next) in firsts.zip(nexts) {
        let checked = log.check_segment(first, next, &mut |frame| {
            let mut visited = Visited::default();
            for (_, record) in frame.records() {
                visited.time(event_time(record));
            }
            visited
        });
        for damage in checked.expect("the disk does not fail").damage {
            assert!(!damage.to_string().is_empty());
        }
    }
    let _ = log.block_ranges();
    Some(found)
}

/// Whether the log was repaired; not if too much would be lost.
fn repair(disk: &SimulatedDisk) -> Result<bool, RepairError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let dir = Path::new(DIR);
    let findings = survey(&storage, dir, ID)?;
    let lost = findings.iter().flat_map(|finding| &finding.lost);
    let lost = lost.fold(0_u64, |sum, (first, last)| {
        sum.saturating_add((last - first).saturating_add(1))
    });
    if lost > MAX_LOST {
        return Ok(false);
    }
    for finding in findings {
        repair_segment(&storage, dir, ID, &finding, (0, "stamp"), &event_time)?;
    }
    Ok(true)
}

/// Checks a repaired log.
fn judge(disk: &SimulatedDisk, before: Option<&BTreeMap<u64, Vec<u8>>>) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let left = survey(&storage, Path::new(DIR), ID).expect("it was repaired");
    assert_eq!(left, [], "something is left");
    let mode = OpenMode::Append { segment_size: 4000 };
    let opened = open(disk, mode).expect("it was repaired");
    assert_eq!(opened.report.damage, []);
    assert_eq!(opened.report.poison, None);
    let after = read(disk).expect("it was repaired");
    for (seq, record) in before.into_iter().flatten() {
        assert!(after.get(seq) == Some(record), "{seq} was lost");
    }
    let last = opened.log.last_seq();
    assert_eq!(after.len() as u64, last, "a gap");
    let mut writer = opened.writer.expect("open for appending");
    let seq = writer.append(&[b"new"]).expect("the disk does not fail");
    assert!(seq > last);
}
