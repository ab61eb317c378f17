//! `tail` as a command: what it shows, follows, and keeps in its cursor file.
//!
//! Proven: it is live; it waits for a server, and for the next one; many of them
//! block no other command, and end with their command; the filters; cursor files
//! that are garbage, torn, of another folder, beyond the log or not writable are
//! refused with the way out; hostile values reach no terminal.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use support::{
    BINARY, NEVER, Server, clean, cli, copy_folder, data, eventually, json_lines, new_server,
};

/// A tail that runs, and its lines; killed when dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

fn lines_of(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    receiver
}

impl Running {
    fn start(data: &Path, args: &[&str]) -> Self {
        let mut command = clean(BINARY);
        command
            .args(["tail", "-f"])
            .args(args)
            .arg("--data")
            .arg(data);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            lines: lines_of(child.stdout.take().unwrap()),
            errors: lines_of(child.stderr.take().unwrap()),
            child,
        }
    }

    #[track_caller]
    fn next(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(NEVER).unwrap()).unwrap()
    }

    #[track_caller]
    fn seq(&self) -> u64 {
        self.next()["seq"].as_u64().unwrap()
    }

    #[track_caller]
    fn said(&self) -> String {
        self.errors.recv_timeout(NEVER).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(server: &Server, target: &str, body: &str) -> u64 {
    server.client().post(target, body).seq()
}

fn update(profile: u64, value: &str) -> String {
    format!("type=update&profile={profile}&database=3&parameters[v]={value}&fields[v]={value}")
}

#[test]
fn it_shows_the_newest_and_then_what_comes_across_servers() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    for number in 1..=12 {
        post(&server, "/webhook", &update(number, "a"));
    }
    let following = Running::start(&data, &[]);
    for seq in 3..=12 {
        assert_eq!(following.seq(), seq);
    }
    let sent = post(&server, "/webhook/crm", &update(1, "b"));
    let line = following.next();
    assert_eq!(line["seq"], sent);
    assert_eq!(
        line["changes"],
        json!([{"field":"v","old":"a","new":"b","cause":"set"}])
    );
    // It is the line that history has, and what is asked without --follow.
    let history = cli(&data, &["history", "1", "--reverse", "-n", "1"]).ok();
    assert_eq!(json_lines(&history)[0], line);
    assert_eq!(json_lines(&cli(&data, &["tail", "-n", "1"]).ok())[0], line);
    server.stop();
    assert_eq!(
        following.said(),
        "profiletrail: the server has gone; waiting for one"
    );
    for round in 0..3 {
        let server = Server::start(&data, &[]);
        let seq = post(&server, "/webhook", &update(2, &format!("c{round}")));
        assert_eq!(following.seq(), seq);
        if round == 1 {
            server.kill();
        } else {
            server.stop();
        }
    }
    // It says so once.
    assert!(following.errors.try_recv().is_err());
    // Without a server the folder is read.
    let seqs: Vec<Value> = json_lines(&cli(&data, &["tail", "-n", "all"]).ok());
    assert_eq!(seqs.len(), 16);
}

#[test]
fn it_waits_for_a_folder_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let following = Running::start(&data, &["-n", "all"]);
    assert!(following.said().contains("no server runs on"));
    let server = Server::start(&data, &[]);
    let seq = post(&server, "/webhook", &update(1, "a"));
    assert_eq!(following.seq(), seq);
    // A backup is no folder that a server ever runs on.
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let said = cli(&backup, &["tail", "-f"]).failed(3);
    assert!(said.contains("profiletrail restore"), "{said}");
}

/// How many commands' threads a server has.
fn commands(server: &Server) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()
    };
    tasks
        .map(name)
        .filter(|name| name.trim() == "command")
        .count()
}

