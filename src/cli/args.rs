//! The arguments, as clap reads them.

use clap::{Parser, Subcommand};

use super::answer_args::{Ask, AskStates, Find, ResultOutput, TIMES};
use super::backup::{BackupArgs, RestoreArgs};
use super::context::Common;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::dossier::DossierArgs;
use super::erase::EraseArgs;
use super::evidence::EvidenceArgs;
use super::generate::{CompletionsArgs, ManArgs};
use super::import::ImportArgs;
use super::incidents::IncidentsArgs;
use super::maintenance::{RepairArgs, StatsArgs, VerifyArgs};
use super::proofs::{CheckpointArgs, ProveArgs};
use super::prune::PruneArgs;
use super::reconcile::ReconcileArgs;
use super::rejected::RejectedArgs;
use super::schema::SchemaArgs;
use super::serve::ServeArgs;
use super::tail::TailArgs;
use super::token::TokenArgs;
use super::validation::ValidationArgs;
use super::{CommandContext, ExitStatus};
use crate::query::{
    ChangesQuery, DiffQuery, ExplainQuery, ExportQuery, GapsQuery, HistoryQuery, LoopsQuery, Query,
    ReportQuery, StateQuery,
};

/// What the exit status of every command means.
pub const EXIT_STATUS: &str =
    "Exit status: 0 answered or done, 1 nothing found or nothing done, 2 wrong usage, 3 failed.";

/// The version, what it was built from and for, and the format that it writes.
fn long_version() -> String {
    format!(
        "{} (commit {}, {}, data format {})",
        env!("CARGO_PKG_VERSION"),
        env!("PROFILETRAIL_COMMIT"),
        env!("PROFILETRAIL_TARGET"),
        crate::store::FORMAT
    )
}

/// Keeps every Copernica webhook call, and answers what changed when.
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = long_version(),
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = EXIT_STATUS.to_owned() + "\n\nExample: profiletrail serve, then profiletrail history 123"
)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// How times are written, and an example.
fn times_and(example: &str) -> String {
    format!("{TIMES}\n\nExample: profiletrail {example}")
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive webhook calls, keep them and answer questions
    Serve(Box<ServeArgs>),
    /// Try it without Copernica: a server with two weeks of a made-up shop's events
    Demo(DemoArgs),
    /// Show the events of a profile or subprofile, and what each changed
    #[command(after_help = times_and("history 123 --field mail --since 'last monday'"))]
    History(AskStates<HistoryQuery>),
    /// Show the state of a profile or subprofile, now or at a moment
    #[command(after_help = times_and("show 123 --at 2025-10-01"))]
    Show(AskStates<StateQuery>),
    /// Show what differs between two moments
    #[command(after_help = times_and("diff 123 --from 2025-01-01 --to 2025-07-01"))]
    Diff(AskStates<DiffQuery>),
    /// Show the last change of every field and interest
    #[command(after_help = times_and("blame 123"))]
    Blame(AskStates<StateQuery>),
    /// Show what changed when, over all profiles
    #[command(after_help = times_and("changes --field newsletter --new Nee --since yesterday"))]
    Changes(AskStates<ChangesQuery>),
    /// Show the newest events and what each changed; with -f, follow new ones
    Tail(TailArgs),
    /// Compare what an event requested with what it changed
    #[command(after_help = "Example: profiletrail explain 17")]
    Explain(AskStates<ExplainQuery>),
    /// Count changes by field, label, hour or day
    #[command(after_help = format!(
        "Hours, days and months are in the zone of --tz in a table, and in UTC with --format jsonl and csv.\n{}",
        times_and("report --by day,label --since '2 weeks ago'")
    ))]
    Report(AskStates<ReportQuery>),
    /// Show unexplained changes, and which lost calls would explain them
    #[command(after_help = times_and("gaps --since 'last monday'"))]
    Gaps(AskStates<GapsQuery>),
    /// Show changes of one field in many profiles at once, and undo them
    Incidents(Box<IncidentsArgs>),
    /// Show fields that keep changing back and forth
    #[command(after_help = format!(
        "A loop is a field that changes from one value to another and back, again and again, or that gets \
        another value every few seconds, ten times or more.\n{}",
        times_and("loops --since 'last monday'")
    ))]
    Loops(AskStates<LoopsQuery>),
    /// Show which profiles have or had a value, and when
    #[command(after_help = format!("{TIMES}\n\n\
        Fields named by serve --lookup are found at once; for other fields the whole log is read.\n\n\
        Examples: profiletrail find 'mail=johny@example.com'\n          \
        profiletrail find 'mail=johny@' --prefix --ever\n          \
        profiletrail find 'mail=@example\\.(com|org)$' --match\n          \
        profiletrail find --interest news"))]
    Find(AskStates<Find>),
    /// Write every event as a line of JSON
    #[command(after_help = times_and("export --raw > events.jsonl"))]
    Export(Ask<ExportQuery>),
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
    #[command(
        after_help = "A running server seals segments by itself, shortly after they are closed.\n\n\
        Example: profiletrail seal"
    )]
    Seal(ResultOutput),
    /// Back up the data folder, or update a backup; the server may run
    Backup(BackupArgs),
    /// Restore a data folder from a backup, or check a backup
    Restore(RestoreArgs),
    /// Read everything and report damage
    Verify(VerifyArgs),
    /// Sign how many events there are and what they are, to compare with later
    Checkpoint(CheckpointArgs),
    /// Prove that the log had an event when a checkpoint was signed, or check such a proof
    Prove(ProveArgs),
    /// Count events by day, type, label, database and field
    Stats(StatsArgs),
    /// Recover what can be read of damaged segments; no server may run
    Repair(RepairArgs),
    /// Remove old events, keeping the state they led to
    Prune(PruneArgs),
    /// Erase a person from every file and backup, and keep a receipt
    Erase(EraseArgs),
    /// Check for common problems around a server, and say how to fix them
    Doctor(DoctorArgs),
    /// Create, list and revoke tokens of the query API
    Token(TokenArgs),
    /// Add, list and remove the files by which Copernica validates an address
    Validation(ValidationArgs),
    /// Describe the lines of answers, or the HTTP API, for programs (JSON Schema, OpenAPI)
    Schema(SchemaArgs),
    /// Write shell completions
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

