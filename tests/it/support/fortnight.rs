//! The made-up fortnight of `demo` in a data folder, always the same one.

use std::path::{Path, PathBuf};

use profiletrail::ops::demo::{SEED, Story, load};
use serde_json::Value;

use crate::support::{cli, json_lines};

/// 2026-03-16T11:02:47Z, a Monday: when it ends, …
pub const NOW: i64 = 1_773_658_967;

/// … as an argument of `demo`.
pub const AT: &str = "@1773658967";

/// The story that it is made from.
pub fn story() -> Story {
    Story::generate(SEED, NOW)
}

/// A data folder that holds it, and its story.
pub fn stored_story() -> (tempfile::TempDir, PathBuf, Story) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let story = story();
    load(&story, &data, 8 << 20, 1 << 20).unwrap();
    (dir, data, story)
}

/// The lines of an answer.
#[track_caller]
pub fn ask(data: &Path, args: &[&str]) -> Vec<Value> {
    json_lines(&cli(data, args).ok())
}

/// The same of words as the questions have them.
#[track_caller]
pub fn asked(data: &Path, words: &[String]) -> Vec<Value> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    ask(data, &words)
}
