//! What is damaged is reported, and nothing else is lost.
//!
//! A log of several small segments is damaged on purpose: a byte flipped at
//! every offset, files cut at every length, bytes put in, taken out, zeroed or
//! replaced by noise, files deleted or exchanged. Proven for each:
//!
//! - every event that is read, in a row or alone, has its bytes;
//! - reading in a row and reading alone agree on what can be read;
//! - what cannot be read is reported with segment and offsets that cover the
//!   damaged byte: what is read and what is reported is 1 to the last `seq`;
//! - reading changes no file; a recovery sets aside what it cuts off;
//! - what is at the end and can be more than one torn frame is not cut off: the
//!   log is read up to it and takes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use profiletrail::log::{LogError, OpenMode, Scanned, frame};
use profiletrail::storage::{RealDisk, SimulatedDisk};
use proptest::prelude::*;

use crate::support::damaged_log as bench;
use crate::support::damaged_log::{APPEND, DIR, Whole};
use crate::support::flaky::Flaky;
use crate::support::{entries, files};

#[test]
fn a_whole_log_is_clean() {
    let whole = Whole::small();
    for whole in [whole.bare(), whole] {
        let findings = whole.examine(&whole.folder);
        assert!(findings.is_clean());
        assert_eq!(findings.last, whole.events.len() as u64);
    }
}

#[test]
fn a_flipped_byte_loses_one_group_and_is_reported() {
    let whole = Whole::small();
    let active = whole.segments().pop().unwrap();
    for name in whole.segments() {
        for offset in 0..whole.folder[&name].len() {
            let flip = 1 << (offset % 8);
            let findings = whole.examine(&whole.with(&name, |bytes| bytes[offset] ^= flip));
            let place = offset as u64..offset as u64 + 1;
            assert!(findings.reports(&name, place), "{offset}: {findings:?}");
            assert!(findings.lost.len() <= 3);
            // A frame of this log is not cut off if its damage makes it look like
            // a newer frame, another log's frame, or several frames.
            let kept = findings.end.is_some() || findings.refused.is_some();
            let torn = findings.torn.is_some() || kept;
            assert!(!torn || name == active && findings.damage.is_empty());
            assert!(torn || findings.last == whole.events.len() as u64);
        }
    }
}

#[test]
fn a_file_cut_at_any_length_loses_its_end_alone() {
    let whole = Whole::small();
    let active = whole.segments().pop().unwrap();
    for name in whole.segments() {
        for len in 0..whole.folder[&name].len() {
            let findings = whole.examine(&whole.with(&name, |bytes| bytes.truncate(len)));
            if name == active {
                assert!(findings.damage.is_empty());
                assert!(findings.last < whole.events.len() as u64);
            } else {
                assert_eq!(findings.last, whole.events.len() as u64);
                let end = len as u64;
                assert!(findings.reports(&name, end..end), "{name} {len}");
                assert_eq!(findings.damage.len(), 1);
            }
        }
    }
}

#[test]
fn bytes_put_in_lose_at_most_the_group_they_are_put_into() {
    let whole = Whole::small();
    for name in whole.segments() {
        for offset in (0..whole.folder[&name].len()).step_by(3) {
            let folder = whole.with(&name, |bytes| {
                bytes.splice(offset..offset, *b"PTLF!");
            });
            let findings = whole.examine(&folder);
            let place = offset as u64..offset as u64 + 5;
            assert!(
                findings.reports(&name, place),
                "{name} {offset}: {findings:?}"
            );
            assert!(findings.lost.len() <= 3);
        }
    }
}

#[test]
fn bytes_taken_out_lose_the_groups_they_belong_to() {
    let whole = Whole::small();
    for name in whole.segments() {
        for offset in (0..whole.folder[&name].len() - 50).step_by(7) {
            for count in [1, 50] {
                let folder = whole.with(&name, |bytes| {
                    bytes.drain(offset..offset + count);
                });
                let findings = whole.examine(&folder);
                assert!(!findings.is_clean(), "{name} {offset}");
            }
        }
    }
}

