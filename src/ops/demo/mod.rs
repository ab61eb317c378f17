//! Two made-up weeks of a small shop, to try the program without Copernica.
//!
//! [`Story`] has the calls and the facts behind them. It is a pure function of a
//! seed and the moment at which it ends. [`load()`] stores its calls in a data
//! folder as if each had arrived when it happened; [`questions()`] are the questions
//! to ask about it. Running a server is left to the command (`profiletrail demo`).
//!
//! The facts of the story come from the shop's own actions, never from
//! [`crate::history`], so that answers can be checked against them.

mod cast;
mod plot;
mod questions;
mod shop;
mod story;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::event::{BodyKind, decode_envelope};
use crate::log::OpenMode;
use crate::store::{Arrival, Folder, OpenOptions, Outcome, ParsedCall, Trail};
pub use questions::questions;
pub use story::Story;

/// The seed of `demo`.
pub const SEED: u64 = 20;

/// How many calls are appended together.
const GROUP: usize = 256;

/// The sender's address of all calls, from the range for examples.
const REMOTE: &str = "192.0.2.10";

/// Creates a data folder with a story.
pub fn load(story: &Story, data: &Path, cache: u64, segment_size: u64) -> anyhow::Result<()> {
    Folder::make(data)?;
    let options = OpenOptions {
        mode: OpenMode::Append { segment_size },
        server: false,
        cache,
        // A process that is being forked at this moment may hold the new folder's lock for
        // an instant.
        patience: Duration::from_secs(2),
    };
    let (trail, appender) = Trail::open(data, options)?;
    let mut appender = appender.context("the log cannot be written")?;
    for calls in story.calls.chunks(GROUP) {
        let arrivals = calls.iter().map(|call| {
            let body = call.body.clone().into_bytes();
            let envelope = decode_envelope(BodyKind::Form, &body, chrono_tz::UTC);
            Arrival::Call(Box::new(ParsedCall {
                received: call.received,
                remote: Some(REMOTE.to_owned()),
                label: Some(call.label.to_owned()),
                content_type: Some("application/x-www-form-urlencoded".to_owned()),
                evidence: None,
                read: envelope
                    .map(|envelope| (BodyKind::Form, envelope))
                    .map_err(|error| (400, error)),
                body,
                is_repeated: false,
            }))
        });
        for outcome in appender.append(arrivals.collect()) {
            let why = match outcome {
                Outcome::Kept(_) => continue,
                Outcome::Rejected(_, error) => error.to_string(),
                Outcome::Unavailable(reason) => reason,
            };
            bail!("the demo's events could not be stored: {why}");
        }
    }
    trail.wait_for_index(|_| ())?;
    Ok(())
}
