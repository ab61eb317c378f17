//! `stats`

use crate::cli::{CommandContext, ExitStatus, Format, PagedStdout, ResultOutput, TIMES, ask};
use crate::event::Zone;
use crate::query::{Query, Span, StatsQuery};

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail stats --since 'last monday'"))]
pub struct StatsArgs {
    #[command(flatten)]
    pub span: Span,
    #[command(flatten)]
    pub output: ResultOutput,
}

pub fn stats(args: &StatsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let format = context.format(args.output.format);
    let query = Query::Stats(StatsQuery {
        span: args.span,
        zone: match format {
            Format::Table => context.view.zone,
            _ => Zone::UTC,
        },
    });
    let mut out = PagedStdout::new(context, format);
    let printer = ask::printer_of(&query, format, context, &mut out)?;
    let end = ask::print(&query, printer, context)?;
    out.finish()?;
    Ok(super::exit_status(&end))
}
