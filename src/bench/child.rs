//! Servers as child processes, and their system statistics.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::supervised::supervised;

/// The text that a server prints before its address.
const LISTENING: &str = "listening on ";

/// How long a server may take to stop.
const STOPPING: Duration = Duration::from_secs(60);

/// The kernel's clock ticks in a second, as `/proc` counts them on Linux.
const TICKS: f64 = 100.0;

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    /// Its address.
    pub address: SocketAddr,
}

/// The memory of a process in KiB.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Memory {
    /// The resident memory.
    pub rss_kib: u64,
    /// The most that ever was.
    pub peak_kib: u64,
}

impl Server {
    /// Starts `profiletrail serve` on a folder, with more flags.
    pub fn profiletrail(
        binary: &Path,
        data: &Path,
        workers: usize,
        more: &[String],
    ) -> anyhow::Result<Self> {
        let mut command = supervised(binary)?;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .arg("--workers")
            .arg(workers.to_string())
            .arg("--data")
            .arg(data)
            .args(more);
        Self::start(command)
    }

    /// Starts the do-nothing server.
    pub fn baseline(workers: usize) -> anyhow::Result<Self> {
        let mut command = supervised(std::env::current_exe()?)?;
        command.args(["baseline-server", "--workers", &workers.to_string()]);
        Self::start(command)
    }

    /// Starts a command that says where it listens as profiletrail does.
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let stderr = child.stderr.take().context("no stderr")?;
        let mut lines = BufReader::new(stderr);
        match address(&mut lines) {
            Ok(address) => {
                std::thread::spawn(move || pass_on(lines));
                Ok(Self { child, address })
            }
            Err(error) => {
                // It is of no use, however it ends.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Stops it cleanly and waits for its end.
    pub fn stop(self) -> anyhow::Result<()> {
        let status = self.end()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Asks it to stop and waits for its end, with any status.
    pub fn end(mut self) -> anyhow::Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > STOPPING {
                bail!("the server does not stop");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|value| value.split_whitespace().next()?.parse().ok())
                .with_context(|| format!("no {name} in /proc"))
        };
        Ok(Memory {
            rss_kib: field("VmRSS:")?,
            peak_kib: field("VmHWM:")?,
        })
    }

    /// Resets the peak memory, if the kernel allows it.
    pub fn forget_peak(&self) {
        // Otherwise the peak is that of the whole run, which is not lower.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name may hold anything; the numbers begin after its bracket.
        let (_, numbers) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
        let ticks: f64 = numbers
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|number| number.parse::<f64>().ok())
            .sum();
        Ok(Duration::from_secs_f64(ticks / TICKS))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a clean stop there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(lines: &mut BufReader<ChildStderr>) -> anyhow::Result<SocketAddr> {
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            bail!("the server ended before it listened");
        }
        match line.trim_end().strip_prefix(LISTENING) {
            Some(url) => {
                let (_, address) = url.split_once("://").context("the server's address")?;
                return address.parse().context("the server's address");
            }
            None => eprint!("{line}"),
        }
    }
}

/// The server's messages are worth showing.
fn pass_on(lines: BufReader<ChildStderr>) {
    for line in lines.lines().map_while(Result::ok) {
        eprintln!("{line}");
    }
}
