//! `gaps`: what changed unexplained.

use std::time::Duration;

use super::ExitStatus;
use super::args::{FilterArgs, Output, TIMES};
use super::ask;
use super::context::{CommandContext, UsageError};
use super::time::{parse_duration, seconds};
use crate::query::{GapsQuery, Query};

/// `gaps`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail gaps --since 'last monday'"))]
pub struct GapsArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Lost spans that are no further apart than this are one
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = parse_duration)]
    pub within: Duration,
    /// How many profiles and subprofiles a lost span has at least
    #[arg(long, value_name = "N", default_value_t = GapsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub least: u64,
    /// At most so many findings
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &GapsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    if !args.filter.cause.is_empty() {
        let what = "--cause: gaps are of unexplained changes alone; leave it out";
        return Err(UsageError::new(what).into());
    }
    let query = Query::Gaps(GapsQuery {
        filter: args.filter.filter(context)?,
        limit: args.limit,
        within: seconds(args.within),
        least: args.least,
    });
    ask::run(&query, &args.output, context)
}
