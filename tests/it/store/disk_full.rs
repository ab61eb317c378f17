//! A full disk stops the taking of calls, and nothing else.
//!
//! On a tiny file system (where mounting is permitted) and under a limit on the
//! size of files: calls are posted until one is answered 503. Proven: from then
//! on every call is, and `/healthz` too; the log says once what the operator must
//! do; questions are answered with every acknowledged event; the server ends
//! well; it starts again on the full disk and answers; and once there is room,
//! a start accepts calls again, with nothing acknowledged lost.
//!
//! With `--min-free` it does not come to that: calls are answered 503 before
//! the disk is full, and accepted again by the same server once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{BINARY, Client, Server, clean, cli, json_lines};

/// A body of some kilobytes that is like no other.
fn body(number: u64) -> String {
    let noise: String = (0..400)
        .map(|place| format!("{:x}", number * 7919 + place * 104_729))
        .collect();
    format!(
        "type=update&profile={}&time={}&fields%5Bv%5D={noise}",
        number % 5 + 1,
        1_760_000_000 + number
    )
}

/// Posts until a call is answered 503: what was acknowledged before.
fn post_until_full(client: &mut Client, kept: &mut Vec<String>) {
    for number in kept.len() as u64.. {
        let body = body(number);
        let reply = client.post("/webhook", &body);
        if reply.status == 503 {
            assert!(reply.header("Retry-After").is_some());
            assert!(reply.json()["error"].is_string());
            return;
        }
        assert_eq!(reply.seq(), number + 1);
        kept.push(body);
        assert!(number < 100_000, "the disk is never full");
    }
}

/// Every acknowledged event is in the answers, including those by the index.
fn all_is_answered(data: &Path, kept: &[String]) {
    let exported = json_lines(&cli(data, &["export", "--raw"]).ok());
    let bodies: Vec<&str> = exported
        .iter()
        .map(|line| line["body"].as_str().unwrap())
        .collect();
    let missing = kept
        .iter()
        .zip(&bodies)
        .position(|(kept, found)| kept != found);
    assert_eq!(missing, None);
    assert!(
        bodies.len() >= kept.len(),
        "{} of {}",
        bodies.len(),
        kept.len()
    );
    let mut histories = 0;
    for profile in 1..6 {
        histories += cli(data, &["history", &profile.to_string(), "--all"])
            .ok()
            .lines()
            .count();
    }
    assert_eq!(histories, bodies.len());
    assert!(!cli(data, &["changes", "--profile", "1"]).ok().is_empty());
}

fn is_unavailable(client: &mut Client, data: &Path) {
    for _ in 0..3 {
        assert_eq!(client.post("/webhook", body(0)).status, 503);
        let health = client.get("/healthz");
        assert_eq!(health.status, 503);
        assert_eq!(health.json()["where"], "server");
        // Where the data is kept is nobody's business.
        let text = String::from_utf8(health.body).unwrap();
        assert!(!text.contains(data.to_str().unwrap()), "{text}");
    }
}

/// Runs the whole story. `start` starts a server on the disk that fills up.
fn a_full_disk(data: &Path, start: impl Fn() -> Server, make_room: impl FnOnce()) {
    let server = start();
    let mut client = server.client();
    let mut kept = Vec::new();
    post_until_full(&mut client, &mut kept);
    assert!(kept.len() > 10, "{}", kept.len());
    is_unavailable(&mut client, data);
    all_is_answered(data, &kept);
    stops_soon(server, |log| {
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
        let count = errors
            .iter()
            .filter(|line| line.contains("start the server again"))
            .count();
        assert_eq!(count, 1, "{log}");
        assert!(errors.len() < 20, "{log}");
        // An index that is only full is no damaged one.
        assert!(!log.contains("set aside"), "{log}");
    });
    // Started on a disk that is still full, twice.
    for _ in 0..2 {
        let server = start();
        all_is_answered(data, &kept);
        // What fits in the last gap may be taken; soon nothing is.
        let mut client = server.client();
        let before = kept.len();
        post_until_full(&mut client, &mut kept);
        assert!(kept.len() < before + 50, "{} after {before}", kept.len());
        all_is_answered(data, &kept);
        stops_soon(server, |_| ());
        all_is_answered(data, &kept);
    }
    make_room();
    let server = Server::start(data, &["--min-free", "0"]);
    assert_eq!(server.client().get("/healthz").status, 200);
    all_is_answered(data, &kept);
    let seq = server
        .client()
        .post("/webhook", body(kept.len() as u64))
        .seq();
    assert!(seq > kept.len() as u64);
    all_is_answered(data, &kept);
    let log = server.stop();
    assert!(!log.contains("ERROR"), "{log}");
    all_is_answered(data, &kept);
}

