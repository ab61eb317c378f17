//! The systemd unit: systemd finds it right and safe, and the server does
//! nothing that it forbids.
//!
//! No systemd runs here, so what the server does is read from strace and held
//! against the unit; `scripts/test` installs both.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{BINARY, BODY, Server, clean, cli, eventually};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    fs::read_to_string(path.join(name)).unwrap()
}

fn unit() -> String {
    read("profiletrail.service")
}

/// All that is said by a command that must succeed.
fn said(command: &mut Command) -> String {
    let what = format!("{command:?}");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{what}: {error}; scripts/test installs what is needed"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{what}: {}", text.concat());
    text.concat()
}

/// A unit with this binary and this script, in a folder of its own.
fn written(dir: &Path, name: &str) -> std::path::PathBuf {
    const PULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/profiletrail-pull");
    let path = dir.join(name);
    let text = read(name)
        .replace("/usr/local/bin/profiletrail-pull", PULL)
        .replace("/usr/local/bin/profiletrail", BINARY);
    assert!(!text.contains("/usr/local"), "{text}");
    fs::write(&path, text).unwrap();
    path
}

/// The values of a setting, in their order.
fn values(name: &str) -> Vec<String> {
    let unit = unit();
    let found: Vec<String> = unit
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect();
    assert!(!found.is_empty(), "{name}");
    found
}

#[test]
fn systemd_finds_nothing_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let services = ["", "-backup", "-pull"];
    let services = services.map(|name| written(dir.path(), &format!("profiletrail{name}.service")));
    let mut command = clean("systemd-analyze");
    command.args(["verify", "--man=no"]).args(&services);
    for name in [
        "profiletrail.socket",
        "profiletrail-backup.timer",
        "profiletrail-pull.timer",
    ] {
        command.arg(written(dir.path(), name));
    }
    assert_eq!(said(&mut command), "");
    // From 0, safe, to 10; a service without any of it has 9.6.
    for service in &services {
        let mut command = clean("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", "--threshold=15"]);
        let text = said(command.arg(service));
        assert!(text.contains("Overall exposure level"), "{text}");
    }
}

/// The names of the system calls of a set and of those in it.
fn members(set: &str, into: &mut BTreeSet<String>) {
    if !set.starts_with('@') {
        into.insert(set.to_owned());
        return;
    }
    let text = said(clean("systemd-analyze").args(["--no-pager", "syscall-filter", set]));
    let lines = text.lines().filter(|line| line.starts_with("    "));
    for name in lines.map(str::trim).filter(|name| !name.starts_with('#')) {
        members(name, into);
    }
}

/// What the unit's filter lets through: lists that begin with ~ take away.
fn allowed() -> BTreeSet<String> {
    let unit = unit();
    let mut allowed = BTreeSet::new();
    let mut lists = 0;
    for list in unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
    {
        lists += 1;
        let mut named = BTreeSet::new();
        for set in list.trim_start_matches('~').split_whitespace() {
            members(set, &mut named);
        }
        match list.starts_with('~') {
            true => allowed.retain(|name| !named.contains(name)),
            false => allowed.extend(named),
        }
    }
    assert_eq!(lists, 2);
    // What every program needs, systemd lets through in any case.
    members("@default", &mut allowed);
    allowed
}

/// What a server did from start to end: each system call as strace prints it, after
/// the number of its thread.
fn traced() -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let trace = dir.path().join("trace");
    let mut command = clean("strace");
    // With -D the child is the server, which dies with the test.
    command
        .args(["-D", "-f", "-q", "-o"])
        .arg(&trace)
        .arg(BINARY);
    command.args(Server::arguments(
        &data,
        &["--segment-size", "30KiB", "--keep", "5y"],
    ));
    // As systemd does; what is sent to it is in the trace.
    let notify = dir.path().join("notify");
    let _socket = std::os::unix::net::UnixDatagram::bind(&notify).unwrap();
    command.env("NOTIFY_SOCKET", notify);
    let server = Server::spawn(command).unwrap_or_else(|(_, log)| panic!("no server: {log}"));
    let mut client = server.client();
    for number in 0..200 {
        let body = format!("{BODY}&x={number}{}", "y".repeat(999));
        assert_eq!(client.post("/webhook", body).status, 200);
    }
    assert_eq!(client.post("/webhook", "nothing").status, 400);
    let backup = dir.path().join("backup");
    let backup = backup.to_str().unwrap();
    for args in [
        vec!["history", "5"],
        vec!["changes"],
        vec!["export"],
        vec!["stats"],
        vec!["seal"],
        vec!["verify"],
        vec!["backup", backup],
        vec!["backup", backup, "--copy"],
        vec!["prune", "--before", "2025-10-01", "--yes"],
    ] {
        cli(&data, &args).ok();
    }
    let pid = server.pid();
    server.signal(rustix::process::Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    // strace fills a short number up with blanks.
    let pid = pid.to_string();
    let is_end = |line: &str| {
        let ended = line.strip_suffix(" +++ exited with 0 +++");
        ended.is_some_and(|number| number.trim() == pid)
    };
    let mut text = String::new();
    eventually("the trace is whole", || {
        text = String::from_utf8_lossy(&fs::read(&trace).unwrap()).into_owned();
        text.lines().any(is_end)
    });
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_server_does_nothing_that_it_forbids() {
    let allowed = allowed();
    let families = values("RestrictAddressFamilies");
    let mut names = BTreeSet::new();
    for line in traced() {
        let call = line.split_once(' ').unwrap().1.trim_start();
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        assert!(allowed.contains(name), "not allowed: {call}");
        names.insert(name.to_owned());
        if name == "socket" || name == "socketpair" {
            let family = arguments.split(',').next().unwrap().to_owned();
            assert!(families.contains(&family), "not allowed: {call}");
        }
        // MemoryDenyWriteExecute, and for mprotect any execution at all.
        let denied = match name {
            "mmap" => arguments.contains("PROT_WRITE") && arguments.contains("PROT_EXEC"),
            "mprotect" | "pkey_mprotect" => arguments.contains("PROT_EXEC"),
            _ => false,
        };
        assert!(!denied, "not allowed: {call}");
    }
    // What it is there for was seen.
    for name in ["fdatasync", "sendto", "accept4", "link", "rename", "epoll_"] {
        let seen = names.iter().any(|seen| seen.starts_with(name));
        assert!(seen, "{name}: {names:?}");
    }
}
