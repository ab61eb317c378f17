//! A crash at any point of a prune leaves it undone, or done but for bytes that
//! the next one removes.
//!
//! On the simulated disk a fault comes at every single changing operation, from
//! the first byte of the baselines to the last segment that is written anew;
//! then the process is killed or the power cut. Afterwards the format file is
//! the old one and every event is there, or it is the new one, every baseline
//! can be read, and every event that was not pruned is there; going on with the
//! removal leaves what a prune without a fault leaves, file by file.

use std::path::Path;
use std::sync::Arc;

use profiletrail::event::ProfileKey;
use profiletrail::history::{Baseline, Known, Place};
use profiletrail::log::record::{tombstone, tombstone_leaf};
use profiletrail::log::{Log, OpenMode, Scanned, hash_leaf, remove_segments_outside};
use profiletrail::storage::{Fault, SimulatedDisk, Storage};
use profiletrail::store::retention::{
    BaselineWriter, CommitError, KeptBaseline, Leaves, Pruned, Removal, Retention, SeqSet, commit,
};

use crate::support::files;

const FOLDER: &str = "/data";
const LOG: &str = "/data/log";
const BASELINES: &str = "/data/baselines";
const ID: u64 = 0x9121_ED00_0000_0001;
const RECORDS: u64 = 150;
const OLD: &str = "old\n";

/// The first prune, and one after it.
const BEFORE: [i64; 2] = [700, 1_200];
const LAST: [u64; 2] = [100, 130];

/// A record that begins with its time and its moment of receipt: both are ten
/// times its `seq`, but some events happened much earlier or later, some of the
/// early ones arrived late, and some old ones were imported among later arrivals.
fn record(seq: u64) -> Vec<u8> {
    let time = match seq % 41 {
        0 => 5,
        1 => 1_000_000,
        _ => seq as i64 * 10,
    };
    let received = match seq % 23 {
        0 => 1_000_000,
        1 => 5,
        _ => seq as i64 * 10,
    };
    let mut record = [time.to_le_bytes(), received.to_le_bytes()].concat();
    record.extend(std::iter::repeat_n(seq as u8, 200 + seq as usize % 90));
    record
}

fn time_of(record: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(record.get(..8)?.try_into().ok()?))
}

fn is_covered(pruned: &Pruned, seq: u64, record: &[u8]) -> bool {
    let received = record.get(8..16).and_then(|bytes| bytes.try_into().ok());
    let received = received.map(i64::from_le_bytes);
    time_of(record)
        .zip(received)
        .is_some_and(|(time, received)| pruned.covers(time, received * 1_000_000, seq))
}

fn open(disk: &SimulatedDisk) -> Log {
    let mode = OpenMode::Append {
        segment_size: 8_000,
    };
    let recovered = Log::open(Arc::new(disk.clone()), Path::new(LOG), ID, mode).unwrap();
    assert_eq!(recovered.report.damage, []);
    recovered.log
}

/// A folder with a log of several segments, some sealed.
fn filled() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let mode = OpenMode::Append {
        segment_size: 8_000,
    };
    let recovered = Log::open(Arc::new(disk.clone()), Path::new(LOG), ID, mode).unwrap();
    let mut writer = recovered.writer.unwrap();
    for seq in (1..=RECORDS).step_by(3) {
        writer
            .append(&[record(seq), record(seq + 1), record(seq + 2)])
            .unwrap();
    }
    let unsealed = recovered.log.unsealed();
    for (first, _) in unsealed.iter().step_by(2) {
        recovered.log.seal(*first, &time_of, &|| false).unwrap();
    }
    write_text(&disk, OLD);
    disk
}

fn write_text(disk: &SimulatedDisk, text: &str) {
    commit(disk, Path::new(FOLDER), text).unwrap();
}

fn text(disk: &SimulatedDisk) -> String {
    String::from_utf8(files::read(disk, Path::new("/data/format"))).unwrap()
}

