//! Whether a client has the answer already: `ETag` and `If-None-Match`.
//!
//! An answer is the same as long as the question is, with its times in Unix
//! seconds, and the events and what is pruned of them are. So its tag is made of
//! these, before anything is read: a client that has it is told so at once.
//! Asked again with `since=yesterday`, the question is the same until midnight.
//! With them goes a number that is drawn when the server starts, which stands
//! for its version, its zone and all that is done to a folder only without it: a
//! repair, a restore.
//!
//! Those that are about now (`show` and `blame` without `at`, `diff` without
//! `to`) and `stats`, which tells sizes of files, have no tag.
//!
//! Invariant: an answer never has a tag of a state that comes after the one it
//! was made of, since the tag is made first and no state comes again. One that
//! was made while events arrived may tell of some that its tag does not stand
//! for: so tags are weak, and the next one is another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::parse::ParsedQuery;
use super::questions::Depends;
use crate::store::Trail;

/// Makes the tags of one run of a server.
#[derive(Debug)]
pub(super) struct Tags {
    run: [u8; 16],
}

impl Tags {
    /// For a run that begins.
    pub fn new() -> Self {
        let mut run = [0; 16];
        if let Err(error) = getrandom::fill(&mut run) {
            tracing::debug!("no random number for tags: {error}");
            let now = crate::event::now_micros().to_le_bytes();
            for (byte, known) in run.iter_mut().zip(now) {
                *byte = known;
            }
        }
        Self { run }
    }

    /// The tag of the answer that a question has now, if it can have one.
    pub fn of(&self, parsed: &ParsedQuery, trail: &Trail) -> Option<String> {
        let last = match parsed.entry.depends {
            _ if parsed.about_now => return None,
            Depends::Events | Depends::EventsOnce(_) => trail.last_seq(),
            Depends::Rejected => trail.rejected().last_seq(),
            Depends::More => return None,
        };
        let pruned = trail.retention().pruned;
        let state = format!(
            "{last}\n{pruned:?}\n{:?}\n{}",
            parsed.page, parsed.canonical
        );
        Some(self.tag(&state))
    }

    /// The tag of what stands for all that it depends on.
    pub fn tag(&self, state: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.run)
            .chain_update(state)
            .finalize();
        let short = digest.get(..15).unwrap_or(&digest);
        format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(short))
    }
}

/// Whether the value of an `If-None-Match` names a tag, or any.
pub(super) fn names(value: &str, tag: &str) -> bool {
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
            assert!(names(&value, &tag), "{value}");
        }
        for value in [
            "",
            "W/",
            "\"\"",
            "W/\"*\"",
            &tag.replace('"', ""),
            &tags.tag("b"),
        ] {
            assert!(!names(value, &tag), "{value}");
        }
        assert_ne!(Tags::new().tag("a"), tag, "a tag of another run");
    }
}
