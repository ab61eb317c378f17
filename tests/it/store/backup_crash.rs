//! A backup or a restore that ends anywhere leaves nothing half done.
//!
//! Both are run on a simulated disk with a fault at every single changing
//! operation, and the machine is then killed or cut from power: each time the
//! backup is the one before or the new one, every byte of it, the next backup
//! completes it, and a restored folder is there whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use profiletrail::log::{Log, OpenMode, Recovered, Scanned};
use profiletrail::ops::Output;
use profiletrail::ops::backup::{BackupDone, BackupOrder, Manifest, Source, back_up, read_backup};
use profiletrail::storage::{Access, Fault, SimulatedDisk, Storage};

use crate::support::crashed_log::aftermaths;
use crate::support::has;

const ID: u64 = 0xBAC0_0000_0000_0001;
const BACKUP: &str = "/backup";
const FAULTS: [Fault; 3] = [Fault::Error, Fault::Full, Fault::PowerCut];

fn open(disk: &SimulatedDisk, data: &str, part: &str) -> Recovered {
    let mode = OpenMode::Append { segment_size: 3000 };
    let dir = Path::new(data).join(part);
    Log::open(Arc::new(disk.clone()), &dir, ID, mode).unwrap()
}

fn record(seq: u64) -> Vec<u8> {
    format!("{seq} is a record of some length, {}", seq * 7919)
        .repeat(8)
        .into_bytes()
}

fn append(disk: &SimulatedDisk, part: &str, count: u64) {
    let opened = open(disk, "/data", part);
    let (log, mut writer) = (opened.log, opened.writer.unwrap());
    for _ in 0..count {
        writer.append(&[record(log.last_seq() + 1)]).unwrap();
    }
}

/// Everything but the active segment is sealed then.
fn seal(disk: &SimulatedDisk) {
    let log = open(disk, "/data", "log").log;
    for (first, _) in log.unsealed() {
        log.seal(first, &|_| Some(0), &|| false).unwrap().unwrap();
    }
}

/// A data folder with several segments.
fn filled() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let format = disk
        .open(Path::new("/data/format"), Access::CreateNew)
        .unwrap();
    format.write_at(b"{}", 0).unwrap();
    format.sync().unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    append(&disk, "log", 40);
    append(&disk, "rejected", 3);
    disk
}

fn run(disk: &SimulatedDisk, copy: bool) -> anyhow::Result<BackupDone> {
    run_with(disk, copy, &mut |_, _| ())
}