fn pruned(disk: &SimulatedDisk) -> Option<Pruned> {
    serde_json::from_str(&text(disk)).ok()
}

/// What a prune writes of a (sub)profile.
fn baseline(number: u64, round: usize) -> KeptBaseline {
    KeptBaseline {
        key: ProfileKey {
            profile: number / 3 * 7,
            subprofile: (!number.is_multiple_of(3)).then_some(number),
        },
        baseline: Baseline {
            place: Place {
                time: round as i64,
                rank: 1,
                seq: number,
            },
            known: Known::Nothing,
            database: Some(number),
            collection: None,
            second: Vec::new(),
        },
    }
}

const BASELINE_COUNT: u64 = 120;

type Failure = Box<dyn std::error::Error>;

/// The steps of a prune, in the order in which a data folder goes through them.
fn prune(disk: &SimulatedDisk, log: &Log, round: usize) -> Result<(), Failure> {
    let present = pruned(disk);
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let mut writer = BaselineWriter::new(storage, Path::new(BASELINES), ID, present.as_ref())?;
    for number in 0..BASELINE_COUNT {
        writer.add(&baseline(number, round))?;
    }
    let next = writer.finish(Pruned {
        before: BEFORE[round],
        events: LAST[round],
        ..present.unwrap_or_default()
    })?;
    commit(
        disk,
        Path::new(FOLDER),
        &serde_json::to_string(&next).unwrap(),
    )?;
    finish(disk, log)
}

/// What follows the commit, now or after a restart.
fn finish(disk: &SimulatedDisk, log: &Log) -> Result<(), Failure> {
    // As at a start: what the format file says must stay so.
    disk.sync_dir(Path::new(FOLDER))?;
    let Some(pruned) = pruned(disk) else {
        return Ok(remove_segments_outside(disk, Path::new(BASELINES), 0..0)?);
    };
    remove_segments_outside(disk, Path::new(BASELINES), pruned.baselines..pruned.end)?;
    let removal = Removal {
        segments: log.older_than(pruned.before, pruned.events)?,
        covers: &|seq, record| is_covered(&pruned, seq, record),
        time_of: &time_of,
        leaves: Some(Leaves {
            tiles: 0,
            anchored: Vec::new(),
            leaf_of: &|_, record| Some(tombstone_leaf(record).unwrap_or(hash_leaf(record))),
        }),
    };
    let removed = removal.run(log, &|| false, &mut |_, _| ())?;
    assert_eq!(removed.damage, Vec::<String>::new());
    Ok(())
}

/// Every event that is not pruned is there; of those that are, none where
/// `removed` says so.
fn check_events(log: &Log, pruned: Option<Pruned>, removed: bool) {
    let mut next = 1;
    let mut scan = log.scan(1);
    while let Some(found) = scan.step().unwrap() {
        let Scanned::Records(records) = found else {
            panic!("damage");
        };
        for (seq, bytes) in records {
            assert_eq!(seq, next);
            next += 1;
            let original = record(seq);
            let hidden = pruned.is_some_and(|pruned| is_covered(&pruned, seq, &original));
            match (hidden, removed) {
                (false, _) => assert!(bytes == original, "event {seq} is lost"),
                (true, true) => assert!(bytes == tombstone(hash_leaf(&original)), "event {seq}"),
                (true, false) => {
                    assert!(bytes == tombstone(hash_leaf(&original)) || bytes == original);
                }
            }
        }
    }
    assert_eq!(next, RECORDS + 1);
}

