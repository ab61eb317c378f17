//! `demo` as it shows itself on a terminal of 80 columns, as if it were found by
//! the path. Its ports are the kernel's choice, its moment is the page's.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{BINARY, clean};

/// A demo that runs.
pub struct Demo {
    child: Child,
    output: BufReader<std::io::PipeReader>,
    /// What it has shown, both of its outputs in their order.
    pub text: String,
}

impl Demo {
    /// Starts one, and reads all that it shows before it waits.
    pub fn start(dir: &Path) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = clean(BINARY);
        command
            .current_dir(dir)
            .env("TZ", "UTC")
            .arg0("profiletrail")
            .args(["demo", "--listen", "127.0.0.1:0", "--now", "@1773658967"])
            // The length of the folder's name decides where lines wrap.
            .env("TMPDIR", "/tmp")
            .env("COLUMNS", "80")
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let child = command.spawn().unwrap();
        // Else there would be a writer, and no end.
        drop(command);
        let mut demo = Self {
            child,
            output: BufReader::new(reader),
            text: String::new(),
        };
        while !demo.text.contains("&parameters[newsletter]=Nee'\n") {
            let read = demo.output.read_line(&mut demo.text).unwrap();
            assert!(read > 0, "demo has ended: {}", demo.text);
        }
        demo
    }

    fn folder(&self) -> &str {
        let (_, rest) = self.text.split_once("is in ").unwrap();
        rest.lines().next().unwrap()
    }

    /// Ends it as Ctrl-C does.
    pub fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let mut end = String::new();
        self.output.read_to_string(&mut end).unwrap();
        assert_eq!(end, "profiletrail: stopped, and the folder is gone\n");
        assert!(self.child.wait().unwrap().success());
        assert!(!Path::new(self.folder()).exists());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Asked first, so that no folder is left; nothing is there after `end`.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Puts fixed ones in the place of what differs from run to run of `demo`: ports,
/// the folder, the token, and, by the moment, dates and how many calls there are.
pub fn normalise(text: &str) -> String {
    let put = |text: String, pattern: &str, by: &str| {
        let pattern = Regex::new(pattern).unwrap();
        pattern.replace_all(&text, by).into_owned()
    };
    [
        (
            r"(answering questions on http://127\.0\.0\.1:)[0-9]+",
            "${1}8082",
        ),
        (
            r"(http://127\.0\.0\.1:)[0-9]+(/#ptr_)[A-Za-z0-9_-]+",
            "${1}8082${2}TOKEN",
        ),
        (r"(listening on http://127\.0\.0\.1:)[0-9]+", "${1}8080"),
        (r"(http://127\.0\.0\.1:)[0-9]+(/webhook/)", "${1}8080${2}"),
        (r"(profiletrail-demo-)[A-Za-z0-9]{6}", "${1}x1Yz2A"),
        (r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b", "2026-03-13"),
        (r"\b[0-9],[0-9]{3} calls\b", "5,353 calls"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (pattern, by)| {
        put(text, pattern, by)
    })
}
