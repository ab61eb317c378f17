//! The fuzz target of the query API's targets and headers.

#![allow(
    clippy::expect_used,
    reason = "a broken promise must end the run of a target"
)]

use super::conditional::names;
use super::cursor;
use super::posed::pose;
use crate::query::Mark;

/// 2025-10-09T08:53:20Z.
const NOW: i64 = 1_760_000_000_000_000;

/// The store whose marks are good.
const STORE: u64 = 7;

/// Reads a request's target, the mark of a page and the value of an
/// `If-None-Match`, a line each. What must hold: nothing panics; a refusal has a
/// reason; a question is the same when it is asked in the way in which it is
/// said anew, a day later too; its next page is one of it; no text is a mark but
/// one that was made of it; and a tag is named by a list that has it.
pub fn question(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (target, mark, tags) = (line(), line(), line());
    let read = |target: &str, now| pose(target, chrono_tz::Europe::Amsterdam, now, STORE);
    match read(target, NOW) {
        Ok(None) => {}
        Err(error) => assert!(!error.reason.is_empty()),
        Ok(Some(posed)) => {
            let again = read(&posed.whole, NOW + 86_400_000_000).expect("it was a question");
            let again = again.expect("its path leads somewhere");
            assert_eq!(again.whole, posed.whole);
            assert_eq!(again.entry.name, posed.entry.name);
            if posed.entry.pages {
                let mark = Mark::Number(bytes.len() as u64);
                let next = posed.next(&cursor::write(mark, STORE, &posed.whole));
                let next = read(&next, NOW).expect("it is a page of it");
                let next = next.expect("its path leads somewhere");
                assert_eq!(next.whole, posed.whole);
                assert_eq!(next.page.limit, posed.page.limit);
                assert_eq!(next.page.after, Some(mark));
            }
        }
    }
    if let Ok(read) = cursor::read(mark, STORE, target) {
        assert_eq!(cursor::write(read, STORE, target), mark);
    }
    let tag = "W/\"of this run\"";
    let _ = names(tags, tag);
    assert!(names(&format!("{tags},{tag}"), tag));
}
