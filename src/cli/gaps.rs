//! `gaps`: unexplained changes.

use super::ExitStatus;
use super::args::{NoCascade, Output, TIMES};
use super::ask;
use super::context::{CommandContext, UsageError};
use crate::query::{GapsQuery, Query};

/// `gaps`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail gaps --since 'last monday'"))]
pub struct GapsArgs {
    #[command(flatten)]
    pub query: GapsQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &GapsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = args.query.clone();
    query.check().map_err(UsageError::from)?;
    ask::run(&Query::Gaps(query), &args.output, context)
}
