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
        let read = match read_line(line) {
            Ok(read) => read,
            Err(reason) => {
                assert!(!reason.is_empty());
                continue;
            }
        };
        let exported = match &read {
            Read::Event(read) => {
                let mut line = ExportLine::new(read.event.clone());
                if let Some((_, body)) = &read.body {
                    (line.body, line.body_base64) = body_fields(body);
                }
                serde_json::to_vec(&line)
            }
            Read::Baseline(read) => serde_json::to_vec(&baselines::line_of(*read.clone())),
            Read::Erased(read) => serde_json::to_vec(&erasures::line_of(read)),
        };
        let again = read_line(&exported.expect("a line is JSON"));
        match (read, again) {
            (Read::Event(read), Ok(Read::Event(again))) => {
                assert!(seconds_in_range(read.event.time));
                assert!(is_same(&read.event, &again.event), "another event");
                assert_eq!(read.body, again.body);
            }
            (Read::Baseline(read), Ok(Read::Baseline(again))) => assert_eq!(read, again),
            (Read::Erased(read), Ok(Read::Erased(again))) => assert_eq!(read, again),
            (_, Ok(_)) => panic!("an exported line is read as something else"),
            (_, Err(reason)) => panic!("an exported line is refused: {reason}"),
        }
    }
}
