//! The fuzz target of the query API's targets and headers.

#![allow(
    clippy::expect_used,
    reason = "a broken promise must end the run of a target"
)]

use super::conditional::matches_tag;
use super::cursor;
use super::parse::parse_query;
use crate::query::{Clock, Mark};

/// 2025-10-09T08:53:20Z.
const NOW: i64 = 1_760_000_000;

/// The store whose marks are good.
const STORE: u64 = 7;

/// Reads a request's target, the mark of a page and the value of an `If-None-Match`, a
/// line each. Invariants: nothing panics; a refusal has a reason; a question's canonical
/// form is the same question, also a day later; its next page is a page of it; only its
/// own cursors are accepted; and a list that has a tag names it.
pub fn question(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (target, mark, tags) = (line(), line(), line());
    let zone = chrono_tz::Europe::Amsterdam;
    let read = |target: &str, now| parse_query(target, Clock { zone, now }, STORE);
    match read(target, NOW) {
        Ok(None) => {}
        Err(error) => assert!(!error.reason.is_empty()),
        Ok(Some(parsed)) => {
            let again = read(&parsed.canonical, NOW + 86_400).expect("it was a question");
            let again = again.expect("its path leads somewhere");
            assert_eq!(again.canonical, parsed.canonical);
            assert_eq!(again.entry.name, parsed.entry.name);
            if parsed.entry.pages {
                let mark = Mark::Number(bytes.len() as u64);
                let next = parsed.next(&cursor::write(mark, STORE, &parsed.canonical));
                let next = read(&next, NOW).expect("it is a page of it");
                let next = next.expect("its path leads somewhere");
                assert_eq!(next.canonical, parsed.canonical);
                assert_eq!(next.page.limit, parsed.page.limit);
                assert_eq!(next.page.after, Some(mark));
            }
        }
    }
    if let Ok(read) = cursor::read(mark, STORE, target) {
        assert_eq!(cursor::write(read, STORE, target), mark);
    }
    let tag = "W/\"of this run\"";
    let _ = matches_tag(tags, tag);
    assert!(matches_tag(&format!("{tags},{tag}"), tag));
}
