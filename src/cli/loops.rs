//! `loops`: fields that go on changing.

use std::time::Duration;

use super::ExitStatus;
use super::args::{FilterArgs, Output, TIMES};
use super::ask;
use super::context::CommandContext;
use super::time::{parse_duration, seconds};
use crate::query::{LoopsQuery, Query};

/// `loops`
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "A loop is a field that goes from one value to another and back, again and again, or that gets \
    another value every few seconds, ten times or more.\n{TIMES}\n\nExample: profiletrail loops --since 'last monday'"
))]
pub struct LoopsArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How long there is between two turns at most
    #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = parse_duration)]
    pub within: Duration,
    /// How many changes a loop has at least
    #[arg(long, value_name = "N", default_value_t = LoopsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(3..))]
    pub least: u64,
    /// At most so many loops, those of the most changes
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &LoopsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = Query::Loops(LoopsQuery {
        filter: args.filter.filter(context)?,
        limit: args.limit,
        within: seconds(args.within),
        least: args.least,
    });
    ask::run(&query, &args.output, context)
}
