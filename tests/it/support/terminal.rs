//! A command on a terminal of the test's own.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{BINARY, clean, eventually};

/// A command on a terminal of 24 rows.
pub struct OnTerminal {
    pub child: Child,
    master: File,
    shown: std::thread::JoinHandle<String>,
}

impl OnTerminal {
    pub fn start(data: &Path, args: &[&str], pager: &str) -> Self {
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
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let shown = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut part = [0; 4096];
            // The last of the terminal's users gone is an error here.
            while let Ok(count) = reader.read(&mut part)
                && count > 0
            {
                bytes.extend(part.iter().take(count));
            }
            String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
        });
        Self {
            child,
            master,
            shown,
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.master
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    /// Its exit status, and what stood on the terminal.
    pub fn end(mut self) -> (Option<i32>, String) {
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
