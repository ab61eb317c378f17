//! `report`: the number of changes of each kind.

use super::ExitStatus;
use super::args::{Format, NoCascade, Output, TIMES};
use super::ask;
use super::context::CommandContext;
use crate::event::Zone;
use crate::query::{Query, ReportQuery};

/// `report`
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "Hours, days and months are those of --tz in a table, and UTC's in the other formats.\n{TIMES}\n\n\
    Example: profiletrail report --by day,label --since '2 weeks ago'"
))]
pub struct ReportArgs {
    #[command(flatten)]
    pub query: ReportQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &ReportArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = Query::Report(ReportQuery {
        zone: match context.format(args.output.format) {
            Format::Table => context.reader_zone,
            Format::Jsonl | Format::Csv | Format::Xlsx => Zone::UTC,
        },
        ..args.query.clone()
    });
    ask::run(&query, &args.output, context)
}