fn stops_soon(server: Server, check: impl Fn(&str)) {
    let begun = Instant::now();
    let log = server.stop();
    assert!(begun.elapsed() < Duration::from_secs(30), "{log}");
    check(&log);
}

/// A mounted file system, unmounted when dropped.
struct Tiny(PathBuf);

impl Tiny {
    /// `None` where it is not permitted.
    fn mount(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", size, "tmpfs"])
            .arg(path)
            .output();
        mounted.ok().filter(|output| output.status.success())?;
        Some(Self(path.to_owned()))
    }

    fn grow(&self) {
        let grown = Command::new("mount")
            .args(["-o", "remount,size=128m"])
            .arg(&self.0)
            .status();
        assert!(grown.unwrap().success());
    }
}

impl Tiny {
    /// How many bytes are free.
    fn free(&self) -> usize {
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        (disk.f_bavail * disk.f_frsize) as usize
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_file_system_that_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tiny) = Tiny::mount(&dir.path().join("tiny"), "size=4m") else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let data = tiny.0.join("data");
    let start = || Server::start(&data, &["--min-free", "0"]);
    a_full_disk(&data, start, || tiny.grow());
}

#[test]
fn a_file_system_that_is_almost_full() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tiny) = Tiny::mount(&dir.path().join("tiny"), "size=64m") else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let data = tiny.0.join("data");
    // The index, too, takes room and gives it back: less of it than makes a
    // difference here.
    let filling = tiny.0.join("filling");
    fs::write(&filling, vec![1; tiny.free() - (36 << 20)]).unwrap();
    let server = Server::start(&data, &["--min-free", "32MiB"]);
    let mut client = server.client();
    let mut kept = Vec::new();
    post_until_full(&mut client, &mut kept);
    assert!(kept.len() > 10, "{}", kept.len());
    is_unavailable(&mut client, &data);
    assert!(tiny.free() > 28 << 20, "{}", tiny.free());
    all_is_answered(&data, &kept);
    let lines = cli(&data, &["export", "--raw"]).ok();
    let refused = crate::support::Cli::new(&data, &["import"])
        .stdin(lines.replace("\"profile\":1", "\"profile\":7"));
    let refused = refused.run().failed(3);
    assert!(refused.contains("--min-free"), "{refused}");
    let logged = |log: &str, what: &str| log.lines().filter(|line| line.contains(what)).count();
    crate::support::eventually("it is logged", || {
        logged(&server.log(), "less than the ") == 1
    });
    // Room, without a restart; then none again.
    for round in 1..3 {
        tiny.grow();
        crate::support::eventually("calls are accepted again", || {
            client.get("/healthz").status == 200
        });
        let seq = client.post("/webhook", body(kept.len() as u64)).seq();
        kept.push(body(kept.len() as u64));
        assert_eq!(seq, kept.len() as u64);
        crate::support::eventually("it is logged", || {
            logged(&server.log(), "calls are accepted again") == round
        });
        let more = tiny.0.join("more");
        fs::write(&more, vec![1; tiny.free() - (28 << 20)]).unwrap();
        crate::support::eventually("calls are refused again", || {
            client.get("/healthz").status == 503
        });
        is_unavailable(&mut client, &data);
        fs::remove_file(&more).unwrap();
    }
    crate::support::eventually("calls are accepted again", || {
        client.get("/healthz").status == 200
    });
    all_is_answered(&data, &kept);
    server.kill();
    let server = Server::start(&data, &["--min-free", "1GiB"]);
    is_unavailable(&mut server.client(), &data);
    all_is_answered(&data, &kept);
    stops_soon(server, |log| assert!(!log.contains("ERROR"), "{log}"));
}

/// A server no file of which may grow beyond a number of blocks of 512 bytes.
fn limited(data: &Path, blocks: u32) -> Server {
    let mut command = clean("sh");
    command
        .args([
            "-c",
            &format!("ulimit -f {blocks}; exec \"$0\" \"$@\""),
            BINARY,
        ])
        .args(Server::arguments(data, &["--min-free", "0"]));
    Server::spawn(command).unwrap()
}

#[test]
fn files_that_cannot_grow() {
    // The smaller limit is below what sled needs to begin with.
    for blocks in [3_000, 400] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        a_full_disk(&data, || limited(&data, blocks), || ());
    }
}
