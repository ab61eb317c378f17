//! What tests need to run a log on a simulated disk and to judge it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use profiletrail::log::{AppendError, Log, OpenMode, Recovered, Scanned, Writer};
use profiletrail::storage::{Fault, SimulatedDisk, Storage};

use crate::support::files::{read_folder, write_folder};

pub const DIR: &str = "/log";
pub const ID: u64 = 0x1D0F_7E57;
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
#[derive(Clone, Default, PartialEq)]
pub struct Life {
    pub acknowledged: Vec<Record>,
    /// The group whose append failed.
    pub pending: Group,
}

impl Life {
    /// One run of the program: opens the log and appends groups until one
    /// fails; then all later ones must be refused. An empty group closes the segment.
    /// Returns whether all went well.
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
            if group.is_empty() {
                if writer.close_segment().is_err() {
                    refuses(&mut writer, groups);
                    return false;
                }
                continue;
            }
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

/// The disks on which the next process may find itself, each once: after a kill, and after the
/// power cuts of these seeds.
pub fn aftermaths(disk: &SimulatedDisk, seeds: Range<u64>) -> Vec<SimulatedDisk> {
    let mut found = vec![disk.process_killed()];
    for cut in seeds.map(|seed| disk.power_cut(seed)) {
        if !found.contains(&cut) {
            found.push(cut);
        }
    }
    found
}

/// Runs a life once for each fault at each operation of it, and judges what it leaves. What is
/// the same as after the operation before is judged once: a power cut at a sync, for example,
/// leaves what one at the write before it leaves.
pub fn at_every_operation(
    start: &SimulatedDisk,
    live: impl Fn(&SimulatedDisk) -> Life,
    mut then: impl FnMut(Fault, &Life, &SimulatedDisk),
) {
    let clean = start.process_killed();
    live(&clean);
    for fault in FAULTS {
        let mut judged = None;
        for operation in 1..=clean.operations() {
            let disk = start.process_killed();
            disk.plan(operation, fault);
            let life = live(&disk);
            assert!(disk.operations() >= operation, "the fault was not met");
            // Without the number of operations, which differs.
            let left = Some((life.clone(), disk.process_killed()));
            if left != judged {
                then(fault, &life, &disk);
                judged = left;
            }
        }
    }
}

/// The disk after it has had time to write everything.
pub fn settled(disk: &SimulatedDisk) -> SimulatedDisk {
    let settled = SimulatedDisk::new();
    let dir = Path::new(DIR);
    write_folder(&settled, dir, &read_folder(disk, dir));
    settled.process_killed()
}