#[test]
fn many_tails_block_nobody_and_end_with_their_commands() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut tails: Vec<Running> = (0..64)
        .map(|_| Running::start(&data, &["-n", "0"]))
        .collect();
    eventually("all follow", || commands(&server) == 64);
    let refused = cli(&data, &["tail", "-f"]).failed(3);
    assert!(refused.contains("64 tails follow already"), "{refused}");
    let seq = post(&server, "/webhook", &update(1, "a"));
    assert_eq!(
        json_lines(&cli(&data, &["history", "1"]).ok())[0]["seq"],
        seq
    );
    for tail in &tails {
        assert_eq!(tail.seq(), seq);
    }
    tails.truncate(3);
    eventually("those that were killed are let go", || {
        commands(&server) == 3
    });
    // None keeps the server from its end.
    server.stop();
    for tail in &tails {
        assert!(tail.said().contains("the server has gone"));
    }
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let city = "type=update&profile=1&database=4&time=1760000000&fields[v]=b&fields[city]=U";
    let two = Running::start(&data, &["--field", "city", "--field", "w"]);
    let crm = Running::start(&data, &["--label", "crm", "--profile", "1/2"]);
    let new = Running::start(&data, &["--new", "c", "--cause", "set"]);
    let database = Running::start(&data, &["--database", "4", "--until", "2026-01-01"]);
    eventually("all follow", || commands(&server) == 4);
    post(
        &server,
        "/webhook",
        &format!("{}&time=1759000000", update(1, "a")),
    );
    post(&server, "/webhook", city);
    post(&server, "/webhook", city);
    post(&server, "/webhook/crm", &update(1, "c"));
    post(
        &server,
        "/webhook/crm",
        "type=click&profile=1&subprofile=2&collection=9",
    );
    post(&server, "/webhook", "type=update&profile=7&fields[w]=x");
    let line = two.next();
    assert_eq!(
        (&line["seq"], &line["changes"][0]["field"]),
        (&json!(2), &json!("city"))
    );
    // What was removed changed, too; only the matching changes are shown.
    let line = two.next();
    assert_eq!(
        (&line["seq"], &line["changes"]),
        (
            &json!(4),
            &json!([{"field":"city","old":"U","new":null,"cause":"unexplained","since":"2025-10-09T08:53:20Z"}])
        )
    );
    assert_eq!(two.seq(), 6);
    let line = crm.next();
    assert_eq!((&line["seq"], &line["changes"]), (&json!(5), &json!([])));
    assert_eq!(new.seq(), 4);
    // A repetition is marked.
    assert_eq!(database.seq(), 2);
    let line = database.next();
    assert_eq!(
        (&line["seq"], &line["duplicate_of"]),
        (&json!(3), &json!(2))
    );
}

fn cursor_file(dir: &tempfile::TempDir) -> (PathBuf, String) {
    let path = dir.path().join("cursor");
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

#[test]
fn a_cursor_file_goes_on_where_it_was() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let (_, cursor) = cursor_file(&dir);
    for number in 1..=15 {
        post(&server, "/webhook", &update(number, "a"));
    }
    let once = |args: &[&str]| {
        let mut all = vec!["tail", "--cursor-file", &cursor];
        all.extend(args);
        cli(&data, &all)
    };
    let count = |args: &[&str]| json_lines(&once(args).ok()).len();
    // The first time as without it, then everything since, whatever -n says.
    assert_eq!(count(&[]), 10);
    for number in 1..=13 {
        post(&server, "/webhook", &update(number, "b"));
    }
    assert_eq!(count(&["-n", "2"]), 13);
    let said = once(&[]).failed(1);
    assert!(said.contains("no new event"), "{said}");
    // A filter passes others over for good.
    post(&server, "/webhook", &update(90, "b"));
    assert!(
        once(&["--profile", "91"])
            .failed(1)
            .contains("nothing found")
    );
    assert!(once(&[]).failed(1).contains("nothing found"));
    server.stop();
    // Offline it is the same.
    let server = Server::start(&data, &[]);
    post(&server, "/webhook", &update(91, "b"));
    server.stop();
    let shown = once(&["--format", "table"]).ok();
    assert!(shown.contains("  91  update\n    v: ? → b\n"), "{shown}");
    assert!(once(&[]).failed(1).contains("nothing found"));
}

