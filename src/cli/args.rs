//! The arguments, as clap reads them.

use clap::{Parser, Subcommand};

use super::context::CommandContext;
use super::{ExitStatus, ask};

pub use super::answer_args::{Format, NoCascade, Output, ResultOutput, TIMES, formats};
use super::backup::{BackupArgs, RestoreArgs};
pub use super::common_args::{ColorChoice, Common};
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::dossier::DossierArgs;
use super::evidence::EvidenceArgs;
use super::explain::ExplainArgs;
use super::find::FindArgs;
use super::gaps::GapsArgs;
use super::generate::{CompletionsArgs, ManArgs};
use super::import::ImportArgs;
use super::incidents::IncidentsArgs;
use super::loops::LoopsArgs;
pub use super::maintenance::args::{RepairArgs, SealArgs, StatsArgs, VerifyArgs};
use super::prune::PruneArgs;
use super::reconcile::ReconcileArgs;
use super::rejected::RejectedArgs;
use super::report::ReportArgs;
use super::serve::ServeArgs;
use super::tail::TailArgs;
use super::token::TokenArgs;
use super::validation::ValidationArgs;
use crate::query::{BlameQuery, ChangesQuery, DiffQuery, ExportQuery, HistoryQuery, ShowQuery};

/// Keeps every Copernica webhook call, and answers what changed when.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit status: 0 answered or done, 1 nothing found or nothing done, 2 wrong usage, 3 failed.\n\
    Try: profiletrail serve, then profiletrail history 123"
)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive webhook calls, keep them and answer questions
    Serve(ServeArgs),
    /// Try it without Copernica: a server with two weeks of a made-up shop's events
    Demo(DemoArgs),
    /// Show the events of a profile or subprofile, and what each changed
    History(HistoryArgs),
    /// Show the state of a profile or subprofile, now or at a moment
    Show(ShowArgs),
    /// Show what differs between two moments
    Diff(DiffArgs),
    /// Show the last change of every field and interest
    Blame(BlameArgs),
    /// Show what changed when, over all profiles
    Changes(ChangesArgs),
    /// Show the newest events and what each changed; with -f, follow new ones
    Tail(TailArgs),
    /// Compare what an event requested with what it changed
    Explain(ExplainArgs),
    /// Count changes by field, label, hour or day
    Report(ReportArgs),
    /// Show unexplained changes, and which lost calls would explain them
    Gaps(GapsArgs),
    /// Show changes of one field in many profiles at once, and undo them
    Incidents(Box<IncidentsArgs>),
    /// Show fields that keep changing back and forth
    Loops(LoopsArgs),
    /// Show which profiles have or had a value, and when
    Find(FindArgs),
    /// Write every event as a line of JSON
    Export(ExportArgs),
    /// Import events that `export` wrote
    Import(ImportArgs),
    /// Compare a Copernica export with the trail, and record what differs
    Reconcile(ReconcileArgs),
    /// List the calls that could not be read
    Rejected(RejectedArgs),
    /// Write everything about one person as a document
    Dossier(DossierArgs),
    /// Show what proves that Copernica sent an event
    Evidence(EvidenceArgs),
    /// Compress closed segments of the log now
    Seal(SealArgs),
    /// Back up the data folder, or update a backup; the server may run
    Backup(BackupArgs),
    /// Restore a data folder from a backup, or check a backup
    Restore(RestoreArgs),
    /// Read everything and report damage
    Verify(VerifyArgs),
    /// Count events by day, type, label, database and field
    Stats(StatsArgs),
    /// Recover what can be read of damaged segments; no server may run
    Repair(RepairArgs),
    /// Remove old events, keeping the state they led to
    Prune(PruneArgs),
    /// Check for common problems around a server, and say how to fix them
    Doctor(DoctorArgs),
    /// Create, list and revoke tokens of the query API
    Token(TokenArgs),
    /// Add, list and remove the files by which Copernica validates an address
    Validation(ValidationArgs),
    /// Write shell completions
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

impl Command {
    /// Runs the command.
    pub fn run(self, context: &CommandContext) -> anyhow::Result<ExitStatus> {
        match self {
            Self::Serve(args) => super::serve::run(&args, context),
            Self::Demo(args) => super::demo::run(&args, context),
            Self::Import(args) => super::import::run(&args, context),
            Self::History(args) => ask::run(&args.query(context), &args.output, context),
            Self::Show(args) => ask::run(&args.query(context), &args.output, context),
            Self::Diff(args) => ask::run(&args.query(context), &args.output, context),
            Self::Blame(args) => ask::run(&args.query(context), &args.output, context),
            Self::Changes(args) => ask::run(&args.query(context), &args.output, context),
            Self::Tail(args) => super::tail::run(&args, context),
            Self::Explain(args) => super::explain::run(&args, context),
            Self::Report(args) => super::report::run(&args, context),
            Self::Gaps(args) => super::gaps::run(&args, context),
            Self::Incidents(args) => super::incidents::run(&args, context),
            Self::Loops(args) => super::loops::run(&args, context),
            Self::Find(args) => super::find::run(&args, context),
            Self::Export(args) => ask::run(&args.query(), &args.output, context),
            Self::Rejected(args) => super::rejected::run(&args, context),
            Self::Dossier(args) => super::dossier::run(&args, context),
            Self::Evidence(args) => super::evidence::run(&args, context),
            Self::Reconcile(args) => super::reconcile::run(&args, context),
            Self::Seal(args) => super::maintenance::seal(&args, context),
            Self::Backup(args) => super::backup::backup(&args, context),
            Self::Restore(args) => super::backup::restore(&args, context),
            Self::Verify(args) => super::maintenance::verify(&args, context),
            Self::Stats(args) => super::maintenance::stats(&args, context),
            Self::Repair(args) => super::maintenance::repair(&args, context),
            Self::Prune(args) => super::prune::run(&args, context),
            Self::Doctor(args) => super::doctor::run(&args, context),
            Self::Token(args) => super::token::run(&args, context),
            Self::Validation(args) => super::validation::run(&args, context),
            Self::Completions(args) => super::generate::completions(&args),
            Self::Man(args) => super::generate::man(&args),
        }
    }
}

/// `history`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail history 123 --field mail --since 'last monday'"))]
pub struct HistoryArgs {
    #[command(flatten)]
    pub query: HistoryQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// `show`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail show 123 --at 2025-10-01"))]
pub struct ShowArgs {
    #[command(flatten)]
    pub query: ShowQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// `diff`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail diff 123 --from 2025-01-01 --to 2025-07-01"))]
pub struct DiffArgs {
    #[command(flatten)]
    pub query: DiffQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// `blame`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail blame 123"))]
pub struct BlameArgs {
    #[command(flatten)]
    pub query: BlameQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// `changes`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail changes --field newsletter --new Nee --since yesterday"))]
pub struct ChangesArgs {
    #[command(flatten)]
    pub query: ChangesQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// `export`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail export --raw > events.jsonl"))]
pub struct ExportArgs {
    #[command(flatten)]
    pub query: ExportQuery,
    #[command(flatten)]
    pub output: Output,
}
