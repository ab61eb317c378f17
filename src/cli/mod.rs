//! The command line: arguments, a question each, and output for people.
//!
//! From arguments in three steps: clap's raw structs ([`args`]), what they come
//! to with the terminal and the clock read once ([`Setting`]), and one `match`
//! ([`run`]). Output for programs is the answer's lines as they are; output for
//! people is made from the same lines in [`output`].

mod answer_args;
mod api_args;
mod args;
mod ask;
mod backup;
mod bar;
mod care;
mod client;
mod common_args;
mod demo;
mod doctor;
mod dossier;
mod env_file;
mod evidence;
mod explain;
mod find;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gaps;
mod gate_args;
mod generate;
mod import;
mod incidents;
mod logging;
mod lookup_args;
mod loops;
pub(crate) mod output;
mod pager;
mod progress;
mod prune;
mod queries;
mod reconcile;
mod report;
mod serve;
mod setting;
mod signature_args;
mod tail;
mod time;
mod token;
mod undo;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use rustix::fs::Mode;
use signal_hook::consts::SIGXFSZ;

use crate::server::protocol::End;
use args::Command;
use setting::Setting;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It was answered, or done.
    Answered,
    /// Nothing was found.
    NothingFound,
    /// Something failed, which was said already.
    Failed,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Answered => Self::SUCCESS,
            Ending::NothingFound => Self::from(1),
            Ending::Failed => Self::from(3),
        }
    }
}

/// Runs the program: 0 answered, 1 nothing found, 2 wrong usage, 3 failed.
pub fn main() -> ExitCode {
    let outcome =
        env_file::parse().and_then(|args| run(args.command, &Setting::new(&args.common)?));
    match outcome {
        Ok(ending) => ending.into(),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("profiletrail: {error:#}"));
            let usage = error.downcast_ref::<setting::UsageError>().is_some();
            ExitCode::from(if usage { 2 } else { 3 })
        }
    }
}

fn run(command: Command, setting: &Setting) -> anyhow::Result<Ending> {
    // What any command makes in the data folder is its owner's alone.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // A write beyond a file size limit shall fail, not end the process.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .context("ignoring SIGXFSZ")?;
    match command {
        Command::Serve(args) => serve::run(&args, setting),
        Command::Demo(args) => demo::run(&args, setting),
        Command::Import(args) => import::run(&args, setting),
        Command::History(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Show(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Diff(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Blame(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Changes(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Tail(args) => tail::run(&args, setting),
        Command::Explain(args) => explain::run(&args, setting),
        Command::Report(args) => report::run(&args, setting),
        Command::Gaps(args) => gaps::run(&args, setting),
        Command::Incidents(args) => incidents::run(&args, setting),
        Command::Loops(args) => loops::run(&args, setting),
        Command::Find(args) => find::run(&args, setting),
        Command::Export(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Rejected(args) => ask::run(&args.query(setting)?, &args.output, setting),
        Command::Dossier(args) => dossier::run(&args, setting),
        Command::Evidence(args) => evidence::run(&args, setting),
        Command::Reconcile(args) => reconcile::run(&args, setting),
        Command::Seal(args) => care::seal(&args, setting),
        Command::Backup(args) => backup::backup(&args, setting),
        Command::Restore(args) => backup::restore(&args, setting),
        Command::Verify(args) => care::verify(&args, setting),
        Command::Stats(args) => care::stats(&args, setting),
        Command::Repair(args) => care::repair(&args, setting),
        Command::Prune(args) => prune::run(&args, setting),
        Command::Doctor(args) => doctor::run(&args, setting),
        Command::Token(args) => token::run(&args, setting),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    }
}

/// Says a line on standard error. Where that is closed, nobody is told.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", crate::format::plain(line));
}

/// Says what an answer lacks that is known to be lost: no failure.
fn say_notes(end: &End) {
    for note in &end.notes {
        say(&format!("profiletrail: note: {note}; the answer lacks it"));
    }
}

/// A reader of standard output that has gone, as `head` does, is no failure;
/// a server that has gone is one.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |error: &std::io::Error| {
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<StdoutClosed>())
    };
    error
        .chain()
        .any(|cause| match cause.downcast_ref::<std::io::Error>() {
            Some(error) => is_closed(error),
            None => cause.is::<StdoutClosed>(),
        })
}

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
struct StdoutClosed;

/// Standard output, whose closing is told apart from that of other pipes.
struct Stdout(std::io::StdoutLock<'static>);

impl Stdout {
    fn new() -> Self {
        Self(std::io::stdout().lock())
    }
}

fn tell_closed(error: std::io::Error) -> std::io::Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => std::io::Error::new(error.kind(), StdoutClosed),
        _ => error,
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).map_err(tell_closed)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush().map_err(tell_closed)
    }
}
