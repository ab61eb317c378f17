//! `report`: how many changes there are of each kind.

use super::ExitStatus;
use super::args::{FilterArgs, Format, Output, TIMES};
use super::ask;
use super::context::CommandContext;
use crate::event::Zone;
use crate::query::{By, Query, ReportQuery};

/// `report`
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "Hours, days and months are those of --tz in a table, and UTC's with --format jsonl and csv.\n{TIMES}\n\n\
    Example: profiletrail report --by day,label --since '2 weeks ago'"
))]
pub struct ReportArgs {
    /// What to count by, several with commas: field, type, label, cause, hour, day, month, database, collection
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        default_value = "field"
    )]
    pub by: Vec<By>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many rows
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &ReportArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = Query::Report(ReportQuery {
        filter: args.filter.filter(context)?,
        limit: args.limit,
        by: args.by.clone(),
        zone: match context.format(args.output.format) {
            Format::Table => context.reader_zone,
            Format::Jsonl | Format::Csv => Zone::UTC,
        },
    });
    ask::run(&query, &args.output, context)
}
