//! The arguments of the commands that maintain a data folder.

use crate::cli::args::{ResultOutput, TIMES};
use crate::query::Span;

/// `seal`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running server seals segments by itself, shortly after they are closed.\n\n\
    Example: profiletrail seal"
)]
pub struct SealArgs {
    #[command(flatten)]
    pub output: ResultOutput,
}

/// `verify`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Repairs nothing. Exit status: 0 no damage, 3 damage.\n\n\
    Example: profiletrail verify"
)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub output: ResultOutput,
}

/// `stats`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail stats --since 'last monday'"))]
pub struct StatsArgs {
    #[command(flatten)]
    pub span: Span,
    #[command(flatten)]
    pub output: ResultOutput,
}

/// `repair`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Events that cannot be read are lost: they stay listed as lost, and their numbers are not used again. \
    Damaged files are kept.\n\nExample: profiletrail repair"
)]
pub struct RepairArgs {
    /// Repair without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}
