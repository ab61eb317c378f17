//! The log keeps what it acknowledged, wherever the machine dies.
//!
//! A scripted life of a log (opened, appended to over several segments, closed,
//! opened and appended to again) is repeated with a fault at every single
//! changing operation: an error, a full disk, a power cut. Each time the
//! process is then killed, and the power cut in several ways, and from every
//! disk so found the log is opened again. Proven for each:
//!
//! - every acknowledged record is there, at its `seq`, with its bytes, once;
//! - the numbers have no gaps, and no damage is reported;
//! - beyond them there is nothing, or the whole of the one group that was handed
//!   over and not acknowledged;
//! - appending goes on, and what is appended outlives a further power cut;
//! - all this holds as well when the recovery itself fails at any operation.

use std::path::Path;
use std::sync::Arc;

use profiletrail::log::{Log, OpenMode, Scanned};
use profiletrail::storage::{Fault, SimulatedDisk, Storage};
use proptest::prelude::*;

use crate::support::crashed_log as bench;
use crate::support::crashed_log::{
    DIR, Group, Life, aftermaths, append_mode, at_every_operation, groups, open, read_all,
};
use crate::support::files;

const SEGMENT: u64 = 2048;

/// The scripted life: two runs of the program over several segments.
fn two_runs(disk: &SimulatedDisk, first: &[Group], second: &[Group]) -> Life {
    let mut life = Life::default();
    if life.run(disk, append_mode(SEGMENT), first) {
        life.run(disk, append_mode(SEGMENT), second);
    }
    life
}

fn check_after(fault: Fault, life: &Life, disk: &SimulatedDisk) {
    for after in aftermaths(disk, 0..5) {
        match fault {
            Fault::Full => life.check_full(&after, append_mode(SEGMENT)),
            _ => life.check(&after, append_mode(SEGMENT)),
        }
    }
}

#[test]
fn a_clean_life_loses_nothing() {
    let disk = SimulatedDisk::new();
    let life = two_runs(&disk, &groups(12, 0), &groups(12, 12));
    assert_eq!(life.acknowledged, groups(24, 0).concat());
    assert!(life.pending.is_empty());
    let names = disk.list(Path::new(DIR)).unwrap();
    let segments = names.iter().filter(|name| name.ends_with(".log")).count();
    assert!(segments >= 4, "{names:?}");
    check_after(Fault::Error, &life, &disk);
}

#[test]
fn a_fault_at_any_operation_loses_nothing_acknowledged() {
    let live = |disk: &SimulatedDisk| two_runs(disk, &groups(12, 0), &groups(12, 12));
    at_every_operation(&SimulatedDisk::new(), live, check_after);
}

#[test]
fn a_fault_while_a_segment_is_closed_early_loses_nothing_acknowledged() {
    let live = |disk: &SimulatedDisk| {
        let closed_between = |all: Vec<Group>| {
            let all = all.into_iter();
            all.flat_map(|group| [group, Vec::new(), Vec::new()])
                .collect::<Vec<_>>()
        };
        let first = closed_between(groups(3, 0));
        two_runs(disk, &first, &closed_between(groups(2, 20)))
    };
    let disk = SimulatedDisk::new();
    live(&disk);
    let names = disk.list(Path::new(DIR)).unwrap();
    // One for each group, and the empty one after the last.
    assert_eq!(names.len(), 6, "{names:?}");
    at_every_operation(&SimulatedDisk::new(), live, check_after);
}

#[test]
fn a_record_of_more_than_a_block_is_as_safe() {
    let live = |disk: &SimulatedDisk| {
        let mut first = groups(3, 0);
        first[1].push(bench::record(1, 70_000));
        two_runs(disk, &first, &groups(2, 20))
    };
    at_every_operation(&SimulatedDisk::new(), live, check_after);
}

/// Recovery is a life as well: each disk that a fault has left is opened with
/// a fault at each operation of the opening and the appending after it.
#[test]
fn a_fault_at_any_operation_of_a_recovery_loses_nothing_acknowledged() {
    let first = |disk: &SimulatedDisk| two_runs(disk, &groups(4, 4), &groups(2, 20));
    at_every_operation(&SimulatedDisk::new(), first, |_, before, disk| {
        let mut starts = vec![disk.process_killed(), disk.power_cut(1), disk.power_cut(2)];
        starts.iter().for_each(SimulatedDisk::make_room);
        starts.dedup();
        for start in starts {
            let again = |disk: &SimulatedDisk| {
                let mut life = before.clone();
                life.run(disk, append_mode(SEGMENT), &groups(1, 30));
                life
            };
            at_every_operation(&start, again, |fault, life, disk| {
                if fault == Fault::Full {
                    life.check_full(&disk.process_killed(), append_mode(SEGMENT));
                } else {
                    life.check(&disk.process_killed(), append_mode(SEGMENT));
                    life.check(&disk.power_cut(7), append_mode(SEGMENT));
                }
            });
        }
    });
}

