//! What a tail keeps in its cursor file.
//!
//! Proven: it goes on where it was, by way of a pipe and of a file, whose lines
//! decide where the cursor lags; cursor files that are garbage, torn, of another
//! folder, beyond the log or not writable are refused with the way out; pruned and
//! damaged events are no hindrance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::tail::{Running, post, update};
use crate::support::{
    BINARY, Server, clean, cli, copy_folder, data, eventually, has, json_lines, new_server,
};

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
    has(
        &shown,
        &["  update  profile 91\n    set          v  ? → b\n"],
    );
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
    refused(&crate::support::data(&other_dir), "another data folder");
    drop(other);

    let restored = dir.path().join("restored");
    cli(&restored, &["restore", backup.to_str().unwrap()]).ok();
    let second = Server::start(&restored, &[]);
    refused(&restored, "the log ends with event 1");
    // What came after the restore has the number, but is not the event.
    post(&second, "/webhook", &update(1, "c"));
    refused(&restored, "event 2 is a different one now");
    second.stop();

    // Garbage, and files of others.
    let whole = fs::read(&path).unwrap();
    let three_slots = whole[..512].repeat(3);
    for content in [
        b"Dear".to_vec(),
        vec![0; 1024],
        vec![b'\n'; 100_000],
        three_slots,
    ] {
        fs::write(&path, content).unwrap();
        refused(&data, "not a cursor file");
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
    assert!(said.contains("not a regular file"), "{said}");
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
fn through_a_pipe_each_event_comes_once_when_nothing_is_killed_between_two_steps() {
    let (dir, mut server) = new_server(&[]);
    let data = data(&dir);
    let (_, cursor) = cursor_file(&dir);
    let args = ["-n", "all", "--cursor-file", &cursor];
    let mut expected = 1..;
    for round in 0..4 {
        let following = Running::start(&data, &args);
        for number in 1..=20 {
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
    // A table has no seq that could be read back: lines are only appended.
    post(&server, "/webhook", &update(1, "e"));
    assert_eq!(tail(&["--format", "table"]), Some(0));
    assert!(fs::read_to_string(&out).unwrap().ends_with("v  d → e\n"));
}