fn run_with(
    disk: &SimulatedDisk,
    copy: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<BackupDone> {
    let (events, rejected) = (
        open(disk, "/data", "log").log,
        open(disk, "/data", "rejected").log,
    );
    let source = Source {
        log_id: ID,
        events: &events,
        rejected: &rejected,
        format: "{}".to_owned(),
        baselines: Vec::new(),
        proofs: None,
        now: "2026-01-01T00:00:00Z".to_owned(),
    };
    let order = BackupOrder {
        dir: PathBuf::from(BACKUP),
        copy,
    };
    let mut output = Output {
        out: &mut Vec::new(),
        progress,
    };
    let mut damage = Vec::new();
    let done = back_up(&source, disk, &order, &mut damage, &mut output);
    assert!(damage.is_empty(), "{damage:?}");
    done
}

fn check(disk: &SimulatedDisk) -> Manifest {
    read_backup(disk, Path::new(BACKUP), None, |_, _| ()).unwrap_or_else(|error| panic!("{error}"))
}

fn names(disk: &SimulatedDisk, dir: &str) -> Vec<String> {
    let mut names = disk.list(Path::new(dir)).unwrap();
    names.sort();
    names
}

/// The files of the backup are those of its manifest, and no others.
fn is_tidy(disk: &SimulatedDisk, manifest: &Manifest) {
    for part in ["log", "rejected"] {
        let stored = manifest.files.iter().map(|file| file.stored.clone());
        let stored =
            stored.filter_map(|path| Some(path.strip_prefix(&format!("{part}/"))?.to_owned()));
        let mut stored: Vec<String> = stored.collect();
        stored.sort();
        assert_eq!(names(disk, &format!("{BACKUP}/{part}")), stored);
    }
}

/// The restored folder holds exactly so many events and rejected calls.
fn holds(disk: &SimulatedDisk, data: &str, events: u64, rejected: u64) {
    for (part, count) in [("log", events), ("rejected", rejected)] {
        let recovered = open(disk, data, part);
        assert_eq!(recovered.report, Default::default());
        assert_eq!(recovered.log.last_seq(), count, "{part}");
        let mut scan = recovered.log.scan(1);
        let mut next = 1;
        while let Some(step) = scan.step().unwrap() {
            let Scanned::Records(records) = step else {
                panic!("damage")
            };
            for (seq, bytes) in records {
                assert_eq!((seq, bytes), (next, record(seq).as_slice()));
                next += 1;
            }
        }
        assert_eq!(next, count + 1);
    }
}

/// Makes a backup with a fault at every operation; `before` is how far the
/// backup goes that is there, and `after` how far the new one goes.
fn faults_everywhere(disk: &SimulatedDisk, copy: bool, before: Option<u64>, after: u64) {
    let clean = disk.process_killed();
    drop((
        open(&clean, "/data", "log"),
        open(&clean, "/data", "rejected"),
    ));
    let begin = clean.operations();
    run(&clean, copy).unwrap();
    // Opening the logs counts, too, and must not be where the fault is.
    let again = disk.process_killed();
    drop((
        open(&again, "/data", "log"),
        open(&again, "/data", "rejected"),
    ));
    let opening = again.operations();
    let operations = clean.operations() - begin - opening;
    assert!(operations > 10, "{operations}");
    for operation in 1..=operations {
        for fault in FAULTS {
            let disk = disk.process_killed();
            disk.plan(opening + operation, fault);
            let ended = run(&disk, copy);
            let check_one = |disk: &SimulatedDisk| {
                let there = Manifest::read(disk, Path::new(BACKUP)).unwrap();
                let there = there.map(|_| check(disk).last_event);
                // What is not removed at the end is removed by the next one.
                let old = there == before && ended.is_err();
                assert!(old || there == Some(after), "{operation} {fault:?}");
            };
            disk.make_room();
            if fault != Fault::PowerCut {
                check_one(&disk);
            }
            for found in aftermaths(&disk, 0..4) {
                check_one(&found);
                assert_eq!(run(&found, copy).unwrap().last_event, after);
                let manifest = check(&found);
                is_tidy(&found, &manifest);
                let data = Path::new("/restored");
                read_backup(&found, Path::new(BACKUP), Some(data), |_, _| ()).unwrap();
                holds(&found, "/restored", after, 3);
            }
        }
    }
}

#[test]
fn a_fault_at_any_operation_of_a_first_backup() {
    for copy in [false, true] {
        faults_everywhere(&filled(), copy, None, 40);
    }
}

#[test]
fn a_fault_at_any_operation_of_a_later_backup() {
    for copy in [false, true] {
        let disk = filled();
        run(&disk, copy).unwrap();
        append(&disk, "log", 25);
        seal(&disk);
        append(&disk, "log", 2);
        faults_everywhere(&disk, copy, Some(40), 67);
    }
}

/// The file that grew has the name of one that the backup before needs.
#[test]
fn a_fault_at_any_operation_of_a_backup_of_little_more() {
    let disk = filled();
    run(&disk, false).unwrap();
    let before = names(&disk, "/data/log");
    append(&disk, "log", 1);
    assert_eq!(names(&disk, "/data/log"), before);
    faults_everywhere(&disk, false, Some(40), 41);
}

#[test]
fn what_is_there_is_not_taken_again() {
    let disk = filled();
    let first = run(&disk, false).unwrap();
    assert!(first.linked_files >= 3, "{first:?}");
    // The active segments and the format.
    assert_eq!(first.copied_files, 3);
    let second = run(&disk, false).unwrap();
    assert_eq!(
        (second.copied_files, second.linked_files),
        (0, 0),
        "{second:?}"
    );
    append(&disk, "log", 1);
    let third = run(&disk, false).unwrap();
    assert_eq!(
        (third.copied_files, third.linked_files),
        (1, 0),
        "{third:?}"
    );
    seal(&disk);
    let fourth = run(&disk, true).unwrap();
    assert_eq!(fourth.copied_files, first.linked_files, "{fourth:?}");
    is_tidy(&disk, &check(&disk));
    assert_eq!(check(&disk).last_event, 41);
}

/// As after a restore: files with the same content that are not the same files.
#[test]
fn progress_includes_files_that_are_only_compared() {
    let disk = filled();
    run(&disk, true).unwrap();
    for part in ["/data/log", "/data/rejected"] {
        for name in names(&disk, part) {
            let path = Path::new(part).join(name);
            let old = disk.open(&path, Access::Read).unwrap();
            let mut bytes = vec![0; old.len().unwrap() as usize];
            assert_eq!(old.read_at(&mut bytes, 0).unwrap(), bytes.len());
            disk.remove(&path).unwrap();
            let new = disk.open(&path, Access::CreateNew).unwrap();
            new.write_at(&bytes, 0).unwrap();
            new.sync().unwrap();
        }
    }
    let (mut reports, mut last) = (0, (0, 0));
    let done = run_with(&disk, true, &mut |done, all| {
        assert!(done >= last.0 && done <= all, "{done} of {all}");
        reports += 1;
        last = (done, all);
    });
    assert_eq!(done.unwrap().copied_files, 0);
    assert!(
        reports > 3 && last.0 > 0 && last.0 == last.1,
        "{reports}, {last:?}"
    );
}

#[test]
fn a_lost_file_of_a_backup_is_taken_anew() {
    let disk = filled();
    run(&disk, true).unwrap();
    let file = Path::new(BACKUP).join("log/00000000000000000001.log");
    disk.remove(&file).unwrap();
    let error = read_backup(&disk, Path::new(BACKUP), None, |_, _| ())
        .unwrap_err()
        .to_string();
    has(&error, &["00000000000000000001.log is missing"]);
    assert_eq!(run(&disk, true).unwrap().copied_files, 1);
    check(&disk);
}

#[test]
fn a_fault_at_any_operation_of_a_restore() {
    let disk = filled();
    seal(&disk);
    run(&disk, true).unwrap();
    let target = Path::new("/new/data");
    check(&disk);
    let run = |disk: &SimulatedDisk| read_backup(disk, Path::new(BACKUP), Some(target), |_, _| ());
    let clean = disk.process_killed();
    run(&clean).unwrap();
    holds(&clean, "/new/data", 40, 3);
    for operation in 1..=clean.operations() {
        for fault in FAULTS {
            let disk = disk.process_killed();
            disk.plan(operation, fault);
            let _ = run(&disk);
            disk.make_room();
            for found in aftermaths(&disk, 0..4) {
                let whole = disk_has(&found, "/new/data/format");
                if whole {
                    assert_eq!(names(&found, "/new/data.restoring"), [""; 0]);
                } else {
                    for part in ["/new/data", "/new/data/log", "/new/data/rejected"] {
                        assert_eq!(names(&found, part), [""; 0], "{operation} {fault:?}");
                    }
                    run(&found).unwrap();
                }
                holds(&found, "/new/data", 40, 3);
                check(&found);
            }
        }
    }
}

fn disk_has(disk: &SimulatedDisk, path: &str) -> bool {
    disk.open(Path::new(path), Access::Read).is_ok()
}
