//! The notes of an answer: what it leaves out is said, and only where it leaves that out.

use std::fmt::Write;

use crate::support::store::{BEGIN, Store};
use crate::support::{cli, data};

#[test]
fn loops_in_no_group_are_counted() {
    let turns = (0..6).map(|turn| {
        let mut body = format!("type=update&profile=1&time={}", BEGIN + turn * 60);
        for field in 0..2_003 {
            write!(body, "&fields[f{field}]={}", turn % 2).unwrap();
        }
        body
    });
    let dir = Store::with(turns).dir;
    let notes = cli(&data(&dir), &["loops"]).stderr;
    let said = "3 loops are of fields and labels beyond the first 2000";
    assert!(notes.contains(said), "{notes}");
}

#[test]
fn an_erasure_is_noted_where_the_erased_profile_would_be_counted() {
    let bodies = [1, 9].map(|profile| format!("type=create&profile={profile}&time={BEGIN}"));
    let dir = Store::with(bodies).dir;
    let data = data(&dir);
    let erase = [
        "erase",
        "9",
        "--reason",
        "asked",
        "--yes",
        "--still-present",
    ];
    cli(&data, &erase).ok();
    for question in ["loops", "gaps", "report", "incidents", "changes"] {
        let erased = "1 profile was erased: their events are in no answer";
        let notes = cli(&data, &[question]).stderr;
        assert!(notes.contains(erased), "{question}: {notes}");
        let notes = cli(&data, &[question, "--profile", "1"]).stderr;
        assert!(!notes.contains(erased), "{question}: {notes}");
    }
}
