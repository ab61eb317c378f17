//! The command line: arguments, one query per command, and output for people.
//!
//! Three steps from the arguments: clap's structs ([`args`]) with all sources of settings
//! merged ([`env_file`]), the terminal and the clock read once ([`CommandContext`]), and
//! one `match` ([`run`]). Output for programs is the unchanged lines of the answer;
//! [`output`] makes output for people from the same lines.

/// Prints a message of the program on standard error: `profiletrail: …`.
macro_rules! message {
    ($($text:tt)*) => {
        $crate::cli::say(&format!("profiletrail: {}", format_args!($($text)*)))
    };
}

/// Ends a command for wrong usage, as `bail!` does for a failure.
macro_rules! wrong_usage {
    ($($text:tt)*) => {
        return Err($crate::cli::UsageError::new(format!($($text)*)).into())
    };
}

mod answer_args;
mod args;
mod ask;
mod backup;
mod client;
mod complete;
mod context;
mod demo;
mod doctor;
mod dossier;
mod env_file;
mod erase;
mod evidence;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod generate;
mod help;
mod import;
mod incidents;
mod logging;
mod maintenance;
mod out_file;
pub(crate) mod output;
mod pager;
mod progress;
mod prompt;
mod proofs;
mod prune;
mod reconcile;
mod rejected;
mod schema;
mod serve;
mod server_args;
mod tail;
mod token;
mod validation;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use rustix::fs::Mode;
use signal_hook::consts::SIGXFSZ;

use crate::query::Answered;
use answer_args::{Format, ResultOutput, TIMES, formats};
use args::Command;
use context::{CommandContext, UsageError};
use pager::PagedStdout;
use progress::Bar;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitStatus {
    /// Answered, or done.
    Success,
    /// Nothing was found, or a prompt was declined.
    Nothing,
    /// Something failed, and the reason was printed.
    Failed,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => Self::SUCCESS,
            ExitStatus::Nothing => Self::from(1),
            ExitStatus::Failed => Self::from(3),
        }
    }
}

/// Runs the program. Exit status: 0 answered or done, 1 nothing found or nothing
/// done, 2 wrong usage, 3 failed.
pub fn main() -> ExitCode {
    complete::complete();
    let outcome =
        env_file::parse().and_then(|args| run(args.command, &CommandContext::new(&args.common)?));
    match outcome {
        Ok(status) => status.into(),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            logging::fail(&format!("profiletrail: {error:#}"));
            let usage = error.downcast_ref::<UsageError>().is_some();
            ExitCode::from(if usage { 2 } else { 3 })
        }
    }
}

fn run(command: Command, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    // Whatever a command creates in the data folder, only its owner can read.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // A write beyond the file size limit must fail, not end the process.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .context("ignoring SIGXFSZ")?;
    // `serve` has flags for its log, and `demo` logs warnings only.
    if !matches!(command, Command::Serve(_) | Command::Demo(_)) {
        logging::of_command(context);
    }
    command.run(context)
}

/// Prints a line on standard error, safe for a terminal; if that is closed, the line is dropped.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", crate::format::plain(line));
}

/// Prints that nothing was found, and the next command.
fn nothing_found(what: &str) -> anyhow::Result<ExitStatus> {
    message!("nothing found: {what}");
    Ok(ExitStatus::Nothing)
}

fn print(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    print_to(PagedStdout::unpaged(false), text.as_ref())
}

/// Prints lines of JSON.
fn print_lines(lines: impl AsRef<[u8]>, context: &CommandContext) -> anyhow::Result<()> {
    print_to(
        PagedStdout::unpaged(context.escapes(Format::Jsonl)),
        lines.as_ref(),
    )
}

fn print_to(mut stdout: PagedStdout, text: &[u8]) -> anyhow::Result<()> {
    stdout.write_all(text)?;
    Ok(stdout.finish()?)
}

fn print_json(line: &impl serde::Serialize, context: &CommandContext) -> anyhow::Result<()> {
    print_lines(serde_json::to_string(line)? + "\n", context)
}

/// Prints the events that an answer lacks: those that are known to be lost, which is not a
/// failure, and the damage.
fn say_lacking(end: &Answered) {
    for note in &end.notes {
        message!("note: {note}; the answer lacks it");
    }
    for damage in &end.damage {
        message!("{damage}");
    }
}

/// Whether standard output was closed, as by `head`, which is not a failure. A broken
/// pipe to the server is one.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io: Option<&std::io::Error> = cause.downcast_ref();
        let inner = io.and_then(std::io::Error::get_ref);
        cause.is::<StdoutClosed>() || inner.is_some_and(|inner| inner.is::<StdoutClosed>())
    })
}

/// Standard output was closed by its reader.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
struct StdoutClosed;

/// An error of standard output; its closing can be distinguished from that of other pipes.
fn mark_closed(error: std::io::Error) -> std::io::Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => std::io::Error::new(error.kind(), StdoutClosed),
        _ => error,
    }
}
