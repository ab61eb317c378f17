//! The arguments of the commands that care for a data folder, as clap reads them.

use crate::cli::args::{TIMES, TellOutput};
use crate::query::Span;

/// `seal`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running server seals by itself, a moment after a segment is closed.\n\n\
    Example: profiletrail seal"
)]
pub struct SealArgs {
    #[command(flatten)]
    pub output: TellOutput,
}

/// `verify`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Repairs nothing. Exit status: 0 all is well, 3 something is not.\n\n\
    Example: profiletrail verify"
)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub output: TellOutput,
}

/// `stats`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail stats --since 'last monday'"))]
pub struct StatsArgs {
    #[command(flatten)]
    pub span: Span,
    #[command(flatten)]
    pub output: TellOutput,
}

/// `repair`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What cannot be read is lost; it stays known, and its numbers are not given anew. \
    Damaged files are kept beside the new ones.\n\nExample: profiletrail repair"
)]
pub struct RepairArgs {
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: TellOutput,
}
