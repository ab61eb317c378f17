//! What goes wrong around the program must not be taken for something else:
//! a closed standard error for the end of a server, a server that has gone for
//! a reader that has, a lost event for one that never was, a missing socket for
//! one that may be waited for.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Instant;

use crate::support::{
    BINARY, Client, NEVER, Server, clean, cli, eventually, fixture, flip, json_lines,
};

fn bodies(count: usize) -> Vec<String> {
    fixture("stream-2k.txt")
        .lines()
        .take(count)
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_closed_standard_error_ends_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut child = clean(BINARY)
        .args(Server::arguments(&data, &["--log", "trace"]))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "it does not listen");
        if let Some(address) = line.trim_end().strip_prefix("listening on http://") {
            break address.parse().unwrap();
        }
    };
    drop(said);
    let mut client = Client::connect(address);
    for (place, body) in bodies(5).iter().enumerate() {
        assert_eq!(client.post("/webhook", body).seq(), place as u64 + 1);
    }
    assert_eq!(client.post("/webhook/no%20label", "x").status, 404);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!data.join("socket").exists());
}

#[test]
fn a_server_whose_socket_is_gone_ends_on_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    fs::remove_file(dir.path().join("socket")).unwrap();
    server.stop();
}

#[test]
fn an_import_that_a_server_breaks_off_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let server = Server::start(&from, &[]);
    let mut client = server.client();
    for body in bodies(1500) {
        client.post("/webhook", body).seq();
    }
    let lines = cli(&from, &["export"]).ok();
    server.stop();
    let half = lines.lines().take(1200).map(|line| line.len() + 1).sum();
    let server = Server::start(&to, &[]);
    let mut import = clean(BINARY)
        .args(["import", "-", "--data"])
        .arg(&to)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    input.write_all(&lines.as_bytes()[..half]).unwrap();
    input.flush().unwrap();
    let begun = Instant::now();
    eventually("the first lines are there", || {
        assert!(begun.elapsed() < NEVER);
        cli(&to, &["export"]).stdout.lines().count() == 1000
    });
    server.kill();
    // The import may have ended before it has read all.
    let _ = input.write_all(&lines.as_bytes()[half..]);
    drop(input);
    let mut said = String::new();
    import
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(import.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains("repeat the import"), "{said}");
    // And that is true.
    let server = Server::start(&to, &[]);
    let file = dir.path().join("lines");
    fs::write(&file, &lines).unwrap();
    cli(&to, &["import", file.to_str().unwrap()]).ok();
    assert_eq!(cli(&to, &["export"]).ok(), lines);
    server.stop();
}

#[test]
fn unreadable_events_are_reported_by_an_index_made_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    for time in 1..=3 {
        let body = format!("type=update&profile=1&time={time}&fields[a]={time}");
        client.post("/webhook", body).seq();
    }
    cli(dir.path(), &["history", "1"]).ok();
    server.stop();
    let log = dir.path().join("log/00000000000000000001.log");
    flip(&log, |bytes| {
        memchr::memmem::find(bytes, b"time=2").unwrap()
    });
    for index in ["as it was", "made anew", "and kept"] {
        if index == "made anew" {
            fs::remove_dir_all(dir.path().join("index")).unwrap();
        }
        for question in [
            &["history", "1"][..],
            &["show", "1"],
            &["blame", "1"],
            &["changes"],
            &["export"],
        ] {
            let outcome = cli(dir.path(), question);
            assert!(!outcome.stdout.is_empty(), "{index}, {question:?}");
            let said = outcome.failed(3);
            assert!(said.contains("event 2"), "{index}, {question:?}: {said}");
        }
        let lines = json_lines(&cli(dir.path(), &["history", "1"]).stdout);
        assert_eq!(lines.len(), 2, "{index}");
    }
}
