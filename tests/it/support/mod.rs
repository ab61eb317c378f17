//! Driving the real binary: a server that dies with its test, a small HTTP
//! client, and commands that cannot hang.
//!
//! Everything runs on the loopback, on ports that the system gives, in an
//! environment without this program's variables. A wait has a bound so generous
//! that reaching it means 'never'.

pub mod api;
pub mod browser;
pub mod compared;
pub mod counted;
#[cfg(feature = "fuzzing")]
pub mod crashed_log;
#[cfg(feature = "fuzzing")]
pub mod damaged_log;
pub mod demo;
pub mod dns;
pub mod dossier;
#[cfg(feature = "fuzzing")]
pub mod files;
pub mod flaky;
pub mod folders;
pub mod fortnight;
pub mod hostile;
pub mod http;
pub mod looks;
#[cfg(feature = "nats")]
pub mod nats;
pub mod notary;
pub mod recorder;
pub mod ring;
#[cfg(feature = "fuzzing")]
pub mod sealed_log;
mod server;
pub mod shop;
pub mod signer;
pub mod store;
pub mod tail;
pub mod terminal;
pub mod tls;
pub mod visitor;
pub mod week;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

pub use http::Client;
pub use server::Server;

/// The longest that a command or a start may take before it is called hung.
pub const NEVER: Duration = Duration::from_secs(60);

/// The program's file.
pub const BINARY: &str = env!("CARGO_BIN_EXE_profiletrail");

/// A fixture's text.
pub fn fixture(name: &str) -> String {
    let path = fixture_path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fixture's path.
pub fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A command in an environment without this program's variables.
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PROFILETRAIL_")
            || matches!(text.as_ref(), "NO_COLOR" | "COLUMNS" | "RUST_LOG")
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Waits for a child; after a while it is killed, and the test fails.
fn wait(child: &mut Child, bound: Duration, what: &str) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > bound {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{what} had not ended after {bound:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A thread that reads a pipe to its end.
fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The standard error of a command that must have ended so.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// A command on its way.
pub struct Cli {
    command: Command,
    stdin: Vec<u8>,
}

impl Cli {
    pub fn new(data: &Path, args: &[&str]) -> Self {
        let mut command = clean(BINARY);
        command.args(args).arg("--data").arg(data);
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    /// Without `--data`.
    pub fn bare(args: &[&str]) -> Self {
        let mut command = clean(BINARY);
        command.args(args);
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// In a working directory.
    pub fn inside(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub fn run(mut self) -> Outcome {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.stdin;
        let feeder = std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let stdout = drain(child.stdout.take().unwrap());
        let stderr = drain(child.stderr.take().unwrap());
        let status = wait(&mut child, NEVER, &format!("{:?}", self.command));
        feeder.join().unwrap();
        let text = |bytes: JoinHandle<Vec<u8>>| String::from_utf8(bytes.join().unwrap()).unwrap();
        Outcome {
            status: status.code(),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }
}

/// Runs a command on a data folder.
pub fn cli(data: &Path, args: &[&str]) -> Outcome {
    Cli::new(data, args).run()
}

/// The lines of an answer as JSON.
#[track_caller]
pub fn json_lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    };
    text.lines().map(parse).collect()
}

/// All of these stand in a text.
#[track_caller]
pub fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

/// The keys of an object, in their order.
pub fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

/// Waits until something holds; a test fails that waits in vain.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < NEVER, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says at its end, by a panic as well, that something is over.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Numbers that are alike in every run (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// Copies a folder with all that is in it; only the owner may use the copy.
pub fn copy_folder(from: &Path, to: &Path) {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&source, &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(&source, &target).unwrap();
        }
    }
}

/// What is in a folder, in order.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The files, without sockets, in a folder and in those below it, in order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// The segments of a data folder's events, plain and sealed, in order.
pub fn segments(data: &Path) -> Vec<PathBuf> {
    let mut paths = entries(&data.join("log"));
    paths.retain(|path| {
        matches!(
            path.extension().and_then(OsStr::to_str),
            Some("log" | "zst")
        )
    });
    paths
}

/// Changes a bit of the byte of a file at a place, which is found by its bytes.
pub fn flip(path: &Path, place: impl FnOnce(&[u8]) -> usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let place = place(&bytes);
    bytes[place] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// A call like any other.
pub const BODY: &str = "type=update&profile=5&time=1760000000&fields%5Bmail%5D=a";

/// A server on a new folder, whose parent is kept.
pub fn new_server(args: &[&str]) -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), args);
    (dir, server)
}

/// Its data folder.
pub fn data(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("data")
}

/// Every event with its body.
pub fn exported(data: &Path) -> Vec<Value> {
    json_lines(&cli(data, &["export", "--raw"]).ok())
}
