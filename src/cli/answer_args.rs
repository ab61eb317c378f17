//! The arguments that questions share, beyond those of [`crate::query`]: the form of
//! the answer.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// How times can be written.
pub const TIMES: &str = "Times: RFC 3339 (2025-10-09T08:53:20Z), YYYY-MM-DD or DD-MM-YYYY, \
'YYYY-MM-DD HH:MM:SS' or without the seconds (in --timezone), @UNIXSECONDS, or a phrase such as yesterday, \
monday (the last one) or '2 hours ago'.";

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// One JSON object per line, for programs
    Jsonl,
    /// Rows of fixed columns, for programs that read CSV
    Csv,
    /// The same rows as an Excel workbook, with values as text cells; needs --out
    Xlsx,
    /// One page, to be read in a browser and printed
    Html,
}

/// How an answer is written.
#[derive(Clone, Debug, clap::Args)]
pub struct Output {
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Table, Format::Jsonl, Format::Csv, Format::Xlsx]))]
    pub format: Option<Format>,
    /// The workbook to write; it must not exist yet
    #[arg(long, value_name = "FILE.xlsx")]
    pub out: Option<PathBuf>,
}

/// How the result of a task is written: a table or lines.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ResultOutput {
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Table, Format::Jsonl]))]
    pub format: Option<Format>,
}

/// Some of the formats.
pub fn formats<const N: usize>(some: [Format; N]) -> impl TypedValueParser<Value = Format> {
    let values = some
        .into_iter()
        .filter_map(|format| format.to_possible_value());
    PossibleValuesParser::new(values).try_map(|name| <Format as ValueEnum>::from_str(&name, false))
}

/// A question without a state in its answer.
#[derive(Debug, clap::Args)]
pub struct Ask<Q: clap::Args> {
    #[command(flatten)]
    pub query: Q,
    #[command(flatten)]
    pub output: Output,
}

/// A question about states, which the deletion of a profile may end.
#[derive(Debug, clap::Args)]
pub struct AskStates<Q: clap::Args> {
    #[command(flatten)]
    pub query: Q,
    /// Do not show subprofiles as deleted with their profile
    #[arg(long, overrides_with = "cascade")]
    pub no_cascade: bool,
    #[command(flatten)]
    pub output: Output,
}

/// What `find` looks for.
#[derive(Debug, clap::Args)]
pub struct Find {
    /// The field and its value; the field ends at the first =
    #[arg(value_name = "FIELD=VALUE", required_unless_present = "interest")]
    pub text: Option<String>,
    #[command(flatten)]
    pub query: crate::query::FindQuery,
}
