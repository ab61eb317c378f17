//! Data folders whose answers are alike in every run: one with hostile and
//! everyday values, and one of a week in which much goes wrong.

use std::fs;

use profiletrail::event::DecodeError;
use profiletrail::store::{Arrival, ParsedCall};

use crate::support::{cli, fixture_path, store, week};

/// A folder whose answers are alike in every run.
pub fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let events = fixture_path("terminal/events.jsonl");
    cli(&data, &["import", events.to_str().unwrap()]).ok();
    let (trail, mut appender) = store::open(&data);
    for (second, (body, reason, place)) in (0..).zip([
        (
            "type=update&profile=12x",
            "\"12x\" is not a number",
            "profile",
        ),
        (
            "\u{1b}[31mtype=\u{202e}&",
            "there is no profile, and none can be told from \u{1b}[31m",
            "profile",
        ),
    ]) {
        let call = ParsedCall {
            received: (1_760_000_000 + second) * 1_000_000,
            remote: Some("2001:db8::7".to_owned()),
            label: Some("newsletter-form".to_owned()),
            content_type: None,
            evidence: None,
            read: Err((400, DecodeError::new(reason, place))),
            body: body.as_bytes().to_vec(),
            is_repeated: false,
        };
        appender.append(vec![Arrival::Call(Box::new(call))]);
    }
    drop((trail, appender));
    (dir, data)
}

/// The folder of the week, with an export entered.
pub fn folder_of_week() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let events = dir.path().join("events.jsonl");
    fs::write(&events, week::week()).unwrap();
    cli(&data, &["import", events.to_str().unwrap()]).ok();
    let export = dir.path().join("customers.csv");
    fs::copy(fixture_path("terminal/customers.csv"), &export).unwrap();
    let export = export.to_str().unwrap();
    let args = ["reconcile", export, "--at", "2025-10-13", "--partial"];
    let record = ["--record", "--yes", "--label", "export"];
    cli(&data, &[args.as_slice(), &record].concat()).ok();
    (dir, data)
}
