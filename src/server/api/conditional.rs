//! Conditional requests: `ETag` and `If-None-Match`.
//!
//! An answer depends on the query, with its times in Unix seconds, on the events, and on
//! the pruned events. Its tag is computed from these before anything is read, so a client
//! that holds the answer gets 304 at once. A query with `since=yesterday` has the same
//! tag until midnight. The tag also covers a random number drawn at the start of the
//! server. It stands for the server's version, its zone, and every change to the folder
//! that needs a stopped server (repair, restore).
//!
//! Answers about the present (`show` and `blame` without `at`, `diff` without
//! `to`) and `stats`, which contains file sizes, have no tag.
//!
//! Invariant: an answer never carries the tag of a later state than the one it was
//! computed from, since the tag is computed first and no state recurs. An answer
//! made while events arrive may contain events that its tag does not cover, so
//! tags are weak, and the next tag differs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::parse::ParsedQuery;
use super::questions::Depends;
use crate::dice::random;
use crate::store::Trail;

/// Computes the tags of one server run.
#[derive(Debug)]
pub(super) struct Tags {
    run: u64,
}

impl Tags {
    pub fn new() -> Self {
        Self { run: random() }
    }

    /// The tag of the answer that a question has now, if it can have one.
    pub fn of(&self, parsed: &ParsedQuery, trail: &Trail) -> Option<String> {
        let rejected = trail.rejected();
        let (last, bytes) = match parsed.entry.depends {
            _ if parsed.about_now => return None,
            Depends::Events | Depends::EventsOnce(_) => (trail.last_seq(), 0),
            // `--max-rejected` removes old ones in the background.
            Depends::Rejected => (rejected.last_seq(), rejected.bytes().ok()?),
            Depends::More => return None,
        };
        let retention = trail.retention();
        let state = format!(
            "{last} {bytes}\n{:?} {}\n{:?}\n{}",
            retention.pruned,
            retention.generation(),
            parsed.page,
            parsed.canonical
        );
        Some(self.tag(&state))
    }

    /// The tag of all values that the answer depends on.
    pub fn tag(&self, state: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.run.to_le_bytes())
            .chain_update(state)
            .finalize();
        let short = digest.get(..15).unwrap_or(&digest);
        format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(short))
    }
}

/// Whether the value of an `If-None-Match` names a tag, or any.
pub(super) fn matches_tag(value: &str, tag: &str) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    value.trim() == "*"
        || value
            .split(',')
            .any(|known| opaque(known.trim()) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let tags = Tags::new();
        let tag = tags.tag("a");
        let bare = tag.replace("W/", "");
        for value in [
            tag.clone(),
            bare.clone(),
            format!("\"x\" , {tag}"),
            format!("W/\"\",{bare},\"y\""),
            " * ".to_owned(),
        ] {
            assert!(matches_tag(&value, &tag), "{value}");
        }
        for value in [
            "",
            "W/",
            "\"\"",
            "W/\"*\"",
            &tag.replace('"', ""),
            &tags.tag("b"),
        ] {
            assert!(!matches_tag(value, &tag), "{value}");
        }
        assert_ne!(Tags::new().tag("a"), tag, "a tag of another run");
    }
}