impl Command {
    pub fn run(self, context: &CommandContext) -> anyhow::Result<ExitStatus> {
        match self {
            Self::Serve(args) => super::serve::run(&args, context),
            Self::Demo(args) => super::demo::run(&args, context),
            Self::Import(args) => super::import::run(&args, context),
            Self::History(args) => args.run(context, |query| Ok(Query::History(query))),
            Self::Show(args) => args.run(context, |query| Ok(Query::Show(query))),
            Self::Diff(args) => args.run(context, |query| Ok(Query::Diff(query))),
            Self::Blame(args) => args.run(context, |query| Ok(Query::Blame(query))),
            Self::Changes(args) => args.run(context, |query| Ok(Query::Changes(query))),
            Self::Tail(args) => super::tail::run(&args, context),
            Self::Explain(args) => args.run(context, |query| Ok(Query::Explain(query))),
            Self::Report(args) => args.run(context, |query| Ok(Query::Report(query))),
            Self::Gaps(args) => args.run(context, |query| Ok(Query::Gaps(query))),
            Self::Incidents(args) => super::incidents::run(*args, context),
            Self::Loops(args) => args.run(context, |query| Ok(Query::Loops(query))),
            Self::Find(args) => args.run(context, |Find { text, query }| {
                Ok(Query::Find(query.of(text, "find")?))
            }),
            Self::Export(args) => super::ask::run(Query::Export(args.query), args.output, context),
            Self::Rejected(args) => super::rejected::run(args, context),
            Self::Dossier(args) => super::dossier::run(&args, context),
            Self::Evidence(args) => super::evidence::run(&args, context),
            Self::Reconcile(args) => super::reconcile::run(&args, context),
            Self::Seal(args) => super::maintenance::seal(args, context),
            Self::Backup(args) => super::backup::backup(&args, context),
            Self::Restore(args) => super::backup::restore(&args, context),
            Self::Verify(args) => super::maintenance::verify(&args, context),
            Self::Checkpoint(args) => super::proofs::checkpoint(&args, context),
            Self::Prove(args) => super::proofs::prove(&args, context),
            Self::Stats(args) => super::maintenance::stats(&args, context),
            Self::Repair(args) => super::maintenance::repair(&args, context),
            Self::Prune(args) => super::prune::run(&args, context),
            Self::Erase(args) => super::erase::run(&args, context),
            Self::Doctor(args) => super::doctor::run(&args, context),
            Self::Token(args) => super::token::run(&args, context),
            Self::Validation(args) => super::validation::run(&args, context),
            Self::Schema(args) => super::schema::run(&args),
            Self::Completions(args) => super::generate::completions(&args),
            Self::Man(args) => super::generate::man(&args),
        }
    }
}
