//! The server under a supervisor: what it sends to journald, log collectors and systemd.
//!
//! Proven: under journald each line has its priority and no second timestamp; repeated refusals
//! are logged at once and then counted, and none is missing at the end; systemd is notified of the
//! start, the status and the end, and gets no watchdog signal while the committer is stuck.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::fstat;
use serde_json::Value;

use crate::support::{BINARY, BODY, NEVER, Server, clean, data, json_lines};

/// A server of this environment, and its log on the way through a pipe.
fn command(data: &Path, args: &[&str]) -> Command {
    let mut command = clean(BINARY);
    command.args(Server::arguments(data, args));
    command
}

/// What a command writes to standard error, a pipe that `JOURNAL_STREAM` names or not.
fn journal_of(mut command: Command, is_named: bool) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let stat = fstat(writer.as_fd()).unwrap();
    let inode = if is_named {
        stat.st_ino
    } else {
        stat.st_ino + 1
    };
    let stream = format!("{}:{inode}", stat.st_dev);
    command.env("JOURNAL_STREAM", stream).stderr(writer);
    let mut child = command.spawn().unwrap();
    // The writing end in this process is closed with it.
    drop(command);
    child.wait().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    text
}

/// The number of calls that log lines report, including those that they only count.
fn calls_in(lines: &[String]) -> u64 {
    let more = |line: &String| {
        let count = line.rsplit_once(" (")?.1;
        count
            .strip_suffix(" more like it since the last such line)")?
            .parse::<u64>()
            .ok()
    };
    lines.iter().map(|line| 1 + more(line).unwrap_or(0)).sum()
}

#[test]
fn journald_gets_priorities_and_collectors_get_objects() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    // Of a server that cannot start: a line of the log, and the reason why it ends.
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    let start = |is_named: bool, args: &[&str]| {
        let args = [&["--listen", busy.as_str(), "--max-connections", "9"], args].concat();
        journal_of(command(&data, &args), is_named)
    };
    let text = start(true, &[]);
    assert!(
        text.starts_with("<3>profiletrail: cannot listen on"),
        "{text}"
    );
    let text = start(false, &[]);
    assert!(text.starts_with("profiletrail: cannot listen on"), "{text}");
    let text = start(true, &["--log-format", "json"]);
    let object: Value = serde_json::from_str(text.trim_start_matches("<3>")).unwrap();
    assert!(text.starts_with("<3>"), "{text}");
    assert_eq!(object["level"], "ERROR");
    let message = object["message"].as_str().unwrap();
    assert!(
        message.starts_with("profiletrail: cannot listen"),
        "{message}"
    );
}

#[test]
fn refusals_are_logged_once_and_then_counted() {
    let dir = tempfile::tempdir().unwrap();
    let signed = [
        "--copernica-id",
        "account_1234",
        "--public-host",
        "hooks.example.com",
    ];
    let mut command = command(&data(&dir), &signed);
    command.env("PROFILETRAIL_LOG_FORMAT", "json");
    let server = Server::spawn(command).unwrap_or_else(|(_, log)| panic!("no server: {log}"));
    let mut client = server.client();
    for _ in 0..40 {
        assert_eq!(client.post("/webhook", BODY).status, 401);
    }
    drop(client);
    let log = server.stop();
    let lines = json_lines(&log);
    let mut warnings = Vec::new();
    for line in &lines {
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.ends_with('Z'), "{line}");
        if line["level"] == "WARN" {
            warnings.push(line["message"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(warnings.len(), 2, "{log}");
    assert_eq!(calls_in(&warnings), 40, "{log}");
}

/// A library that makes each sync of a file wait while the file of `HANG` is there.
fn hanging_disk(dir: &Path) -> PathBuf {
    let source = dir.join("hang.c");
    let code = "#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
        int fdatasync(int fd) {\n    \
        while (access(getenv(\"HANG\"), F_OK) == 0) usleep(1000);\n    \
        return syscall(SYS_fdatasync, fd);\n}\n";
    fs::write(&source, code).unwrap();
    let library = dir.join("hang.so");
    let mut command = clean("cc");
    command
        .args(["-shared", "-fPIC", "-D_DEFAULT_SOURCE", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(command.status().unwrap().success());
    library
}

/// The lines of the next datagram.
fn received(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("a datagram of the server");
    let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn systemd_gets_start_and_end_but_no_watchdog_signal_while_the_committer_is_stuck() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(NEVER)).unwrap();
    let supervised = |mut command: Command| {
        // A watchdog signal every 250 ms.
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "1000000");
        Server::spawn(command).unwrap_or_else(|(_, log)| panic!("no server: {log}"))
    };
    let data = data(&dir);
    let server = supervised(command(&data, &[]));
    assert_eq!(received(&socket), ["READY=1"]);
    let alive = |events: u64| {
        let status = format!("STATUS=listening on {}; {events} events", server.address);
        [status, "WATCHDOG=1".to_owned()]
    };
    assert_eq!(received(&socket), alive(0));
    server.client().post("/webhook", BODY).seq();
    while received(&socket) != alive(1) {}
    server.stop();
    let last = loop {
        let last = received(&socket);
        if last[0] != "WATCHDOG=1" && !last.contains(&"WATCHDOG=1".to_owned()) {
            break last;
        }
    };
    assert_eq!(last, ["STOPPING=1", "STATUS=stopping"]);

    // The same with a disk that hangs while a file is there.
    let hang = dir.path().join("hang");
    let library = hanging_disk(dir.path());
    let mut command = command(&data, &[]);
    command.env("LD_PRELOAD", library).env("HANG", &hang);
    let server = supervised(command);
    assert_eq!(received(&socket), ["READY=1"]);
    fs::write(&hang, "").unwrap();
    let mut client = server.client();
    let caller = std::thread::spawn(move || client.post("/webhook", BODY).seq());
    let stuck = "STATUS=the committer is stuck: waiting for the watchdog";
    while received(&socket) != [stuck] {}
    // From then on there is no watchdog signal, until it works again.
    for _ in 0..3 {
        assert_eq!(received(&socket), [stuck]);
    }
    fs::remove_file(&hang).unwrap();
    assert_eq!(caller.join().unwrap(), 2);
    while !received(&socket).contains(&"WATCHDOG=1".to_owned()) {}
    server.stop();
}