fn check_baselines(disk: &SimulatedDisk, pruned: Option<Pruned>, round: usize) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let retention = Retention::open(
        storage,
        Path::new(BASELINES),
        ID,
        (pruned, Vec::new()),
        SeqSet::default(),
    )
    .unwrap();
    let Some(baselines) = &retention.baselines else {
        return;
    };
    for number in (0..BASELINE_COUNT).step_by(13) {
        let expected = baseline(number, round);
        let found = baselines.find(expected.key).unwrap();
        assert_eq!(found, Some(expected.baseline));
        let owner = (!number.is_multiple_of(3)).then_some(number / 3 * 7);
        assert_eq!(baselines.owner_of(number).unwrap(), owner, "{number}");
    }
    for key in [
        ProfileKey::profile(1),
        ProfileKey::subprofile(7, 9),
        ProfileKey::profile(u64::MAX),
    ] {
        assert_eq!(baselines.find(key).unwrap(), None, "{key}");
    }
    let mut keys = Vec::new();
    while let more = baselines.keys_after(keys.last().copied(), 100).unwrap()
        && !more.is_empty()
    {
        keys.extend(more);
    }
    let expected: Vec<_> = (0..BASELINE_COUNT)
        .map(|n| baseline(n, round).key)
        .collect();
    assert_eq!(keys, expected);
    let mut walk = baselines.walk();
    for number in 0..BASELINE_COUNT {
        assert_eq!(walk.step().unwrap(), Some(baseline(number, round)));
    }
    assert_eq!(walk.step().unwrap(), None);
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names: Vec<String> = [LOG, BASELINES]
        .iter()
        .flat_map(|dir| disk.list(Path::new(dir)).unwrap())
        .collect();
    names.sort();
    names
}

fn a_fault_at_any_operation(before: &SimulatedDisk, round: usize) {
    let clean = before.process_killed();
    let log = open(&clean);
    let begin = clean.operations();
    prune(&clean, &log, round).unwrap();
    let operations = clean.operations() - begin;
    assert!(operations > 25, "{operations}");
    check_events(&log, pruned(&clean), true);
    check_baselines(&clean, pruned(&clean), round);
    let expected = names(&clean);
    for operation in 1..=operations {
        for fault in [Fault::Error, Fault::Full, Fault::PowerCut] {
            let disk = before.process_killed();
            let log = open(&disk);
            disk.plan(disk.operations() + operation, fault);
            let done = prune(&disk, &log, round);
            let unknown =
                |error: &Failure| matches!(error.downcast_ref(), Some(CommitError::Unknown(_)));
            if fault == Fault::Error && done.is_err() && !done.as_ref().is_err_and(unknown) {
                // The same process tries again.
                let present = pruned(&disk);
                check_events(&log, present, false);
                if present.is_none_or(|present| present.before < BEFORE[round]) {
                    prune(&disk, &log, round).unwrap();
                } else {
                    finish(&disk, &log).unwrap();
                }
                check_events(&log, pruned(&disk), true);
            }
            drop(log);
            for found in [disk.power_cut(operation), disk.process_killed()] {
                found.make_room();
                let present = pruned(&found);
                let log = open(&found);
                check_events(&log, present, false);
                let is_done = present.is_some_and(|present| present.before == BEFORE[round]);
                match (is_done, round) {
                    (true, _) => check_baselines(&found, present, round),
                    (false, 0) => assert_eq!(text(&found), OLD),
                    (false, _) => check_baselines(&found, present, round - 1),
                }
                // The next start goes on, and the next prune does the rest.
                finish(&found, &log).unwrap();
                check_events(&log, present, true);
                if !is_done {
                    prune(&found, &log, round).unwrap();
                }
                check_events(&log, pruned(&found), true);
                check_baselines(&found, pruned(&found), round);
                assert_eq!(names(&found), expected, "operation {operation} {fault:?}");
            }
        }
    }
}

#[test]
fn a_fault_at_any_operation_of_the_first_prune_loses_nothing() {
    a_fault_at_any_operation(&filled(), 0);
}

#[test]
fn a_fault_at_any_operation_of_a_later_prune_loses_nothing() {
    let disk = filled();
    let log = open(&disk);
    prune(&disk, &log, 0).unwrap();
    a_fault_at_any_operation(&disk.process_killed(), 1);
}