#[test]
fn a_cursor_that_does_not_belong_is_refused_with_the_way_out() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let (path, cursor) = cursor_file(&dir);
    let tail = |data: &Path| cli(data, &["tail", "-n", "all", "--cursor-file", &cursor]);
    let refused = |data: &Path, why: &str| {
        let before = fs::read(&path).ok();
        for args in [
            &["tail", "--cursor-file", &cursor][..],
            &["tail", "-f", "--cursor-file", &cursor],
        ] {
            let said = cli(data, args).failed(3);
            assert!(said.contains(why) && said.contains(&cursor), "{said}");
        }
        assert_eq!(fs::read(&path).ok(), before, "it is left alone");
    };
    post(&server, "/webhook", &update(1, "a"));
    // A copy of the folder as it is now, to be put back later.
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    post(&server, "/webhook", &update(1, "b"));
    assert_eq!(json_lines(&tail(&data).ok()).len(), 2);

    let (other_dir, other) = new_server(&[]);
    refused(&support::data(&other_dir), "another data folder");
    drop(other);

    let restored = dir.path().join("restored");
    cli(&restored, &["restore", backup.to_str().unwrap()]).ok();
    let second = Server::start(&restored, &[]);
    refused(&restored, "the log ends with event 1");
    // What came after the restore has the number, but is not the event.
    post(&second, "/webhook", &update(1, "c"));
    refused(&restored, "event 2 is another one now");
    second.stop();

    // Garbage, and files of others.
    let whole = fs::read(&path).unwrap();
    for content in [b"Dear".to_vec(), vec![0; 1024], vec![b'\n'; 100_000]] {
        fs::write(&path, content).unwrap();
        refused(&data, "no cursor file");
    }
    // A torn slot leaves the one before, which is at most one event behind.
    fs::write(&path, &whole[..700]).unwrap();
    let outcome = tail(&data);
    assert!(json_lines(&outcome.stdout).len() <= 1, "{outcome:?}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for args in [
        &["tail", "--cursor-file", &cursor][..],
        &["tail", "-f", "--cursor-file", &cursor],
    ] {
        let said = cli(&data, args).failed(3);
        assert!(said.contains("opening the cursor file"), "{said}");
    }
    let said = cli(&data, &["tail", "--cursor-file", "/dev/full"]).failed(3);
    assert!(said.contains("no regular file"), "{said}");
    let nowhere = dir.path().join("none/cursor");
    let said = cli(&data, &["tail", "--cursor-file", nowhere.to_str().unwrap()]).failed(3);
    assert!(said.contains("opening the cursor file"), "{said}");

    // Two tails do not keep one cursor.
    fs::remove_dir(&path).unwrap();
    let following = Running::start(&data, &["-n", "all", "--cursor-file", &cursor]);
    assert_eq!(following.seq(), 1);
    let said = tail(&data).failed(3);
    assert!(said.contains("another tail"), "{said}");
}

#[test]
fn a_prune_and_a_copy_of_the_folder_leave_a_cursor_good() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let (path, cursor) = cursor_file(&dir);
    for day in 0..4 {
        let time = 1_600_000_000 + day * 86_400;
        post(
            &server,
            "/webhook",
            &format!("type=update&profile=1&time={time}&fields[v]={day}"),
        );
    }
    let args = ["tail", "--cursor-file", &cursor];
    assert_eq!(json_lines(&cli(&data, &args).ok()).len(), 4);
    cli(&data, &["prune", "--before", "2021-01-01", "--yes"]).ok();
    cli(&data, &args).failed(1);
    let seq = post(&server, "/webhook", &update(1, "x"));
    assert_eq!(json_lines(&cli(&data, &args).ok())[0]["seq"], seq);
    server.stop();
    let copy = dir.path().join("copy");
    copy_folder(&data, &copy);
    cli(&copy, &args).failed(1);
    assert!(path.exists());
}

