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

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use profiletrail::log::{AppendError, Log, OpenMode, Recovered, Scanned, Writer};
use profiletrail::storage::{Access, Fault, SimulatedDisk, Storage};
use proptest::prelude::*;

/// What the tests need to run a log on a simulated disk and to judge it.
mod bench {
    use super::*;

    pub const DIR: &str = "/log";
    pub const ID: u64 = 0x1D0F_7E57;
    pub const SEEDS: std::ops::Range<u64> = 0..5;
    pub const FAULTS: [Fault; 3] = [Fault::Error, Fault::Full, Fault::PowerCut];

    pub type Record = Vec<u8>;
    pub type Group = Vec<Record>;

    pub fn append_mode(segment_size: u64) -> OpenMode {
        OpenMode::Append { segment_size }
    }

    /// Records that differ from each other in every byte position that counts.
    pub fn record(number: usize, len: usize) -> Record {
        let mut state = number as u32 + 1;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    /// Groups of one to five records, some of them empty.
    pub fn groups(count: usize, first: usize) -> Vec<Group> {
        let lengths = [0, 1, 40, 333, 7, 0, 120, 511, 64];
        (first..first + count)
            .map(|group| {
                (0..1 + group % 5)
                    .map(|i| record(group * 10 + i, lengths[(group * 3 + i) % lengths.len()]))
                    .collect()
            })
            .collect()
    }

    pub fn open(disk: &SimulatedDisk, mode: OpenMode) -> Recovered {
        let recovered = Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode);
        recovered.unwrap_or_else(|error| panic!("the log does not open: {error}"))
    }

    /// All records of a log, in a row and one by one; there must be no damage.
    pub fn read_all(log: &Log) -> Vec<Record> {
        let mut records = Vec::new();
        let mut scan = log.scan(1);
        while let Some(found) = scan.step().unwrap() {
            match found {
                Scanned::Damage(damage) => panic!("{damage}"),
                Scanned::Records(found) => {
                    for (seq, bytes) in found {
                        records.push(bytes.to_vec());
                        assert_eq!(seq, records.len() as u64, "a gap, or one twice");
                    }
                }
            }
        }
        assert_eq!(log.last_seq(), records.len() as u64);
        let mut cursor = log.cursor();
        for (seq, bytes) in (1..).zip(&records) {
            assert!(cursor.get(seq).unwrap() == bytes, "event {seq} differs");
        }
        records
    }

    /// A poisoned writer takes nothing.
    fn refuses(writer: &mut Writer, groups: &[Group]) {
        let reason = writer.poison().unwrap().to_owned();
        let refusal = Err(AppendError::Poisoned(reason));
        for group in groups {
            assert_eq!(writer.append(group), refusal);
        }
    }

    /// What was handed to a log in its life.
    #[derive(Clone, Default)]
    pub struct Life {
        pub acknowledged: Vec<Record>,
        /// The group whose append failed.
        pub pending: Group,
    }

    impl Life {
        /// One run of the program: opens the log and appends groups until one
        /// fails; then all later ones must be refused. Tells whether all went
        /// well.
        pub fn run(&mut self, disk: &SimulatedDisk, mode: OpenMode, groups: &[Group]) -> bool {
            let opened = Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode);
            let Ok(Recovered { log, writer, .. }) = opened else {
                assert!(disk.list(Path::new(DIR)).is_err(), "only a dead disk may");
                return false;
            };
            let mut writer = writer.unwrap();
            if writer.poison().is_some() {
                refuses(&mut writer, groups);
                return false;
            }
            // What a recovery has taken up is as good as acknowledged.
            let found = read_all(&log);
            self.judge(&found);
            self.acknowledged = found;
            self.pending.clear();
            for group in groups {
                match writer.append(group) {
                    Ok(seq) => {
                        assert_eq!(seq, self.acknowledged.len() as u64 + 1);
                        self.acknowledged.extend_from_slice(group);
                        assert_eq!(log.last_seq(), self.acknowledged.len() as u64);
                    }
                    Err(_) => {
                        self.pending.clone_from(group);
                        refuses(&mut writer, groups);
                        return false;
                    }
                }
            }
            true
        }

        /// Whether these records are what may be found: all that was
        /// acknowledged, and beyond it the pending group whole or not at all.
        pub fn judge(&self, found: &[Record]) {
            let (count, whole) = (
                self.acknowledged.len(),
                self.acknowledged.len() + self.pending.len(),
            );
            assert!(found.len() >= count, "{} of {count} left", found.len());
            assert!(found[..count] == self.acknowledged, "records differ");
            if found.len() > count {
                assert_eq!(found.len(), whole, "a part of a group, or more than one");
                assert!(found[count..] == self.pending, "nobody appended this");
            }
        }

