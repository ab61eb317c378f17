//! `seal`, by the command and by the server: it reports what it did, and no answer
//! changes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::support::{Cli, NEVER, Server, cli, fixture, json_lines, segments};

/// The names of the events' segments that end so.
fn count(data: &Path, end: &str) -> usize {
    let segments = segments(data);
    let ends = |path: &&PathBuf| path.to_str().unwrap().ends_with(end);
    segments.iter().filter(ends).count()
}

/// Exported lines of a server that was sent the fixture's bodies.
fn exported() -> String {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    for body in fixture("stream-2k.txt").lines().take(700) {
        client.post("/webhook", body);
    }
    server.stop();
    cli(dir.path(), &["export", "--raw"]).ok()
}

const QUESTIONS: [&[&str]; 3] = [
    &["export", "--raw"],
    &["changes"],
    &[
        "changes",
        "--since",
        "@1760000300",
        "--until",
        "@1760000600",
    ],
];

#[test]
fn no_answer_changes_by_sealing() {
    let lines = exported();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let import = ["import", "--segment-size", "30KiB"];
    Cli::new(data, &import).stdin(lines.clone()).run().ok();
    let before = QUESTIONS.map(|question| cli(data, question).ok());
    let plain = count(data, ".log");
    assert!(plain > 2 && count(data, ".zst") == 0, "{plain}");

    let sealed = json_lines(&cli(data, &["seal", "--format", "jsonl"]).ok());
    assert_eq!(sealed.len(), plain - 1);
    assert_eq!((count(data, ".log"), count(data, ".zst")), (1, plain - 1));
    for line in &sealed {
        let bytes = |key: &str| line[key].as_u64().unwrap();
        assert!(bytes("plain_bytes") > 2 * bytes("sealed_bytes"), "{line}");
    }
    let again = cli(data, &["seal", "--format", "table"]).ok();
    assert_eq!(again, "nothing to seal: every closed segment is sealed\n");
    assert_eq!(QUESTIONS.map(|question| cli(data, question).ok()), before);

    // A server seals by itself, and what it has not come to on the order.
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data, &["--segment-size", "30KiB"]);
    Cli::new(data, &["import"]).stdin(lines.clone()).run().ok();
    cli(data, &["seal"]).ok();
    assert_eq!(count(data, ".log"), 1);
    assert_eq!(QUESTIONS.map(|question| cli(data, question).ok()), before);
    let mut client = server.client();
    while count(data, ".log") == 1 {
        client.post(
            "/webhook",
            format!("type=note&profile=1&x={}", "y".repeat(999)),
        );
    }
    let begun = Instant::now();
    while count(data, ".log") > 1 {
        assert!(begun.elapsed() < NEVER, "the server does not seal");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server.stop();
}
