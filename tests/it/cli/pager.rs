//! Answers go through the pager, on a terminal of the test's own.
//!
//! Proven: every answer on a terminal is paged, with `LESS` set, and one that found
//! nothing is not; `--no-pager` and an empty pager; a missing pager, one that is left
//! early, and an interrupt while it runs. An erasure has updated the backups before.

use std::fs;
use std::path::PathBuf;

use crate::support::terminal::OnTerminal;
use crate::support::{Server, cli, eventually};
use rustix::process::{Pid, Signal, kill_process};

const LONG: &[&str] = &["changes"];
const SHORT: &[&str] = &["show", "5"];

/// A folder with more changes than a screen has rows.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    for number in 0..200 {
        let body = format!(
            "type=update&profile=5&time={}&fields[x]={number}",
            1_760_000_000 + number
        );
        client.post("/webhook", body).seq();
    }
    server.stop();
    (dir, data)
}

#[test]
fn answers_on_a_terminal_go_through_the_pager() {
    let (dir, data) = folder();
    let paged = dir.path().join("paged");
    let pager = format!("echo $LESS > {0}; cat >> {0}", paged.display());
    for (args, lines) in [(SHORT, None), (LONG, Some(1 + 200))] {
        let (status, shown) = OnTerminal::start(&data, args, &pager).end();
        assert_eq!((status, shown.as_str()), (Some(0), ""));
        let text = fs::read_to_string(&paged).unwrap();
        // With F, less leaves at once where all fits on the screen.
        assert!(text.starts_with("FRX\n"), "{text}");
        assert!(lines.is_none_or(|lines| text.lines().count() == 1 + lines));
        assert!(text.contains('\u{1b}'), "colours go through the pager");
    }
    fs::remove_file(&paged).unwrap();

    for (args, pager) in [
        (&["changes", "--no-pager"][..], pager.as_str()),
        (LONG, ""),
        (LONG, "cat"),
    ] {
        let (status, shown) = OnTerminal::start(&data, args, pager).end();
        assert_eq!(status, Some(0));
        assert_eq!(shown.lines().count(), 201, "{shown}");
        assert!(!paged.exists());
    }
    // Nothing is paged where nothing is found.
    let (status, _) = OnTerminal::start(&data, &["show", "6"], &pager).end();
    assert_eq!(status, Some(1));
    assert!(!paged.exists());
}

#[test]
fn lines_for_programs_escape_what_controls_a_terminal() {
    let (_dir, data) = folder();
    let server = Server::start(&data, &[]);
    let body = "type=update&profile=7&time=1760000000&fields[x]=%C2%9B31m%E2%80%AE";
    server.client().post("/webhook", body).seq();
    server.stop();
    for args in [
        &["changes", "--profile", "7", "--format", "jsonl"][..],
        &["tail", "-n", "2", "--format", "jsonl"],
        &["dossier", "7", "--format", "jsonl"],
    ] {
        let (status, shown) = OnTerminal::start(&data, args, "").end();
        assert_eq!(status, Some(0), "{args:?}: {shown}");
        assert!(shown.contains("\\u009b"), "{args:?}: {shown}");
        assert!(
            !shown.contains(['\u{9b}', '\u{202e}']),
            "{args:?}: {shown:?}"
        );
    }
}

#[test]
fn a_pager_that_is_missing_or_left_early_is_no_failure() {
    let (dir, data) = folder();
    let (status, shown) = OnTerminal::start(&data, LONG, "no-such-pager-here").end();
    assert_eq!(status, Some(0));
    assert_eq!(shown.lines().count(), 201, "{shown}");

    let one = dir.path().join("one");
    let pager = format!("head -n 1 > {}", one.display());
    let args = ["export", "--raw", "--format", "jsonl"];
    let (status, shown) = OnTerminal::start(&data, &args, &pager).end();
    assert_eq!((status, shown.as_str()), (Some(0), ""));
    assert!(fs::read_to_string(one).unwrap().starts_with("{\"seq\":1,"));

    let (status, shown) = OnTerminal::start(&data, LONG, "no-such-pager-here --x;").end();
    assert_eq!(status, Some(0));
    assert!(shown.contains("--no-pager"), "{shown}");
}

#[test]
fn an_interrupt_is_the_pager_s() {
    let (dir, data) = folder();
    let (started, go) = (dir.path().join("started"), dir.path().join("go"));
    let pager = format!(
        "cat > /dev/null; touch {}; while [ ! -e {} ]; do sleep 0.05; done",
        started.display(),
        go.display()
    );
    let running = OnTerminal::start(&data, LONG, &pager);
    eventually("the pager starts", || started.exists());
    kill_process(Pid::from_child(&running.child), Signal::INT).unwrap();
    fs::write(&go, "").unwrap();
    let (status, _) = running.end();
    assert_eq!(status, Some(0), "it waited for its pager");
}

#[test]
fn backups_are_updated_before_an_erasure_is_shown() {
    let (dir, data) = folder();
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let before = fs::read(backup.join("manifest.json")).unwrap();
    let seen = dir.path().join("seen");
    let pager = format!("cp {}/manifest.json {}", backup.display(), seen.display());
    let args = [
        "erase",
        "5",
        "--reason",
        "asked",
        "--yes",
        "--still-present",
        "--backup",
    ];
    let args = [&args[..], &[backup.to_str().unwrap()]].concat();
    let (status, shown) = OnTerminal::start(&data, &args, &pager).end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("is up to date"), "{shown}");
    // The pager, which reads nothing, has found the new backup.
    let seen = fs::read(seen).unwrap();
    assert_ne!(seen, before);
    assert_eq!(seen, fs::read(backup.join("manifest.json")).unwrap());
}