/// A disk on which all is durable: some groups, and the half of a frame, whose
/// bytes are given as well.
fn with_torn_tail() -> (SimulatedDisk, Vec<u8>) {
    const LOG: &str = "00000000000000000001.log";
    let disk = SimulatedDisk::new();
    Life::default().run(&disk, append_mode(SEGMENT), &groups(1, 0));
    let whole = files::read(&disk, &Path::new(DIR).join(LOG)).len();
    let torn = disk.process_killed();
    let mut writer = open(&torn, append_mode(SEGMENT)).writer.unwrap();
    torn.plan(torn.operations() + 1, Fault::Error);
    writer.append(&groups(1, 7)[0]).unwrap_err();
    let bytes = files::read(&torn, &Path::new(DIR).join(LOG)).split_off(whole);
    assert!(!bytes.is_empty());
    (bench::settled(&torn), bytes)
}

/// The bytes of a torn frame are durably aside before they are cut off.
#[test]
fn a_power_cut_in_a_recovery_loses_no_torn_bytes() {
    let (start, bytes) = with_torn_tail();
    let recover = |disk: &SimulatedDisk| {
        let mode = append_mode(SEGMENT);
        let _ = Log::open(Arc::new(disk.clone()), Path::new(DIR), bench::ID, mode);
        Life::default()
    };
    at_every_operation(&start, recover, |_, _, disk| {
        for after in aftermaths(disk, 0..5) {
            let names = after.list(Path::new(DIR)).unwrap();
            let kept =
                |name: &String| files::read(&after, &Path::new(DIR).join(name)).ends_with(&bytes);
            assert!(names.iter().any(kept), "{names:?}");
        }
    });
}

/// Recovery after recovery leaves one copy of the torn bytes.
#[test]
fn a_torn_frame_is_set_aside_once() {
    let (start, bytes) = with_torn_tail();
    for fault in [Fault::Error, Fault::Full] {
        for operation in 1..=8 {
            let mut disk = start.process_killed();
            disk.plan(operation, fault);
            for round in 0..4 {
                open(&disk, append_mode(SEGMENT));
                disk = disk.process_killed();
                if round == 2 {
                    disk.make_room();
                }
            }
            let mut names = disk.list(Path::new(DIR)).unwrap();
            names.retain(|name| name.contains("torn"));
            assert_eq!(names.len(), 1, "{names:?}");
            assert!(files::read(&disk, &Path::new(DIR).join(&names[0])) == bytes);
        }
    }
}

/// Readers in other threads see whole groups in order while they are appended.
#[test]
fn readers_follow_the_writer() {
    let disk = SimulatedDisk::new();
    let opened = open(&disk, append_mode(SEGMENT));
    let (log, mut writer) = (opened.log, opened.writer.unwrap());
    let all = groups(60, 0);
    let records = all.concat();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut cursor = log.cursor();
                let mut seen = 0;
                while seen < records.len() {
                    seen = log.last_seq() as usize;
                    if seen > 0 {
                        assert!(cursor.get(seen as u64).unwrap() == records[seen - 1]);
                    }
                    let found = scan_upto(&log);
                    assert!(found.len() >= seen && found[..] == records[..found.len()]);
                }
            });
        }
        for group in &all {
            writer.append(group).unwrap();
        }
    });
}

/// All records of a log that grows.
fn scan_upto(log: &Log) -> Vec<bench::Record> {
    let mut scan = log.scan(1);
    let mut found = Vec::new();
    while let Some(step) = scan.step().unwrap() {
        match step {
            Scanned::Records(records) => found.extend(records.map(|(_, bytes)| bytes.to_vec())),
            Scanned::Damage(damage) => panic!("{damage}"),
        }
    }
    assert_eq!(found.len() as u64, scan.last_seq);
    found
}

fn any_groups() -> impl Strategy<Value = Vec<Group>> {
    let record = prop::collection::vec(any::<u8>(), 0..300);
    prop::collection::vec(prop::collection::vec(record, 1..6), 1..12)
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(bench::FAULTS.as_slice())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(64)
    })]

    /// A row of runs, each ended by a random fault and a random kind of end.
    #[test]
    fn no_sequence_of_crashes_loses_an_acknowledged_record(
        runs in prop::collection::vec((any_groups(), any_fault(), 1..60u64, any::<Option<u64>>()), 1..5),
        segment_size in 0..3000u64,
    ) {
        let mode = append_mode(segment_size);
        let mut disk = SimulatedDisk::new();
        let mut life = Life::default();
        for (groups, fault, operation, end) in runs {
            disk.plan(operation, fault);
            life.run(&disk, mode, &groups);
            disk = match end {
                None => disk.process_killed(),
                Some(seed) => disk.power_cut(seed),
            };
            life.judge(&read_all(&open(&disk.process_killed(), OpenMode::Read).log));
            disk.make_room();
        }
        life.check(&disk, mode);
    }
}
