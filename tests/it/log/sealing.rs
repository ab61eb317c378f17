//! Sealing changes how records are kept, and nothing else.
//!
//! A log of several closed segments is sealed with a fault at every single
//! changing operation, and then killed or cut from power: each time every
//! record is there afterwards, and sealing can be done again. A flipped byte
//! anywhere in a sealed segment costs the records of one block at most, and is
//! reported with its place.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use profiletrail::log::{BlockRange, NotSealed, OpenMode, Recovered, Scanned};
use profiletrail::storage::{Access, Fault, SimulatedDisk, Storage};

use crate::support::crashed_log::aftermaths;
use crate::support::files;
use crate::support::sealed_log::{
    DIR, RECORDS, all, appending, disk_of, filled, names, open, readable, record, seal_all, time_of,
};

#[test]
fn a_sealed_log_reads_as_before_and_is_appended_to() {
    let disk = filled();
    let Recovered { log, writer, .. } = open(&disk, appending()).unwrap();
    assert_eq!(log.unsealed().len(), 3);
    // A reader that has a plain segment open reads on in it.
    let mut cursor = log.cursor();
    cursor.get(1).unwrap();
    assert_eq!(seal_all(&log).unwrap(), 3);
    assert_eq!(cursor.get(2).unwrap(), record(2));
    assert_eq!(readable(&log, RECORDS), all(RECORDS));
    let sealed = names(&disk);
    assert_eq!(
        sealed
            .iter()
            .filter(|name| name.ends_with(".log.zst"))
            .count(),
        3
    );
    assert_eq!(sealed.len(), 4, "{sealed:?}");
    let mut writer = writer.unwrap();
    writer.append(&[record(RECORDS + 1)]).unwrap();
    assert_eq!(readable(&log, RECORDS + 1), all(RECORDS + 1));
    drop((log, writer));
    for mode in [OpenMode::Read, appending()] {
        let again = open(&disk, mode).unwrap();
        assert_eq!(again.report.damage, []);
        assert_eq!(readable(&again.log, RECORDS + 1), all(RECORDS + 1));
    }
}

#[test]
fn zstd_alone_makes_the_plain_segment_again() {
    let disk = filled();
    let log = open(&disk, appending()).unwrap().log;
    let first = log.unsealed()[0].0;
    log.seal(first, &time_of, &|| false).unwrap().unwrap();
    let sealed = files::read(&disk, &Path::new(DIR).join("00000000000000000001.log.zst"));
    let plain = zstd::stream::decode_all(sealed.as_slice()).unwrap();
    let next = names(&disk).into_iter().nth(1).unwrap();
    let count: u64 = next[..20].parse::<u64>().unwrap() - 1;
    let back = disk_of("00000000000000000001.log", &plain, &next);
    let log = open(&back, OpenMode::Read).unwrap().log;
    assert_eq!(readable(&log, count), all(count));
}

#[test]
fn a_log_that_ends_with_a_sealed_segment_goes_on_after_it() {
    let disk = filled();
    let log = open(&disk, appending()).unwrap().log;
    seal_all(&log).unwrap();
    let sealed = files::read(&disk, &Path::new(DIR).join("00000000000000000001.log.zst"));
    let next: u64 = names(&disk)[1][..20].parse().unwrap();
    let alone = disk_of("00000000000000000001.log.zst", &sealed, "other");
    let Recovered { log, writer, .. } = open(&alone, appending()).unwrap();
    assert_eq!(readable(&log, next - 1), all(next - 1));
    assert_eq!(writer.unwrap().append(&[record(next)]).unwrap(), next);
    assert_eq!(readable(&log, next), all(next));
    // Without its footer it is not known what came last.
    let cut = disk_of(
        "00000000000000000001.log.zst",
        &sealed[..sealed.len() - 1],
        "other",
    );
    let recovered = open(&cut, appending()).unwrap();
    assert!(recovered.report.poison.unwrap().contains("repair"));
    assert_eq!(readable(&recovered.log, next - 1), all(next - 1));
}

/// How many operations on a disk sealing takes.
fn operations_of_sealing(before: &SimulatedDisk) -> u64 {
    let disk = before.process_killed();
    let recovered = open(&disk, appending()).unwrap();
    let begin = disk.operations();
    seal_all(&recovered.log).unwrap();
    disk.operations() - begin
}

