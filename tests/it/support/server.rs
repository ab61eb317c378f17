//! A server that dies with its test.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{BINARY, Client, NEVER, clean, wait};

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    drained: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a folder and waits until it answers calls.
    #[track_caller]
    pub fn start(data: &Path, args: &[&str]) -> Self {
        Self::try_start(data, args).unwrap_or_else(|(_, log)| panic!("no server: {log}"))
    }

    /// The same; where it ends before it answers, its status and its log.
    pub fn try_start(data: &Path, args: &[&str]) -> Result<Self, (Option<i32>, String)> {
        let mut command = clean(BINARY);
        command.args(Self::arguments(data, args));
        Self::spawn(command)
    }

    /// The arguments of a server at a free port.
    pub fn arguments(data: &Path, args: &[&str]) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["serve".into(), "--data".into(), data.into()];
        if !args.contains(&"--listen") {
            all.extend(["--listen".into(), "127.0.0.1:0".into()]);
        }
        all.extend(args.iter().map(OsString::from));
        all
    }

    /// Starts a command that is, or becomes, a server.
    pub fn spawn(command: Command) -> Result<Self, (Option<i32>, String)> {
        Self::spawn_from(command, Stdio::null())
    }

    /// The same with a standard input.
    pub fn spawn_from(mut command: Command, stdin: Stdio) -> Result<Self, (Option<i32>, String)> {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, drained) = read_lines(stderr, Arc::clone(&log));
        let begun = Instant::now();
        loop {
            let left = NEVER.saturating_sub(begun.elapsed());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    // The line, or an object that has it.
                    let url = line.split_once("listening on ");
                    if let Some((_, address)) = url.and_then(|(_, url)| url.split_once("://")) {
                        let address = address.split('"').next().unwrap();
                        return Ok(Self {
                            child,
                            address: address.parse().unwrap(),
                            log,
                            drained: Some(drained),
                        });
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = wait(&mut child, NEVER, "a server that does not start");
                    drained.join().unwrap();
                    let log = log.lock().unwrap().clone();
                    return Err((status.code(), log));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the server never listened: {}", log.lock().unwrap());
                }
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A figure of the process's memory, by its name in `/proc`.
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(field));
        let number = value.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A new connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end: its status and all it wrote.
    #[track_caller]
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child, NEVER, "the server");
        self.drained.take().unwrap().join().unwrap();
        let log = self.log.lock().unwrap().clone();
        (status, log)
    }

    /// Ends it as an operator does; it must end well. Gives its log.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(
    pipe: impl Read + Send + 'static,
    log: Arc<Mutex<String>>,
) -> (Receiver<String>, JoinHandle<()>) {
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&line).into_owned();
            log.lock().unwrap().push_str(&text);
            let _ = sender.send(text.trim_end().to_owned());
            line.clear();
        }
    });
    (receiver, thread)
}
