//! Measures whole processes: time, memory, output.
//!
//! They are children of a small helper process, not of the benchmark: the kernel
//! includes the memory that a process had before `exec`, which would be the
//! benchmark's. Their output goes through a pipe, is counted and discarded.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use wait4::Wait4;

use super::median;
use super::supervised::supervised;

/// After so long in all, a program is not run again.
const ENOUGH: Duration = Duration::from_secs(60);

/// After so long a program is ended, and with it the benchmark.
const TOO_LONG: Duration = Duration::from_secs(3600);

/// The cost of running a program.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Timed {
    /// From its start to its end, each time, in milliseconds.
    pub all_ms: Vec<f64>,
    /// The most memory of any time, in KiB.
    pub peak_kib: u64,
    /// Lines that it wrote the last time.
    pub lines: u64,
    /// Bytes that it wrote the last time.
    pub bytes: u64,
}

impl Timed {
    /// The median of the times in milliseconds.
    pub fn ms(&self) -> f64 {
        median(self.all_ms.clone())
    }

    /// Lines in a second.
    pub fn per_second(&self) -> f64 {
        self.lines as f64 / (self.ms() / 1e3).max(f64::EPSILON)
    }
}

/// Runs a question to profiletrail up to `times` times.
pub fn ask<S: AsRef<str>>(
    binary: &Path,
    data: &Path,
    question: &[S],
    times: usize,
) -> anyhow::Result<Timed> {
    let mut command: Vec<OsString> = vec![binary.into()];
    command.extend(question.iter().map(|part| part.as_ref().into()));
    command.extend(["--data".into(), data.into()]);
    command.extend(["--format".into(), "jsonl".into()]);
    time(&command, times)
}

/// The first line that profiletrail answers to a question, which must have one.
pub fn answer(binary: &Path, data: &Path, question: &[&str]) -> anyhow::Result<Value> {
    let output = supervised(binary)?
        .args(question)
        .arg("--data")
        .arg(data)
        .args(["--format", "jsonl"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let line = output.stdout.split(|byte| *byte == b'\n').next();
    serde_json::from_slice(line.unwrap_or_default()).with_context(|| question.join(" "))
}

/// Runs a program up to `times` times. Status 1 says that nothing was found and
/// is no failure.
pub fn time(command: &[OsString], times: usize) -> anyhow::Result<Timed> {
    let output = supervised(std::env::current_exe()?)?
        .args(["time", "--times", &times.to_string(), "--"])
        .args(command)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("{command:?} failed");
    }
    serde_json::from_slice(&output.stdout).context("what a program took")
}

/// The work of the helper process.
pub fn run(times: usize, command: &[OsString]) -> anyhow::Result<()> {
    let running = end_it_too()?;
    let begun = Instant::now();
    let mut timed = Timed::default();
    for _ in 0..times.max(1) {
        once(command, &running, &mut timed)?;
        if begun.elapsed() > ENOUGH {
            break;
        }
    }
    serde_json::to_writer(std::io::stdout(), &timed)?;
    Ok(())
}

/// Ends the running program if the benchmark ends early. Its process id is stored in the
/// returned value; 0 if no program runs.
fn end_it_too() -> anyhow::Result<Arc<AtomicI32>> {
    let running = Arc::new(AtomicI32::new(0));
    let number = Arc::clone(&running);
    let mut signals = Signals::new([SIGTERM])?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            end(number.load(Ordering::Relaxed));
            std::process::exit(1);
        }
    });
    Ok(running)
}

/// Ends a process, which may have ended already.
fn end(number: i32) {
    if let Some(pid) = Pid::from_raw(number) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn once(command: &[OsString], running: &AtomicI32, timed: &mut Timed) -> anyhow::Result<()> {
    let (program, args) = command.split_first().context("no program")?;
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {}", program.display()))?;
    let number = i32::try_from(child.id())?;
    running.store(number, Ordering::Relaxed);
    let (ended, until) = channel::<()>();
    let watch = std::thread::spawn(move || {
        if matches!(until.recv_timeout(TOO_LONG), Err(RecvTimeoutError::Timeout)) {
            end(number);
        }
    });
    let mut stderr = child.stderr.take().context("no standard error")?;
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        // Unreadable output cannot be passed on.
        let _ = stderr.read_to_string(&mut said);
        said
    });
    let mut stdout = child.stdout.take().context("no standard output")?;
    let (lines, bytes) = count(&mut stdout)?;
    let ended_with = child.wait4()?;
    let took = begun.elapsed();
    running.store(0, Ordering::Relaxed);
    drop(ended);
    // Neither thread panics.
    let _ = watch.join();
    let said = said.join().unwrap_or_default();
    if !matches!(ended_with.status.code(), Some(0 | 1)) {
        bail!("{command:?} ended with {}: {said}", ended_with.status);
    }
    timed.all_ms.push(took.as_secs_f64() * 1e3);
    timed.peak_kib = timed.peak_kib.max(ended_with.rusage.maxrss / 1024);
    (timed.lines, timed.bytes) = (lines, bytes);
    Ok(())
}

/// Lines and bytes of a pipe.
fn count(pipe: &mut impl Read) -> anyhow::Result<(u64, u64)> {
    let mut buffer = vec![0; 64 << 10];
    let (mut lines, mut bytes) = (0, 0);
    loop {
        let count = match pipe.read(&mut buffer) {
            Ok(0) => return Ok((lines, bytes)),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("reading what a program writes"),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        bytes += count as u64;
    }
}