        /// Opens the disk for reading and for appending, judges what is found,
        /// and goes on appending.
        pub fn check(&self, disk: &SimulatedDisk, mode: OpenMode) {
            self.judge(&read_all(&open(&disk.process_killed(), OpenMode::Read).log));
            let opened = open(disk, mode);
            assert_eq!(opened.report.damage, []);
            let found = read_all(&opened.log);
            self.judge(&found);
            drop(opened);
            go_on(disk, mode, found);
        }

        /// As [`Self::check`], on a disk that is still full at first.
        pub fn check_full(&self, disk: &SimulatedDisk, mode: OpenMode) {
            self.judge(&read_all(&open(&disk.process_killed(), OpenMode::Read).log));
            let mut opened = open(disk, mode);
            assert_eq!(opened.report.damage, []);
            let found = read_all(&opened.log);
            self.judge(&found);
            let writer = opened.writer.as_mut().unwrap();
            assert!(writer.append(&[[7; 100]]).is_err(), "the disk is full");
            assert!(read_all(&opened.log) == found, "queries go on");
            drop(opened);
            disk.make_room();
            go_on(disk, mode, found);
        }
    }

    /// Appends to a log that holds these records, and cuts the power.
    fn go_on(disk: &SimulatedDisk, mode: OpenMode, mut records: Vec<Record>) {
        let opened = open(disk, mode);
        assert_eq!(opened.report.poison, None);
        let mut writer = opened.writer.unwrap();
        for group in groups(2, 1000) {
            let seq = writer.append(&group).unwrap();
            assert_eq!(seq, records.len() as u64 + 1);
            records.extend(group);
        }
        for seed in [3, 4] {
            let after = open(&disk.power_cut(seed), OpenMode::Read);
            assert!(read_all(&after.log) == records, "not durable");
        }
    }

    /// The disks on which the next process may find itself.
    pub fn aftermaths(disk: &SimulatedDisk) -> impl Iterator<Item = SimulatedDisk> {
        let killed = disk.process_killed();
        let cut = disk.clone();
        std::iter::once(killed).chain(SEEDS.map(move |seed| cut.power_cut(seed)))
    }

    /// Runs a life once for each fault at each operation of it.
    pub fn at_every_operation(
        start: &SimulatedDisk,
        live: impl Fn(&SimulatedDisk) -> Life,
        mut then: impl FnMut(Fault, &Life, &SimulatedDisk),
    ) {
        let clean = start.process_killed();
        live(&clean);
        for operation in 1..=clean.operations() {
            for fault in FAULTS {
                let disk = start.process_killed();
                disk.plan(operation, fault);
                let life = live(&disk);
                assert!(disk.operations() >= operation, "the fault was not met");
                then(fault, &life, &disk);
            }
        }
    }

    /// The disk after it has had time to write everything.
    pub fn settled(disk: &SimulatedDisk) -> SimulatedDisk {
        let settled = SimulatedDisk::new();
        for name in disk.list(Path::new(DIR)).unwrap() {
            let path = Path::new(DIR).join(&name);
            let file = settled.open(&path, Access::CreateNew).unwrap();
            file.write_at(&read_file(disk, &name), 0).unwrap();
            file.sync().unwrap();
        }
        settled.sync_dir(Path::new(DIR)).unwrap();
        settled.process_killed()
    }

    pub fn read_file(disk: &SimulatedDisk, name: &str) -> Vec<u8> {
        let file = disk.open(&Path::new(DIR).join(name), Access::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    }
}

use bench::{
    DIR, Group, Life, aftermaths, append_mode, at_every_operation, groups, open, read_all,
};

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
    for after in aftermaths(disk) {
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
        for start in [disk.process_killed(), disk.power_cut(1), disk.power_cut(2)] {
            start.make_room();
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
    let whole = bench::read_file(&disk, LOG).len();
    let torn = disk.process_killed();
    let mut writer = open(&torn, append_mode(SEGMENT)).writer.unwrap();
    torn.plan(torn.operations() + 1, Fault::Error);
    writer.append(&groups(1, 7)[0]).unwrap_err();
    let bytes = bench::read_file(&torn, LOG).split_off(whole);
    assert!(!bytes.is_empty());
    (bench::settled(&torn), bytes)
}

/// The bytes of a torn frame are durably aside before they are cut off.
#[test]
fn a_power_cut_in_a_recovery_throws_no_torn_bytes_away() {
    let (start, bytes) = with_torn_tail();
    let recover = |disk: &SimulatedDisk| {
        let mode = append_mode(SEGMENT);
        let _ = Log::open(Arc::new(disk.clone()), Path::new(DIR), bench::ID, mode);
        Life::default()
    };
    at_every_operation(&start, recover, |_, _, disk| {
        for after in aftermaths(disk) {
            let names = after.list(Path::new(DIR)).unwrap();
            let kept = |name: &String| bench::read_file(&after, name).ends_with(&bytes);
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
            assert!(bench::read_file(&disk, &names[0]) == bytes);
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
    assert_eq!(found.len() as u64, scan.last_seq());
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
    fn no_row_of_crashes_loses_an_acknowledged_record(
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
