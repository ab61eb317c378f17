//! A tail that follows, killed with its test, and calls for it to see.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::support::{BINARY, NEVER, Server, clean};

/// A tail that runs, and its lines; killed when dropped.
pub struct Running {
    pub child: Child,
    pub lines: Receiver<String>,
    pub errors: Receiver<String>,
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
    pub fn start(data: &Path, args: &[&str]) -> Self {
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
    pub fn next(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(NEVER).unwrap()).unwrap()
    }

    #[track_caller]
    pub fn seq(&self) -> u64 {
        self.next()["seq"].as_u64().unwrap()
    }

    #[track_caller]
    pub fn said(&self) -> String {
        self.errors.recv_timeout(NEVER).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn post(server: &Server, target: &str, body: &str) -> u64 {
    server.client().post(target, body).seq()
}

pub fn update(profile: u64, value: &str) -> String {
    format!("type=update&profile={profile}&database=3&parameters[v]={value}&fields[v]={value}")
}
