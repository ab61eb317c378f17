//! A repair of a log keeps whatever could be read, and makes the rest known to be lost.
//!
//! A log with plain and sealed segments is harmed in many ways and repaired.
//! Proven each time: every record that could be read before is there with its
//! bytes and its number; the others are known to be lost; nothing is damaged,
//! and the log is appended to again, beyond every number that was seen. The
//! same holds with a fault at any operation of the repair, after which it is
//! done again; and the damaged file's bytes are on the disk all the while.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use profiletrail::log::record::Lost;
use profiletrail::log::repair::{Remedy, RepairError, repair_segment, survey};
use profiletrail::log::{Log, LogError, OpenMode, Recovered, Scanned};
use profiletrail::storage::{Access, Fault, SimulatedDisk, Storage};
use proptest::prelude::*;

use crate::support::crashed_log::aftermaths;
use crate::support::files;

const DIR: &str = "/log";
const ID: u64 = 0x5EA1_ED00_0000_0009;
const RECORDS: u64 = 165;
const NOW: i64 = 1_760_000_000_000_000;

fn open(disk: &SimulatedDisk, mode: OpenMode) -> Result<Recovered, LogError> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode)
}

fn appending() -> OpenMode {
    OpenMode::Append {
        segment_size: 4_000,
    }
}

fn record(seq: u64) -> Vec<u8> {
    let mut record = (seq as i64).to_le_bytes().to_vec();
    record.extend((0..90 + seq % 13).map(|n| (n * seq % 251) as u8));
    record
}

fn time_of(record: &[u8]) -> Option<i64> {
    (record.len() > 30).then(|| i64::from_le_bytes(record[..8].try_into().unwrap()))
}

/// Four or more segments, the first and the third of them sealed.
fn filled() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let Recovered { log, writer, .. } = open(&disk, appending()).unwrap();
    let mut writer = writer.unwrap();
    for seq in (1..=RECORDS).step_by(3) {
        writer
            .append(&[record(seq), record(seq + 1), record(seq + 2)])
            .unwrap();
    }
    let unsealed = log.unsealed();
    assert!(unsealed.len() >= 3, "{unsealed:?}");
    for place in [0, 2] {
        log.seal(unsealed[place].0, &time_of, &|| false).unwrap();
    }
    disk
}

/// All records that can be read.
fn readable(log: &Log) -> (BTreeMap<u64, Vec<u8>>, bool) {
    let (mut found, mut damaged) = (BTreeMap::new(), false);
    let mut scan = log.scan(1);
    while let Some(step) = scan.step().unwrap() {
        match step {
            Scanned::Records(records) => {
                found.extend(records.map(|(seq, bytes)| (seq, bytes.to_vec())));
            }
            Scanned::Damage(_) => damaged = true,
        }
    }
    (found, damaged)
}

fn repair(disk: &SimulatedDisk) -> Result<Vec<Remedy>, RepairError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let dir = Path::new(DIR);
    let mut remedies = Vec::new();
    for finding in survey(&storage, dir, ID)? {
        remedies.push(finding.remedy);
        repair_segment(
            &storage,
            dir,
            ID,
            &finding,
            (NOW, "20260101T000000Z"),
            &time_of,
        )?;
    }
    Ok(remedies)
}

/// The log must hold what could be read before, and beyond that only events
/// that are known to be lost; then it is appended to.
#[track_caller]
fn judge(disk: &SimulatedDisk, before: &BTreeMap<u64, Vec<u8>>) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let left = survey(&storage, Path::new(DIR), ID).unwrap();
    assert_eq!(left, [], "something is left");
    let Recovered {
        log,
        writer,
        report,
    } = open(disk, appending()).unwrap();
    assert_eq!((report.damage.len(), report.poison), (0, None));
    let (after, damaged) = readable(&log);
    assert!(!damaged);
    let last = log.last_seq();
    assert_eq!(after.len() as u64, last, "a gap");
    for (seq, bytes) in &after {
        match Lost::decode(bytes) {
            Some(lost) => {
                assert!((lost.first..=lost.last).contains(seq));
                assert!(!before.contains_key(seq), "{seq} could be read");
            }
            None => assert!(*bytes == record(*seq), "event {seq} differs"),
        }
    }
    for (seq, bytes) in before {
        assert!(after.get(seq) == Some(bytes), "event {seq} is gone");
    }
    let next = writer.unwrap().append(&[record(last + 1)]).unwrap();
    assert_eq!(next, last + 1);
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.list(Path::new(DIR)).unwrap();
    names.sort();
    names.retain(|name| name.ends_with(".log") || name.ends_with(".log.zst"));
    names
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn write(disk: &SimulatedDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Access::Write).unwrap();
    file.set_len(0).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
}

/// What is done to a segment.
#[derive(Clone, Debug)]
enum Harm {
    Flip(u64, u8),
    Noise(u64, u64, u8),
    Cut(u64),
    Append(Vec<u8>),
    Remove,
}

