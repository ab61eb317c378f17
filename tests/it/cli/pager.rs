//! Long answers go through the pager, on a terminal of the test's own.
//!
//! Proven: what fits on the screen is not paged, what does not is, with `LESS`
//! set; `--no-pager` and an empty pager; one that is not there, one that is left
//! early, and an interrupt while it runs.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::support::{BINARY, Server, clean, eventually};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

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

/// A command on a terminal of 24 rows.
struct OnTerminal {
    child: Child,
    shown: std::thread::JoinHandle<String>,
}

impl OnTerminal {
    fn start(data: &Path, args: &[&str], pager: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        let child = clean(BINARY)
            .args(args)
            .arg("--data")
            .arg(data)
            .env("PROFILETRAIL_PAGER", pager)
            .env("TERM", "xterm")
            .env_remove("LESS")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let mut master = File::from(master);
        let shown = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut part = [0; 4096];
            // The last of the terminal's users gone is an error here.
            while let Ok(count) = master.read(&mut part)
                && count > 0
            {
                bytes.extend(part.iter().take(count));
            }
            String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
        });
        Self { child, shown }
    }

    /// Its exit status, and what stood on the terminal.
    fn end(mut self) -> (Option<i32>, String) {
        let mut status = None;
        eventually("the command ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (
            status.and_then(|status| status.code()),
            self.shown.join().unwrap(),
        )
    }
}

#[test]
fn what_is_longer_than_the_screen_is_paged() {
    let (dir, data) = folder();
    let paged = dir.path().join("paged");
    let pager = format!("echo $LESS > {0}; cat >> {0}", paged.display());
    let (status, shown) = OnTerminal::start(&data, SHORT, &pager).end();
    assert_eq!(status, Some(0));
    assert!(shown.contains("profile 5"), "{shown}");
    assert!(!paged.exists(), "a short answer was paged");

    let (status, shown) = OnTerminal::start(&data, LONG, &pager).end();
    assert_eq!((status, shown.as_str()), (Some(0), ""));
    let text = fs::read_to_string(&paged).unwrap();
    assert!(text.starts_with("FRX\n"), "{text}");
    assert_eq!(text.lines().count(), 1 + 1 + 200);
    assert!(text.contains('\u{1b}'), "colours go through the pager");
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
