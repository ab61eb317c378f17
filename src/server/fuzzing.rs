//! The fuzz targets of the control socket and of the query API.

#![allow(
    clippy::expect_used,
    reason = "a broken promise must end the run of a target"
)]

use std::fmt::Debug;
use std::io::BufRead;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use super::api::fuzzing::question;
use super::command_request::read_request;
use super::control::Control;

/// Reads a request and the lines that follow it, each of which may be a control line.
/// Invariants: nothing panics; and a request that is read is the same after writing and
/// reading it again.
pub fn control(bytes: &[u8]) {
    let Ok((request, mut body)) = read_request(bytes) else {
        return;
    };
    reread(&request);
    let mut line = Vec::new();
    while let Ok(1..) = body.read_until(b'\n', &mut line) {
        if let Some(Ok(control)) = Control::of_line(&line) {
            reread(&control);
        }
        line.clear();
    }
}

fn reread<T: Serialize + DeserializeOwned + PartialEq + Debug>(read: &T) {
    let written = serde_json::to_vec(read).expect("it was JSON");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, *read);
}