fn harm(disk: &SimulatedDisk, name: &str, harm: &Harm) {
    let path = path(name);
    let mut bytes = files::read(disk, &path);
    let len = bytes.len().max(1) as u64;
    match harm {
        Harm::Flip(place, bit) => {
            if let Some(byte) = bytes.get_mut((place % len) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Harm::Noise(place, count, seed) => {
            for (n, byte) in bytes.iter_mut().skip((place % len) as usize).enumerate() {
                if n as u64 >= *count {
                    break;
                }
                *byte = (n as u8).wrapping_mul(31).wrapping_add(*seed);
            }
        }
        Harm::Cut(place) => bytes.truncate((place % len) as usize),
        Harm::Append(more) => bytes.extend_from_slice(more),
        Harm::Remove => {
            disk.remove(&path).unwrap();
            disk.sync_dir(Path::new(DIR)).unwrap();
            return;
        }
    }
    write(disk, &path, &bytes);
}

fn any_harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<u64>(), any::<u8>()).prop_map(|(place, bit)| Harm::Flip(place, bit)),
        3 => (any::<u64>(), 1..3000_u64, any::<u8>())
            .prop_map(|(place, count, seed)| Harm::Noise(place, count, seed)),
        2 => any::<u64>().prop_map(Harm::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..100).prop_map(Harm::Append),
        1 => Just(Harm::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_could_be_read_is_kept(
        harms in prop::collection::vec((0_usize..100, any_harm()), 1..4)
    ) {
        let disk = filled();
        for (place, what) in &harms {
            let names = names(&disk);
            // Of a log without any segment nothing is known.
            if names.len() > 1 {
                harm(&disk, &names[place % names.len()], what);
            }
        }
        let before = match open(&disk, OpenMode::Read) {
            Ok(opened) => readable(&opened.log).0,
            // The last frame alone seems to be another log's or a newer one.
            Err(_) => BTreeMap::new(),
        };
        match repair(&disk) {
            Ok(_) => judge(&disk, &before),
            Err(RepairError::Log(LogError::OtherLog { .. } | LogError::Newer { .. })) => {}
            Err(RepairError::NothingReadable(_)) => prop_assert!(before.is_empty()),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_whole_log_needs_no_repair() {
    let disk = filled();
    let before = names(&disk);
    assert_eq!(repair(&disk).unwrap(), []);
    assert_eq!(names(&disk), before);
}

#[test]
fn under_another_folders_id_nothing_is_taken_for_damaged() {
    let disk = filled();
    let last = path(names(&disk).last().unwrap());
    for empty in [false, true] {
        if empty {
            // A crash may have come before the first frame of a new segment.
            write(&disk, &last, &[]);
        }
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let error = survey(&storage, Path::new(DIR), ID + 1).unwrap_err();
        assert!(error.to_string().contains("`format`"), "{error}");
    }
}

#[test]
fn a_header_whose_fixed_bytes_were_changed_costs_nothing() {
    let disk = filled();
    let all = readable(&open(&disk, OpenMode::Read).unwrap().log).0;
    let last = path(names(&disk).last().unwrap());
    let bytes = files::read(&disk, &last);
    let frame = bytes
        .windows(4)
        .rposition(|window| window == b"PTLF")
        .unwrap();
    for place in 0..16 {
        let bad = disk.process_killed();
        let mut changed = bytes.clone();
        changed[frame + place] ^= 2;
        write(&bad, &last, &changed);
        assert_eq!(repair(&bad).unwrap(), [Remedy::Rewrite], "byte {place}");
        judge(&bad, &all);
    }
}

#[test]
fn what_was_at_a_damaged_end_is_lost_and_its_numbers_with_it() {
    let disk = filled();
    let all = readable(&open(&disk, OpenMode::Read).unwrap().log).0;
    let last = path(names(&disk).last().unwrap());
    let mut bytes = files::read(&disk, &last);
    let frames: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| &bytes[*at..at + 4] == b"PTLF")
        .collect();
    for frame in &frames[frames.len() - 3..] {
        bytes[frame + 40] ^= 1;
    }
    write(&disk, &last, &bytes);
    let opened = open(&disk, appending()).unwrap();
    assert!(
        opened
            .report
            .poison
            .unwrap()
            .contains("profiletrail repair")
    );
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let found = survey(&storage, Path::new(DIR), ID).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].unknown);
    assert_eq!(found[0].lost, [(RECORDS - 8, RECORDS)]);
    repair(&disk).unwrap();
    let kept: BTreeMap<_, _> = all
        .into_iter()
        .filter(|(seq, _)| *seq < RECORDS - 8)
        .collect();
    judge(&disk, &kept);
    let next = open(&disk, OpenMode::Read).unwrap().log.last_seq();
    assert_eq!(next, RECORDS + 1, "what judge has appended comes last");
}

#[test]
fn a_fault_at_any_operation_of_a_repair_loses_nothing() {
    let damaged = filled();
    let segments = names(&damaged);
    let asides: Vec<Vec<u8>> = [0, 3]
        .iter()
        .map(|place| {
            harm(&damaged, &segments[*place], &Harm::Noise(1_000, 300, 7));
            files::read(&damaged, &path(&segments[*place]))
        })
        .collect();
    harm(&damaged, &segments[2], &Harm::Remove);
    let before = readable(&open(&damaged, OpenMode::Read).unwrap().log).0;
    let clean = damaged.process_killed();
    assert_eq!(repair(&clean).unwrap().len(), 3);
    let operations = clean.operations();
    assert!(operations > 30, "{operations}");
    for operation in 1..=operations {
        for fault in [Fault::Error, Fault::Full, Fault::PowerCut] {
            let disk = damaged.process_killed();
            disk.plan(operation, fault);
            let _ = repair(&disk);
            disk.make_room();
            for found in aftermaths(&disk, 0..3) {
                // The next start, before anybody repairs.
                let opened = open(&found, appending()).unwrap();
                let (now, _) = readable(&opened.log);
                assert!(
                    before
                        .iter()
                        .all(|(seq, bytes)| now.get(seq) == Some(bytes))
                );
                drop(opened);
                repair(&found).unwrap();
                let files = found.list(Path::new(DIR)).unwrap();
                let files: Vec<_> = files
                    .iter()
                    .map(|name| files::read(&found, &path(name)))
                    .collect();
                for aside in &asides {
                    assert!(files.contains(aside), "operation {operation} {fault:?}");
                }
                judge(&found, &before);
            }
        }
    }
}
