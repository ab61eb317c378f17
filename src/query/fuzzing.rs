//! The fuzz target of `import`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise must end the run of a target"
)]

use super::import::{Read, is_same, read_line};
use super::lines::{ExportLine, body_fields};
use super::{baselines, erasures};
use crate::event::seconds_in_range;

/// Parses lines of an import. Invariants: nothing panics; a refusal has a reason;
/// and a parsed event is parsed as the same from the line that `export` would write
/// for it.
pub fn import(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        match read_line(1, line) {
            Ok(Read::Event(read)) => {
                assert!(seconds_in_range(read.event.time));
                let mut line = ExportLine::new(read.event.clone());
                if let Some((_, body)) = &read.body {
                    (line.body, line.body_base64) = body_fields(body);
                }
                let line = serde_json::to_vec(&line).expect("a line is JSON");
                match read_line(1, &line) {
                    Ok(Read::Event(again)) => {
                        assert!(is_same(&read.event, &again.event), "another event");
                        assert_eq!(read.body, again.body);
                    }
                    Ok(_) => panic!("an event is read as something else"),
                    Err(reason) => panic!("an exported event is refused: {reason}"),
                }
            }
            Ok(Read::Baseline(read)) => {
                let line = serde_json::to_vec(&baselines::line_of(*read.clone()));
                match read_line(1, &line.expect("a line is JSON")) {
                    Ok(Read::Baseline(again)) => assert_eq!(read, again),
                    Ok(_) => panic!("a baseline is read as something else"),
                    Err(reason) => panic!("an exported baseline is refused: {reason}"),
                }
            }
            Ok(Read::Erased(read)) => {
                let line = serde_json::to_vec(&erasures::line_of(&read));
                match read_line(1, &line.expect("a line is JSON")) {
                    Ok(Read::Erased(again)) => assert_eq!(read, again),
                    Ok(_) => panic!("an erasure is read as something else"),
                    Err(reason) => panic!("an exported erasure is refused: {reason}"),
                }
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}
