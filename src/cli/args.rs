//! The arguments, as clap reads them.

use std::net::SocketAddr;

use bytesize::ByteSize;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};

use super::api_args::ApiArgs;
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
use super::gate_args::GateArgs;
use super::generate::{CompletionsArgs, ManArgs};
use super::import::ImportArgs;
use super::incidents::IncidentsArgs;
use super::lookup_args::LookupArgs;
use super::loops::LoopsArgs;
use super::prune::PruneArgs;
use super::reconcile::ReconcileArgs;
use super::report::ReportArgs;
use super::signature_args::SignatureArgs;
use super::tail::TailArgs;
use super::time::parse_span;
use super::token::TokenArgs;
use crate::event::{ProfileKey, is_label};
use crate::trail::Keep;

/// How times can be written.
pub const TIMES: &str = "Times: RFC 3339 (2025-10-09T08:53:20Z), YYYY-MM-DD, 'YYYY-MM-DD HH:MM:SS' (in --timezone), \
@UNIXSECONDS, or a phrase such as yesterday or '2 hours ago'.";

/// Keeps every Copernica webhook call, and answers what changed when.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit status: 0 answered, 1 nothing found, 2 wrong usage, 3 failed.\n\
    Try: profiletrail serve, then profiletrail history 123"
)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// One JSON object a line, for programs
    Jsonl,
    /// Rows of fixed columns, for spreadsheets
    Csv,
}

/// How an answer is written.
#[derive(Debug, clap::Args)]
pub struct Output {
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, env = "PROFILETRAIL_FORMAT", value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// Whether subprofiles end with their profile.
#[derive(Debug, clap::Args)]
pub struct CascadeArgs {
    /// Tell that a profile's delete ends its subprofiles [default: in answers for people]
    #[arg(long, overrides_with = "no_cascade")]
    pub cascade: bool,
    /// Tell of subprofiles only what calls of their own say
    #[arg(long, overrides_with = "cascade")]
    pub no_cascade: bool,
}

/// How what was done is told: a table or lines.
#[derive(Debug, clap::Args)]
pub struct TellOutput {
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, env = "PROFILETRAIL_FORMAT", value_name = "FORMAT", value_parser = told_format())]
    pub format: Option<Format>,
}

/// The forms that every command has.
fn told_format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["table", "jsonl"])
        .try_map(|name| <Format as ValueEnum>::from_str(&name, false))
}

/// A span of time.
#[derive(Debug, clap::Args)]
pub struct SpanArgs {
    /// Only from this time on
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only before this time
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
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

/// `serve`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: profiletrail serve --data /var/lib/profiletrail --listen 127.0.0.1:8080"
)]
pub struct ServeArgs {
    /// The address to listen at; port 0 takes a free one
    #[arg(
        long,
        env = "PROFILETRAIL_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,
    /// The longest body that is read
    #[arg(
        long,
        env = "PROFILETRAIL_MAX_BODY",
        value_name = "SIZE",
        default_value = "1MiB"
    )]
    pub max_body: ByteSize,
    /// The size at which a segment of the log is closed
    #[arg(
        long,
        env = "PROFILETRAIL_SEGMENT_SIZE",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub segment_size: ByteSize,
    /// How many threads decode calls
    #[arg(long, env = "PROFILETRAIL_WORKERS", value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    #[command(flatten)]
    pub gate: GateArgs,
    /// How much is to stay free on the data's disk; below it calls are answered 503 [0: not looked at]
    #[arg(
        long,
        env = "PROFILETRAIL_MIN_FREE",
        value_name = "SIZE",
        default_value = "256MiB"
    )]
    pub min_free: ByteSize,
    /// Prune once a day what is older than this (5y, '18 months', 90d); at least a day
    #[arg(long, env = "PROFILETRAIL_KEEP", value_name = "SPAN", value_parser = parse_span)]
    pub keep: Option<Keep>,
    #[command(flatten)]
    pub lookup: LookupArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub signature: SignatureArgs,
    /// What to log: error, warn, info, debug or trace
    #[arg(
        long,
        env = "PROFILETRAIL_LOG",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log: tracing::level_filters::LevelFilter,
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

/// The causes of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CauseArg {
    /// The event created the profile
    Create,
    /// The update names the field or interest
    Set,
    /// It changed at some unseen moment before
    Unexplained,
    /// An export showed it: it changed at some unseen moment before
    Observed,
    /// The value was first seen here
    FirstSeen,
    /// The subprofile ended with its profile
    Cascade,
}

/// Which changes are meant: every question about the changes of all profiles
/// knows these.
#[derive(Debug, clap::Args)]
pub struct FilterArgs {
    /// Only changes of this field; can be repeated
    #[arg(long, value_name = "NAME")]
    pub field: Vec<String>,
    /// Only changes of this interest; can be repeated
    #[arg(long, value_name = "NAME")]
    pub interest: Vec<String>,
    /// Only by events that name this database
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// Only by events that name this collection
    #[arg(long, value_name = "C")]
    pub collection: Option<u64>,
    /// Only of this profile and its subprofiles, or of this subprofile
    #[arg(long, value_name = "P[/S]")]
    pub profile: Option<ProfileKey>,
    #[command(flatten)]
    pub span: SpanArgs,
    /// Only from this value; true or false for interests
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    pub old: Option<String>,
    /// Only to this value; true or false for interests
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    pub new: Option<String>,
    /// Only by this cause; can be repeated
    #[arg(long, value_name = "C")]
    pub cause: Vec<CauseArg>,
    /// Only by events with this label, '' for those without; can be repeated
    #[arg(long, value_name = "L", value_parser = parse_label)]
    pub label: Vec<String>,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    /// Only by events of this type; can be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Vec<String>,
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

pub fn parse_label(text: &str) -> Result<String, String> {
    if text.is_empty() || is_label(text) {
        Ok(text.to_owned())
    } else {
        Err("a label is 1 to 64 of A-Z, a-z, 0-9, _ and -".to_owned())
    }
}