#[test]
fn people_see_events_and_nothing_hostile() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let hostile = "type=%1b%5b31m&profile=1&fields[%1b]=x";
    post(
        &server,
        "/webhook/crm",
        "type=update&profile=1&time=1760000000&parameters[mail]=a&fields[mail]=a",
    );
    post(
        &server,
        "/webhook",
        "type=update&profile=1&time=1760000100&parameters[mail]=%1b[2J%E2%80%AE&parameters[%0a]=z&fields[mail]=%1b[2J%E2%80%AE&fields[city]=",
    );
    post(&server, "/webhook", hostile);
    let shown = cli(&data, &["tail", "--format", "table", "--timezone", "UTC"]).ok();
    let mut lines = shown.lines();
    assert_eq!(
        lines.next(),
        Some("1  2025-10-09 08:53:20 UTC  1  update  crm")
    );
    assert_eq!(lines.next(), Some("    mail: ? → a"));
    assert_eq!(lines.next(), Some("2  2025-10-09 08:55:00 UTC  1  update"));
    assert_eq!(lines.next(), Some("    mail: a → \\u{1b}[2J\\u{202e}"));
    assert_eq!(
        lines.next(),
        Some("    city: (absent) → \"\"  (unexplained since 2025-10-09 08:53:20 UTC)")
    );
    assert!(
        lines
            .next()
            .unwrap()
            .ends_with("1  \\u{1b}[31m  (no change)")
    );
    assert_eq!(lines.next(), None);

    let explained = cli(
        &data,
        &["explain", "2", "--format", "table", "--timezone", "UTC"],
    )
    .ok();
    for part in [
        "event 2  update of 1\n  time        2025-10-09 08:55:00 UTC\n",
        "\napplied\n  mail: a → \\u{1b}[2J\\u{202e}\n",
        "\nignored\n  \\n: asked was z, and nothing is called so\n",
        "\nchanged without being asked\n  city: (absent) → \"\"\n",
    ] {
        assert!(explained.contains(part), "{explained}");
    }
    let colored = cli(&data, &["tail", "--format", "table", "--color", "always"]).ok();
    assert!(colored.contains("\u{1b}[32m") && !colored.contains("\u{1b}[2J"));
    let plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    assert!(plain(&shown) && plain(&explained));
}

#[test]
fn what_came_of_what_was_asked() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    for body in [
        "type=create&profile=1&time=10&parameters[age]=042&parameters[news]=1&fields[age]=42&fields[x]=&interests[]=news",
        "type=update&profile=1&time=20&parameters[age]=41&parameters[x]=",
        "type=update&profile=1&time=30&parameters[age]=abc&parameters[x]=z&parameters[news]=0&fields[age]=0&fields[x]=&interests[]=news&interests[]=red",
        "type=update&profile=1&time=30&parameters[age]=abc&parameters[x]=z&parameters[news]=0&fields[age]=0&fields[x]=&interests[]=news&interests[]=red",
        "type=click&profile=1&time=40&parameters[x]=q&parameters[url]=u",
        "type=delete&profile=1&time=50&fields[age]=7&fields[x]=",
        "type=update&profile=1&time=60&parameters[age]=5&parameters[b]=c&fields[age]=6&fields[y]=1",
    ] {
        post(&server, "/webhook", body);
    }
    let expected = [
        json!([
            {"field":"age","asked":"042","old":null,"new":"42","outcome":"coerced"},
            {"interest":"news","asked":"1","old":false,"new":true,"outcome":"applied"},
            {"field":"x","old":null,"new":"","outcome":"unasked"},
        ]),
        json!([
            {"field":"age","asked":"41","old":"42","new":"41","outcome":"applied"},
            {"field":"x","asked":"","old":"","new":"","outcome":"already_so"},
        ]),
        json!([
            {"field":"age","asked":"abc","old":"41","new":"0","outcome":"coerced"},
            {"field":"x","asked":"z","old":"","new":"","outcome":"ignored"},
            {"interest":"news","asked":"0","old":true,"new":true,"outcome":"ignored"},
            {"interest":"red","old":false,"new":true,"outcome":"unasked"},
        ]),
        json!([
            {"field":"age","asked":"abc","old":"0","new":"0","outcome":"ignored"},
            {"field":"x","asked":"z","old":"","new":"","outcome":"ignored"},
            {"interest":"news","asked":"0","old":true,"new":true,"outcome":"ignored"},
        ]),
        json!([
            {"field":"x","asked":"q","old":"","new":"","outcome":"ignored"},
            {"field":"url","asked":"u","old":null,"new":null,"outcome":"ignored"},
        ]),
        json!([{"field":"age","old":"0","new":"7","outcome":"unasked"}]),
        // What was before is not known: nothing is said of it.
        json!([
            {"field":"age","asked":"5","new":"6","outcome":"coerced"},
            {"field":"b","asked":"c","new":null,"outcome":"ignored"},
        ]),
    ];
    for (seq, expected) in (1..).zip(expected) {
        let outcome = cli(&data, &["explain", &seq.to_string()]);
        let unknown = outcome
            .stderr
            .contains("what 1 was before event 7 is not known");
        assert_eq!(unknown, seq == 7, "{}", outcome.stderr);
        assert_eq!(json!(json_lines(&outcome.ok())), expected, "event {seq}");
    }
    let people = cli(&data, &["explain", "4", "--format", "table"]).ok();
    assert!(people.contains("it repeats event 3"), "{people}");
}

