//! The arguments that questions share, beside those of [`crate::query`]: the form of
//! an answer.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::context::CommandContext;

/// How times can be written.
pub const TIMES: &str = "Times: RFC 3339 (2025-10-09T08:53:20Z), YYYY-MM-DD or DD-MM-YYYY, \
'YYYY-MM-DD HH:MM:SS' or without the seconds (in --timezone), @UNIXSECONDS, or a phrase such as yesterday, \
monday (the last one) or '2 hours ago'.";

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// One JSON object a line, for programs
    Jsonl,
    /// Rows of fixed columns, for programs that read CSV
    Csv,
    /// The same rows as an Excel workbook, whose texts stay texts; needs --out
    Xlsx,
}

/// How an answer is written.
#[derive(Debug, clap::Args)]
pub struct Output {
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, env = "PROFILETRAIL_FORMAT", value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The workbook to write, which must not be there yet
    #[arg(long, value_name = "FILE.xlsx")]
    pub out: Option<PathBuf>,
}

/// Leaves out what people are shown unasked.
#[derive(Debug, clap::Args)]
pub struct NoCascade {
    /// Of subprofiles, show only what calls of their own say
    #[arg(long, overrides_with = "cascade")]
    pub no_cascade: bool,
}

impl NoCascade {
    /// Whether a profile's delete also deletes its subprofiles in an answer of this
    /// form: people want it, while what programs read stays as it is unless they ask.
    pub fn cascade(&self, asked: bool, output: &Output, context: &CommandContext) -> bool {
        let people = context.format(output.format) == Format::Table;
        asked || (people && !self.no_cascade)
    }
}

/// How what was done is told: a table or lines.
#[derive(Debug, clap::Args)]
pub struct ResultOutput {
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, env = "PROFILETRAIL_FORMAT", value_name = "FORMAT", value_parser = formats(["table", "jsonl"]))]
    pub format: Option<Format>,
}

/// Some of the formats.
pub fn formats<const N: usize>(names: [&'static str; N]) -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(names).try_map(|name| <Format as ValueEnum>::from_str(&name, false))
}
