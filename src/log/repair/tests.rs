//! Folders that the fuzz target found, each with the fault that it showed.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::log::record::Lost;
use crate::log::{Log, Recovered};
use crate::storage::{Access, SimulatedDisk};

const DIR: &str = "/log";
const ID: u64 = 9;
const APPEND: OpenMode = OpenMode::Append { segment_size: 150 };

fn open(disk: &SimulatedDisk, mode: OpenMode) -> Recovered {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode).unwrap()
}

/// Six segments of three records, the first two of them sealed.
fn filled() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let opened = open(&disk, APPEND);
    let mut writer = opened.writer.unwrap();
    for seq in 0_u8..18 {
        writer.append(&[[seq; 20]]).unwrap();
    }
    let unsealed = opened.log.unsealed();
    assert_eq!(unsealed.len(), 5);
    for (first_seq, _) in &unsealed[..2] {
        opened
            .log
            .seal(*first_seq, &|_| Some(1), &|| false)
            .unwrap();
    }
    disk
}

fn path(first_seq: u64, end: &str) -> PathBuf {
    Path::new(DIR).join(format!("{first_seq:020}{end}"))
}

fn repair(disk: &SimulatedDisk) -> Result<Vec<Remedy>, RepairError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let found = survey(&storage, Path::new(DIR), ID)?;
    let remedies = found.iter().map(|found| found.remedy).collect();
    for finding in found {
        let time = (0, "stamp");
        repair_segment(&storage, Path::new(DIR), ID, &finding, time, &|_| Some(1))?;
    }
    assert_eq!(survey(&storage, Path::new(DIR), ID)?, [], "repaired twice");
    Ok(remedies)
}

/// The numbers that are recorded as lost; every other one must be readable.
fn lost(disk: &SimulatedDisk) -> Vec<u64> {
    let opened = open(disk, APPEND);
    assert_eq!((opened.report.damage, opened.report.poison), (vec![], None));
    let (mut lost, mut expected) = (Vec::new(), 1);
    let mut scan = opened.log.scan(1);
    while let Some(records) = scan.next_records(|damage| panic!("{damage}")).unwrap() {
        for (seq, record) in records {
            assert_eq!(seq, expected);
            expected += 1;
            match Lost::decode(record) {
                Some(_) => lost.push(seq),
                None => assert_eq!(record, [seq as u8 - 1; 20]),
            }
        }
    }
    lost
}

#[test]
fn a_closed_segment_that_was_emptied_is_known_to_be_lost() {
    let disk = filled();
    let emptied = disk.open(&path(7, ".log"), Access::Write).unwrap();
    emptied.set_len(0).unwrap();
    assert_eq!(repair(&disk).unwrap(), [Remedy::Rewrite]);
    assert_eq!(lost(&disk), [7, 8, 9]);
}

#[test]
fn a_sealed_segment_under_anothers_name_is_not_torn_and_nothing_follows_it() {
    let disk = filled();
    disk.rename(&path(4, ".log.zst"), &path(30, ".log.zst"))
        .unwrap();
    let poison = open(&disk, APPEND).report.poison.unwrap();
    assert!(poison.contains("profiletrail repair"), "{poison}");
    let remedies = repair(&disk).unwrap();
    assert_eq!(remedies.last(), Some(&Remedy::Rewrite), "{remedies:?}");
    let expected: Vec<u64> = [4, 5, 6].into_iter().chain(19..31).collect();
    assert_eq!(lost(&disk), expected);
}

#[test]
fn a_file_that_would_make_more_lost_than_can_have_been_is_pointed_at() {
    let disk = filled();
    disk.open(&path(1 << 60, ".log"), Access::CreateNew)
        .unwrap();
    let before = disk.operations();
    let error = repair(&disk).unwrap_err();
    assert!(error.to_string().contains("put it elsewhere"), "{error}");
    assert_eq!(disk.operations(), before);
}

#[test]
fn a_number_that_no_log_comes_to_names_no_segment() {
    let disk = filled();
    disk.open(&path(u64::MAX, ".log"), Access::CreateNew)
        .unwrap();
    assert_eq!(repair(&disk).unwrap(), []);
    assert!(lost(&disk).is_empty());
}
