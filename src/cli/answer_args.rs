//! The arguments that questions share: the form of an answer, a span of time,
//! and which changes are meant.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::event::ProfileKey;
use crate::query::{CauseKind, parse_label};

/// How times can be written.
pub const TIMES: &str = "Times: RFC 3339 (2025-10-09T08:53:20Z), YYYY-MM-DD, 'YYYY-MM-DD HH:MM:SS' (in --timezone), \
@UNIXSECONDS, or a phrase such as yesterday or '2 hours ago'.";

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
    pub cause: Vec<CauseKind>,
    /// Only by events with this label, '' for those without; can be repeated
    #[arg(long, value_name = "L", value_parser = parse_label)]
    pub label: Vec<String>,
    /// Not by events with this label, '' for those without; can be repeated
    #[arg(long, value_name = "L", value_parser = parse_label)]
    pub not_label: Vec<String>,
    #[command(flatten)]
    pub cascade: CascadeArgs,
    /// Only by events of this type; can be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Vec<String>,
}
