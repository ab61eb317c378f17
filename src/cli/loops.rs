//! `loops`: fields that change again and again.

use super::ExitStatus;
use super::args::{NoCascade, Output, TIMES};
use super::ask;
use super::context::CommandContext;
use crate::query::{LoopsQuery, Query};

/// `loops`
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "A loop is a field that goes from one value to another and back, again and again, or that gets \
    another value every few seconds, ten times or more.\n{TIMES}\n\nExample: profiletrail loops --since 'last monday'"
))]
pub struct LoopsArgs {
    #[command(flatten)]
    pub query: LoopsQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &LoopsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = args.query.clone();
    ask::run(&Query::Loops(query), &args.output, context)
}
