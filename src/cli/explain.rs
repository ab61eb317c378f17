//! `explain`: what an event requested, and the outcome.

use super::ExitStatus;
use super::args::{Format, Output};
use super::ask;
use super::context::CommandContext;
use crate::query::{ExplainQuery, Query};

/// `explain`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: profiletrail explain 17")]
pub struct ExplainArgs {
    /// The event's number
    #[arg(value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub seq: u64,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &ExplainArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = Query::Explain(ExplainQuery {
        seq: args.seq,
        // People are shown whose event it is.
        head: context.format(args.output.format) == Format::Table,
    });
    ask::run(&query, &args.output, context)
}