#[test]
fn zeros_or_noise_is_reported() {
    let whole = Whole::small();
    for name in whole.segments() {
        let len = whole.folder[&name].len();
        for offset in (0..len).step_by(23) {
            for count in [8, 100, 512, len] {
                let end = len.min(offset + count);
                for noise in [false, true] {
                    let folder = whole.with(&name, |bytes| {
                        for (i, byte) in bytes[offset..end].iter_mut().enumerate() {
                            *byte = if noise { (i * i % 251) as u8 ^ 0x5A } else { 0 };
                        }
                    });
                    if folder != whole.folder {
                        assert!(!whole.examine(&folder).is_clean());
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_segment_is_reported() {
    let whole = Whole::small();
    let mut names = whole.segments();
    names.pop();
    for name in names {
        let mut folder = whole.folder.clone();
        folder.remove(&name);
        let findings = whole.examine(&folder);
        assert_eq!(findings.last, whole.events.len() as u64);
        assert!(!findings.lost.is_empty());
        assert_eq!(findings.damage.len(), 1);
    }
}

#[test]
fn an_empty_segment_is_reported() {
    let whole = Whole::small();
    for name in &whole.segments()[..3] {
        let findings = whole.examine(&whole.with(name, Vec::clear));
        assert_eq!(findings.last, whole.events.len() as u64);
        assert!(findings.reports(name, 0..0));
    }
}

#[test]
fn exchanged_segments_are_not_believed() {
    let whole = Whole::small();
    let names = whole.segments();
    for (i, one) in names.iter().enumerate() {
        for other in &names[i + 1..] {
            let mut folder = whole.folder.clone();
            folder.insert(one.clone(), whole.folder[other].clone());
            folder.insert(other.clone(), whole.folder[one].clone());
            let findings = whole.examine(&folder);
            assert!(findings.reports(one, 0..1), "{findings:?}");
            assert!(findings.reports(other, 0..1), "{findings:?}");
        }
    }
}

#[test]
fn a_frame_that_stands_twice_is_read_once() {
    let whole = Whole::small();
    for name in whole.segments() {
        let len = u32::from_le_bytes(whole.folder[&name][28..32].try_into().unwrap());
        let frame = whole.folder[&name][..frame::HEADER_LEN + len as usize].to_vec();
        let folder = whole.with(&name, |bytes| {
            bytes.splice(frame.len()..frame.len(), frame.clone());
        });
        let findings = whole.examine(&folder);
        assert_eq!(findings.readable.len(), whole.events.len());
        assert!(findings.reports(&name, frame.len() as u64..2 * frame.len() as u64));
    }
}

/// Segments of several blocks, with bytes moved so that the length stays right.
#[test]
fn moved_bytes_are_found_by_scans_and_single_reads() {
    let mode = OpenMode::Append {
        segment_size: 300_000,
    };
    let groups: Vec<_> = (0..500_usize)
        .map(|n| vec![vec![n as u8; 900 + n % 7]])
        .collect();
    let whole = Whole::new(&groups, mode);
    let names = whole.segments();
    assert!(names.len() >= 2);
    for name in &names[..1] {
        let len = whole.folder[name].len();
        for (put, taken) in [(1000, len - 2000), (70_000, 200_000), (200_000, 10)] {
            let moved = whole.with(name, |bytes| {
                bytes.splice(put..put, [0; 300]);
                bytes.drain(taken..taken + 300);
            });
            let findings = whole.examine(&moved);
            assert!(findings.lost.len() <= 4, "{findings:?}");
        }
        for offset in (0..len).step_by(40_009) {
            let damaged = whole.with(name, |bytes| bytes[offset..][..2000].fill(0xEE));
            let findings = whole.examine(&damaged);
            let place = offset as u64..offset as u64 + 2000;
            assert!(findings.reports(name, place), "{offset} {findings:?}");
            assert!(findings.lost.len() <= 4);
        }
    }
}

#[test]
fn reading_from_a_real_disk_changes_no_file() {
    let whole = Whole::small();
    let dir = tempfile::tempdir().unwrap();
    let active = whole.segments().pop().unwrap();
    let damaged = whole.with(&active, |bytes| {
        let len = bytes.len();
        bytes.truncate(len - 3);
    });
    files::write_folder(&RealDisk, dir.path(), &damaged);
    let times = || -> Vec<_> {
        let changed = |path: PathBuf| {
            let time = path.metadata().unwrap().modified().unwrap();
            (path, time)
        };
        entries(dir.path()).into_iter().map(changed).collect()
    };
    let before = times();
    let opened = bench::open(Arc::new(RealDisk), dir.path(), OpenMode::Read);
    let torn = opened.report.torn.unwrap();
    assert_eq!(torn.saved, None);
    let mut scan = opened.log.scan(1);
    while scan.step().unwrap().is_some() {}
    assert_eq!(times(), before);
    assert!(files::read_folder(&RealDisk, dir.path()) == damaged);

    let recovered = bench::open(Arc::new(RealDisk), dir.path(), APPEND);
    let saved = recovered.report.torn.unwrap().saved.unwrap();
    assert!(damaged[&active].ends_with(&std::fs::read(saved).unwrap()));
    let mut writer = recovered.writer.unwrap();
    let seq = writer.append(&[b"goes on"]).unwrap();
    assert_eq!(recovered.log.cursor().get(seq).unwrap(), b"goes on");
}

#[test]
fn a_read_that_fails_is_an_error_and_no_damage() {
    let whole = Whole::small();
    let disk = SimulatedDisk::new();
    files::write_folder(&disk, Path::new(DIR), &whole.folder);
    let failing = Arc::new(AtomicBool::new(false));
    let flaky = Arc::new(Flaky(disk, Arc::clone(&failing)));
    let log = bench::open(flaky, Path::new(DIR), OpenMode::Read).log;
    let (mut cursor, mut scan) = (log.cursor(), log.scan(1));
    for seq in (1..=log.last_seq()).step_by(7) {
        failing.store(true, Ordering::Relaxed);
        assert!(matches!(log.cursor().get(seq), Err(LogError::Io { .. })));
        // What was read before may still be answered.
        let _ = (cursor.get(seq), scan.step());
        failing.store(false, Ordering::Relaxed);
        assert!(cursor.get(seq).unwrap() == whole.events[seq as usize - 1]);
    }
    while let Some(found) = scan.step().unwrap() {
        assert!(!matches!(found, Scanned::Damage(_)));
    }
}

/// A way to damage a file.
#[derive(Clone, Debug)]
enum Harm {
    Overwrite(Vec<u8>),
    PutIn(Vec<u8>),
    TakeOut(usize),
    Cut,
    Delete,
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        bytes().prop_map(Harm::Overwrite),
        bytes().prop_map(Harm::PutIn),
        (1..300_usize).prop_map(Harm::TakeOut),
        Just(Harm::Cut),
        Just(Harm::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]

    /// Several damages to any files at once.
    #[test]
    fn any_damage_is_reported(
        harms in prop::collection::vec((any_harm(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5),
    ) {
        let whole = Whole::small();
        let active = whole.segments().pop().unwrap();
        let mut folder = whole.folder.clone();
        for (harm, file, place) in harms {
            let name = file.get(&folder.keys().cloned().collect::<Vec<_>>()).clone();
            let bytes = folder.get_mut(&name).unwrap();
            let offset = place.index(bytes.len() + 1);
            match harm {
                Harm::Overwrite(noise) => {
                    let end = bytes.len().min(offset + noise.len());
                    bytes.splice(offset..end, noise.into_iter().take(end - offset));
                }
                Harm::PutIn(noise) => drop(bytes.splice(offset..offset, noise)),
                Harm::TakeOut(count) => {
                    let end = bytes.len().min(offset + count);
                    bytes.drain(offset..end);
                }
                Harm::Cut => bytes.truncate(offset),
                Harm::Delete if name != active => drop(folder.remove(&name)),
                Harm::Delete => {}
            }
        }
        whole.examine(&folder);
    }
}
