//! `tail`: the newest events, and with `-f` new ones as they arrive.
//!
//! Without `-f` and without a cursor file it is an ordinary query. Otherwise
//! [`follow`] reads events from the server or the folder, and [`sink`] writes each
//! with one write and then saves the position in the [`cursor`] file.

mod appended;
mod cursor;
mod follow;
mod sink;

use std::path::PathBuf;

use super::answer_args::AskStates;
use super::ask;
use super::{CommandContext, ExitStatus, Format, TIMES};
use crate::query::{Filter, Query, Span, TailQuery};

/// How many events are shown by default.
const LAST: u64 = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail tail -f --field newsletter --new Nee"))]
pub struct TailArgs {
    /// Follow new events; waits for a server if none runs
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Show the newest N events, or all [default: 10; all with --since or --until]
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_most)]
    pub limit: Option<u64>,
    /// Continue after the last event that was shown with this file, and save the position in it
    #[arg(long, value_name = "FILE")]
    pub cursor_file: Option<PathBuf>,
    #[command(flatten)]
    pub ask: AskStates<Filter>,
}

fn parse_most(text: &str) -> Result<u64, String> {
    match text {
        "all" => Ok(u64::MAX),
        number => number
            .parse()
            .map_err(|_| "write a number, or all".to_owned()),
    }
}

impl TailArgs {
    fn query(&self) -> TailQuery {
        let filter = self.ask.query.clone();
        let last = match self.limit {
            Some(most) => Some(most).filter(|most| *most != u64::MAX),
            None if filter.span != Span::default() => None,
            None => Some(LAST),
        };
        TailQuery {
            filter,
            after: None,
            last,
            limit: None,
        }
    }
}

pub fn run(args: &TailArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let mut query = args.query();
    query.filter.cascade |=
        ask::shows_cascade(args.ask.no_cascade, args.ask.output.format, context);
    if !args.follow && args.cursor_file.is_none() {
        return ask::run(Query::Tail(query), args.ask.output.clone(), context);
    }
    let for_people = match context.format(args.ask.output.format) {
        Format::Table => true,
        Format::Jsonl => false,
        Format::Csv | Format::Xlsx | Format::Html => {
            wrong_usage!(
                "--format: with --follow or --cursor-file the format must be jsonl or table"
            );
        }
    };
    let mut sink = sink::Sink::open(context, for_people, args.cursor_file.as_deref())?;
    follow::run(query, args.follow, context, &mut sink)
}