#[test]
fn a_page_goes_on_after_an_event() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    let token = support::http::token(&data, "read");
    for number in 1..=5 {
        post(&server, "/webhook", &update(number, "a"));
    }
    let page = |target: &str| {
        let reply = support::http::ask(server.api(), &token, target);
        assert_eq!(reply.status, 200);
        let lines = json_lines(std::str::from_utf8(&reply.body).unwrap());
        let seqs: Vec<u64> = lines
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect();
        (seqs, reply.header("Profiletrail-Note").map(str::to_owned))
    };
    assert_eq!(page("/v1/tail?after=0&limit=2"), (vec![1, 2], None));
    assert_eq!(page("/v1/tail?after=2&limit=2"), (vec![3, 4], None));
    assert_eq!(page("/v1/tail?after=4&limit=2"), (vec![5], None));
    assert_eq!(page("/v1/tail?after=5"), (vec![], None));
    assert_eq!(page("/v1/tail?limit=2"), (vec![4, 5], None));
    let (seqs, note) = page("/v1/tail?after=6");
    assert!(seqs.is_empty() && note.unwrap().contains("the log ends with event 5"));
}

#[test]
fn one_whose_reader_has_gone_ends_though_nothing_comes() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    post(&server, "/webhook", &update(1, "a"));
    let mut command = clean(BINARY);
    command.args(["tail", "-f"]).arg("--data").arg(&data);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(json_lines(&line)[0]["seq"], 1);
    drop(reader);
    eventually("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn through_a_pipe_each_event_comes_once_when_nothing_is_killed_between_two_steps() {
    let (dir, mut server) = new_server(&[]);
    let data = data(&dir);
    let (_, cursor) = cursor_file(&dir);
    let args = ["-n", "all", "--cursor-file", &cursor];
    let mut expected = 1..;
    for round in 0..4 {
        let following = Running::start(&data, &args);
        for number in 0..20 {
            let seq = post(&server, "/webhook", &update(number, &round.to_string()));
            assert_eq!(Some(seq), expected.next());
            assert_eq!(following.seq(), seq);
        }
        if round % 2 == 0 {
            server.stop();
            server = Server::start(&data, &[]);
        }
        // It has nothing more to say: the cursor is where the last line is.
        eventually("the cursor stands after the last event", || {
            let text = fs::read(dir.path().join("cursor")).unwrap();
            let last = format!("\"seq\":{},", 20 * (round + 1));
            String::from_utf8_lossy(&text).contains(&last)
        });
    }
}

