//! Frames that a sender puts into a body are never taken for the log's.

use std::path::Path;
use std::sync::Arc;

use profiletrail::log::{OpenMode, Scanned, frame};
use profiletrail::storage::SimulatedDisk;

use crate::support::damaged_log as bench;
use crate::support::damaged_log::{APPEND, DIR, ID, Whole, forged};
use crate::support::files;

/// The log of a sender's frame inside the second of three events.
fn with_planted(frame: &[u8]) -> Whole {
    let body = [b"body=", frame, b"&more"].concat();
    let groups = [vec![b"one".to_vec()], vec![body], vec![b"three".to_vec()]];
    Whole::new(
        &[groups.clone(), groups.map(|_| vec![b"x".to_vec()])].concat(),
        APPEND,
    )
}

/// Damages the header of the frame that holds the planted one.
fn examine_planted(id: u64, first_seq: u64) -> bench::Findings {
    let whole = with_planted(&forged(id, first_seq, &[b"forged"]));
    let name = &whole.segments()[0];
    let second = frame::HEADER_LEN + 4 + 3;
    let damaged = whole.with(name, |bytes| bytes[second + 9] ^= 1);
    if id == ID {
        // Nobody can make such a frame without the id. The events after it are
        // accepted only if they can be distinguished from it.
        let disk = SimulatedDisk::new();
        files::write_folder(&disk, Path::new(DIR), &damaged);
        let opened = bench::open(Arc::new(disk), Path::new(DIR), OpenMode::Read);
        let mut last = 0;
        let mut scan = opened.log.scan(1);
        while let Some(found) = scan.step().unwrap() {
            if let Scanned::Records(records) = found {
                for (seq, _) in records {
                    assert!(seq > last);
                    last = seq;
                }
            }
        }
        return bench::Findings {
            last,
            ..bench::Findings::default()
        };
    }
    whole.examine(&damaged)
}

#[test]
fn a_frame_in_a_body_is_never_the_logs() {
    for first_seq in [1, 2, 3, 4, 1000, u64::MAX] {
        for id in [0, ID ^ 1, u64::MAX] {
            let findings = examine_planted(id, first_seq);
            assert_eq!(findings.lost, [2]);
            assert_eq!(findings.last, 6);
        }
    }
}

#[test]
fn a_frame_in_a_body_with_the_right_id_counts_only_where_its_number_fits() {
    // Before the place where it stands: not taken.
    assert_eq!(examine_planted(ID, 1).last, 6);
    // It fits: what it displaces is still in order.
    assert_eq!(examine_planted(ID, 2).last, 6);
}
