//! The arguments, as clap reads them.

use clap::{Parser, Subcommand};

pub use super::answer_args::{
    CascadeArgs, FilterArgs, Format, Output, SpanArgs, TIMES, TellOutput,
};
use super::backup::{BackupArgs, RestoreArgs};
pub use super::care::args::{RepairArgs, SealArgs, StatsArgs, VerifyArgs};
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
use super::prune::PruneArgs;
use super::reconcile::ReconcileArgs;
use super::report::ReportArgs;
use super::serve::ServeArgs;
use super::tail::TailArgs;
use super::token::TokenArgs;
use crate::event::ProfileKey;

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
    /// Try it without Copernica: a server on a made-up shop's fortnight
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
    /// Show the newest events with what each changed, and with -f those that come
    Tail(TailArgs),
    /// Show what an event asked for against what came of it
    Explain(ExplainArgs),
    /// Show how many changes there are, by field, label, hour or day
    Report(ReportArgs),
    /// Show what changed unexplained, and which lost calls would explain it
    Gaps(GapsArgs),
    /// Show when many profiles got the same field changed at once, and undo it
    Incidents(Box<IncidentsArgs>),
    /// Show fields that change from one value to another and back, again and again
    Loops(LoopsArgs),
    /// Show which profiles have or had a value, since when until when
    Find(FindArgs),
    /// Write every event as a line of JSON
    Export(ExportArgs),
    /// Read back what export wrote
    Import(ImportArgs),
    /// Compare a Copernica export with what is known, and enter what differs
    Reconcile(ReconcileArgs),
    /// List the calls that could not be read
    Rejected(RejectedArgs),
    /// Write everything about one person as a page to keep
    Dossier(DossierArgs),
    /// Show what proves that Copernica sent an event
    Evidence(EvidenceArgs),
    /// Compress closed segments of the log now, not in the background
    Seal(SealArgs),
    /// Copy the data folder, in use or not, to another one, or bring that up to date
    Backup(BackupArgs),
    /// Make a data folder of a backup, or check a backup
    Restore(RestoreArgs),
    /// Read everything and tell what is not as it should be
    Verify(VerifyArgs),
    /// Show how much there is, by day, type, label, database and field
    Stats(StatsArgs),
    /// Save what can be saved of damaged segments, while no server runs
    Repair(RepairArgs),
    /// Remove old events, and keep what they came to
    Prune(PruneArgs),
    /// Check what usually goes wrong around a server, and say what to do
    Doctor(DoctorArgs),
    /// Make, list and revoke the tokens of the query API
    Token(TokenArgs),
    /// Write what a shell needs to complete commands and flags
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

/// `history`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail history 123 --field mail --since 'last monday'"))]
pub struct HistoryArgs {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// Only events that changed this field; can be repeated
    #[arg(long, value_name = "NAME")]
    pub field: Vec<String>,
    /// Only events that changed this interest; can be repeated
    #[arg(long, value_name = "NAME")]
    pub interest: Vec<String>,
    #[command(flatten)]
    pub span: SpanArgs,
    /// Duplicates too and, for people, each update without a change by itself
    #[arg(long)]
    pub all: bool,
    /// At most so many events
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    pub reverse: bool,
    /// The events of the profile's subprofiles too
    #[arg(long)]
    pub subprofiles: bool,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    #[command(flatten)]
    pub output: Output,
}

/// `show`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail show 123 --at 2025-10-01"))]
pub struct ShowArgs {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// The moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    #[command(flatten)]
    pub output: Output,
}

/// `diff`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail diff 123 --from 2025-01-01 --to 2025-07-01"))]
pub struct DiffArgs {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// The earlier moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: String,
    /// The later moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    #[command(flatten)]
    pub output: Output,
}

/// `blame`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail blame 123"))]
pub struct BlameArgs {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// The moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    #[command(flatten)]
    pub output: Output,
}

/// `changes`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail changes --field newsletter --new Nee --since yesterday"))]
pub struct ChangesArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many changes
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    pub reverse: bool,
    #[command(flatten)]
    pub output: Output,
}

/// `export`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail export --raw > events.jsonl"))]
pub struct ExportArgs {
    #[command(flatten)]
    pub span: SpanArgs,
    /// Only of this profile and its subprofiles, or of this subprofile
    #[arg(long, value_name = "P[/S]")]
    pub profile: Option<ProfileKey>,
    /// Only events that name this database
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// The bodies too, as they were sent
    #[arg(long)]
    pub raw: bool,
    #[command(flatten)]
    pub output: Output,
}

/// `rejected`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail rejected --since yesterday"))]
pub struct RejectedArgs {
    #[command(flatten)]
    pub span: SpanArgs,
    /// At most so many calls
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    pub reverse: bool,
    #[command(flatten)]
    pub output: Output,
}
