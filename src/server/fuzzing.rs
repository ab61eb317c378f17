//! The fuzz targets of the talk over the Unix socket and of the query API.

#![allow(
    clippy::expect_used,
    reason = "a broken promise must end the run of a target"
)]

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use super::api::fuzzing::question;
use super::protocol::{End, Kind, Request, parse, receive, send};
use crate::query::{ImportReport, Position, Progress};

/// Receives frames until there are none or one is wrong. What must hold:
/// nothing panics; a frame is sent as it was received; and its JSON says the same
/// when it is written anew.
pub fn protocol(bytes: &[u8]) {
    let mut rest = bytes;
    let mut before = bytes;
    while let Ok(Some((kind, content))) = receive(&mut rest) {
        let mut sent = Vec::new();
        send(&mut sent, kind, &content).expect("memory takes all");
        assert_eq!(before.strip_suffix(rest), Some(sent.as_slice()));
        before = rest;
        match kind {
            Kind::Request => reread::<Request>(&content),
            Kind::Progress => reread::<Progress>(&content),
            Kind::Report => reread::<ImportReport>(&content),
            Kind::Position => reread::<Position>(&content),
            Kind::Done => reread::<End>(&content),
            Kind::Lines | Kind::Failed => {}
        }
    }
}

fn reread<T: Serialize + DeserializeOwned + PartialEq + Debug>(content: &[u8]) {
    if let Ok(read) = parse::<T>(content) {
        let written = serde_json::to_vec(&read).expect("it was JSON");
        let again = parse::<T>(&written).expect("what was written can be read");
        assert_eq!(again, read);
    }
}