#[test]
fn a_fault_at_any_operation_of_sealing_loses_nothing() {
    let before = filled();
    let operations = operations_of_sealing(&before);
    assert!(operations > 30, "{operations}");
    for operation in 1..=operations {
        for fault in [Fault::Error, Fault::Full, Fault::PowerCut] {
            let disk = before.process_killed();
            let recovered = open(&disk, appending()).unwrap();
            disk.plan(disk.operations() + operation, fault);
            let sealed = seal_all(&recovered.log);
            if fault != Fault::PowerCut {
                assert_eq!(readable(&recovered.log, RECORDS), all(RECORDS));
                disk.make_room();
                if sealed.is_err() {
                    seal_all(&recovered.log).unwrap();
                }
            }
            drop(recovered);
            for found in aftermaths(&disk, 0..2) {
                let recovered = open(&found, appending()).unwrap();
                assert_eq!(
                    recovered.report.damage,
                    [],
                    "operation {operation} {fault:?}"
                );
                assert_eq!(readable(&recovered.log, RECORDS), all(RECORDS));
                if operation % 3 == 0 {
                    seal_all(&recovered.log).unwrap();
                    assert_eq!(readable(&recovered.log, RECORDS), all(RECORDS));
                    assert_eq!(names(&found).len(), 4, "{:?}", names(&found));
                }
            }
        }
    }
}

#[test]
fn a_power_cut_at_the_start_after_a_kill_loses_no_segment() {
    let before = filled();
    let mut both = 0;
    for operation in 1..=operations_of_sealing(&before) {
        let disk = before.process_killed();
        let recovered = open(&disk, appending()).unwrap();
        disk.plan(disk.operations() + operation, Fault::Error);
        let _ = seal_all(&recovered.log);
        drop(recovered);
        let has_both = |names: &[String]| {
            names
                .iter()
                .any(|name| names.contains(&format!("{name}.zst")))
        };
        if !has_both(&names(&disk)) {
            continue;
        }
        both += 1;
        for change in 1..=4 {
            let starting = disk.process_killed();
            starting.plan(starting.operations() + change, Fault::PowerCut);
            let _ = open(&starting, appending());
            for seed in 0..8 {
                let log = open(&starting.power_cut(seed), appending()).unwrap().log;
                assert_eq!(
                    readable(&log, RECORDS),
                    all(RECORDS),
                    "{operation} {change}"
                );
            }
        }
    }
    assert!(both > 0);
}

#[test]
fn a_flipped_byte_costs_a_block_at_most_and_is_reported() {
    let disk = filled();
    let log = open(&disk, appending()).unwrap().log;
    seal_all(&log).unwrap();
    let name = "00000000000000000001.log.zst";
    let next = names(&disk)[1].clone();
    let count: u64 = next[..20].parse::<u64>().unwrap() - 1;
    let sealed = files::read(&disk, &Path::new(DIR).join(name));
    let whole = disk_of(name, &sealed, &next);
    let stretches = open(&whole, OpenMode::Read)
        .unwrap()
        .log
        .block_ranges()
        .unwrap();
    assert!(stretches.len() >= 3);
    let mut damaged = 0;
    for place in (0..sealed.len()).step_by(31) {
        let mut bad = sealed.clone();
        bad[place] ^= 1 << (place % 8);
        let log = open(&disk_of(name, &bad, &next), OpenMode::Read)
            .unwrap()
            .log;
        let found = readable(&log, count);
        let touched = stretches
            .iter()
            .filter(|s| (s.first_seq..=s.last_seq).any(|seq| !found.contains(&seq)));
        assert!(touched.count() <= 1, "byte {place}");
        if found.len() as u64 == count {
            continue;
        }
        damaged += 1;
        let mut scan = log.scan(1);
        while let Some(step) = scan.step().unwrap() {
            if let Scanned::Damage(damage) = step {
                assert!(damage.segment.ends_with(name));
                let place = place as u64;
                assert!((damage.offset..damage.end).contains(&place), "{damage}");
                assert!(damage.reason.contains("checksum"), "{damage}");
            }
        }
    }
    // All but the footer's bytes belong to a block.
    assert!(damaged > sealed.len() / 31 * 3 / 4, "{damaged}");
}