/// Flips a bit of the body that has this in it, in one of the log's segments.
fn damage(data: &Path, part: &str) {
    let names = fs::read_dir(data.join("log")).unwrap();
    let paths = names.map(|name| name.unwrap().path());
    let mut flipped = 0;
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "log")) {
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = memchr::memmem::find(&bytes, part.as_bytes()) {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_shown() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    for (profile, value) in [(1, "a"), (2, "DAMAGED"), (3, "c"), (1, "d")] {
        post(&server, "/webhook", &update(profile, value));
    }
    server.stop();
    damage(&data, "DAMAGED");
    let seqs = |text: &str| -> Vec<u64> {
        let lines = json_lines(text);
        lines
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect()
    };
    let (_, cursor) = cursor_file(&dir);
    for args in [&["tail"][..], &["tail", "--cursor-file", &cursor]] {
        let outcome = cli(&data, args);
        assert_eq!(seqs(&outcome.stdout), [1, 3, 4]);
        let said = outcome.failed(3);
        assert!(said.contains("event 2 cannot be read"), "{said}");
    }
    let said = cli(&data, &["explain", "2"]).failed(3);
    assert!(said.contains("event 2 cannot be read"), "{said}");
    let _server = Server::start(&data, &[]);
    let following = Running::start(&data, &["-n", "all"]);
    for seq in [1, 3, 4] {
        assert_eq!(following.seq(), seq);
    }
    assert!(following.said().contains("cannot be read"));
}

#[test]
fn the_output_decides_what_was_written_where_the_cursor_lags() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let (path, cursor) = cursor_file(&dir);
    let out = dir.path().join("out");
    let tail = |args: &[&str]| {
        let mut command = clean(BINARY);
        command.args(["tail", "-n", "all", "--cursor-file", &cursor]);
        command.args(args).arg("--data").arg(&data);
        let file = fs::OpenOptions::new().create(true).append(true).open(&out);
        command.stdout(file.unwrap()).stderr(Stdio::null());
        command.status().unwrap().code()
    };
    post(&server, "/webhook", &update(1, "a"));
    assert_eq!(tail(&[]), Some(0));
    let before = fs::read(&path).unwrap();
    post(&server, "/webhook", &update(1, "b"));
    post(&server, "/webhook", &update(1, "c"));
    assert_eq!(tail(&[]), Some(0));
    let whole = fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 3);
    // As a kill leaves it: the second line is whole or torn, the cursor is before it.
    for cut in [0, 1, 9, lines[1].len() - 1, lines[1].len()] {
        // In place: another file would be another output.
        let file = fs::OpenOptions::new().write(true).open(&out).unwrap();
        file.set_len((lines[0].len() + cut) as u64).unwrap();
        fs::write(&path, &before).unwrap();
        assert_eq!(tail(&[]), Some(0), "{cut}");
        assert_eq!(fs::read_to_string(&out).unwrap(), whole, "{cut}");
    }
    // Emptied by a rotation, and another file: nothing comes twice.
    fs::write(&out, "").unwrap();
    assert_eq!(tail(&[]), Some(1));
    fs::rename(&out, dir.path().join("out.1")).unwrap();
    let seq = post(&server, "/webhook", &update(1, "d"));
    assert_eq!(tail(&[]), Some(0));
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(json_lines(&text)[0]["seq"], seq);
    assert_eq!(text.lines().count(), 1);
    // Output for people tells no seq: it is only written.
    post(&server, "/webhook", &update(1, "e"));
    assert_eq!(tail(&["--format", "table"]), Some(0));
    assert!(fs::read_to_string(&out).unwrap().ends_with("v: d → e\n"));
}

#[test]
fn one_that_reads_nothing_keeps_no_server_from_its_end() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut command = clean(BINARY);
    command
        .args(["tail", "-f", "-n", "all"])
        .arg("--data")
        .arg(&data);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let long = "x".repeat(200_000);
    // More than pipes and sockets hold.
    for number in 0..20 {
        post(&server, "/webhook", &update(number, &long));
    }
    // Others are answered, and follow.
    let following = Running::start(&data, &["-n", "1"]);
    assert_eq!(following.seq(), 20);
    server.stop();
    child.kill().unwrap();
    child.wait().unwrap();
}