#[test]
fn block_ranges_cover_the_log_with_their_times() {
    let disk = filled();
    let log = open(&disk, appending()).unwrap().log;
    let check = |stretches: Vec<BlockRange>| {
        let mut next = 1;
        for stretch in &stretches {
            assert_eq!(stretch.first_seq, next);
            next = stretch.last_seq + 1;
            let mut scan = log.scan_range(stretch.first_seq, stretch.last_seq);
            let mut seq = stretch.first_seq;
            while let Some(step) = scan.step().unwrap() {
                let Scanned::Records(records) = step else {
                    panic!("damage");
                };
                for (found, bytes) in records {
                    assert_eq!(found, seq);
                    assert!(bytes == record(seq));
                    seq += 1;
                }
            }
            assert_eq!(seq, next);
            let Some((least, greatest)) = stretch.times else {
                continue;
            };
            let times = (stretch.first_seq..next).map(|seq| time_of(&record(seq)).unwrap());
            assert_eq!(times.clone().min(), Some(least));
            assert_eq!(times.max(), Some(greatest));
        }
        assert_eq!(next, RECORDS + 1);
        stretches
            .iter()
            .filter(|stretch| stretch.times.is_some())
            .count()
    };
    assert_eq!(check(log.block_ranges().unwrap()), 0);
    assert_eq!(log.block_ranges_touching(0, 1).unwrap(), [(1, RECORDS)]);
    seal_all(&log).unwrap();
    let stretches = log.block_ranges().unwrap();
    assert!(check(stretches.clone()) > 6);
    let seqs = |rows: &[(u64, u64)]| -> Vec<u64> {
        rows.iter()
            .flat_map(|(first, last)| *first..=*last)
            .collect()
    };
    let mut narrowed = 0;
    for (since, until) in spans() {
        let rows = log.block_ranges_touching(since, until).unwrap();
        // Rows that touch each other are one.
        assert!(rows.windows(2).all(|two| two[0].1 + 1 < two[1].0));
        let of = |s: &BlockRange| (s.first_seq, s.last_seq);
        let wanted = stretches.iter().filter(|s| s.may_touch(since, until));
        assert_eq!(seqs(&rows), seqs(&wanted.map(of).collect::<Vec<_>>()));
        narrowed += usize::from(seqs(&rows).len() < RECORDS as usize);
    }
    assert!(narrowed > 3, "{narrowed}");
}

/// Spans of time that begin and end with a record's, and with none's.
fn spans() -> Vec<(i64, i64)> {
    let times: Vec<i64> = (1..=RECORDS)
        .step_by(RECORDS as usize / 7)
        .filter_map(|seq| time_of(&record(seq)))
        .collect();
    let pairs = times.iter().flat_map(|since| {
        times
            .iter()
            .flat_map(|until| [(*since, *until), (*since, *until + 1)])
    });
    pairs
        .chain([(i64::MIN, i64::MAX), (i64::MAX, i64::MAX)])
        .collect()
}

#[test]
fn a_damaged_segment_is_left_as_it_is() {
    let disk = filled();
    let path = Path::new(DIR).join("00000000000000000001.log");
    let file = disk.open(&path, Access::Write).unwrap();
    file.write_at(b"x", 1000).unwrap();
    file.sync().unwrap();
    let log = open(&disk, appending()).unwrap().log;
    let before = readable(&log, RECORDS);
    assert!(before.len() < RECORDS as usize);
    let error = log.seal(1, &time_of, &|| false).unwrap_err();
    assert!(matches!(error, NotSealed::Damaged { .. }), "{error}");
    assert!(names(&disk).contains(&"00000000000000000001.log".to_owned()));
    assert_eq!(readable(&log, RECORDS), before);
}

#[test]
fn sealing_can_be_stopped() {
    let disk = filled();
    let log = open(&disk, appending()).unwrap().log;
    let before = names(&disk);
    let error = log.seal(1, &time_of, &|| true).unwrap_err();
    assert!(matches!(error, NotSealed::Stopped), "{error}");
    assert_eq!(names(&disk), before);
}

#[test]
fn readers_never_lose_a_race_with_sealing() {
    let disk = filled();
    let log = open(&disk, appending()).unwrap().log;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    assert_eq!(readable(&log, RECORDS), all(RECORDS));
                }
            });
        }
        assert_eq!(seal_all(&log).unwrap(), 3);
        done.store(true, Ordering::Release);
    });
}
