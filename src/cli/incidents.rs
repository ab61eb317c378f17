//! `incidents`: bursts of changes, one's changes, and a file that undoes one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::ExitStatus;
use super::args::{FilterArgs, Output, TIMES};
use super::ask;
use super::context::{CommandContext, UsageError};
use super::time::{parse_duration, seconds};
use super::undo;
use crate::query::{IncidentId, IncidentsQuery, Query, Wanted};

/// `incidents`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = format!(
    "A field that many profiles get changed at once is an incident, unless that is usual for it around then.\n\
    {TIMES}\n\nExample: profiletrail incidents --since 'last monday'"
))]
pub struct IncidentsArgs {
    #[command(subcommand)]
    pub command: Option<IncidentsCommand>,
    #[command(flatten)]
    pub which: WhichArgs,
    /// At most so many incidents, those of the most profiles
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub output: Output,
}

/// What is an incident.
#[derive(Debug, clap::Args)]
pub struct WhichArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Within how long so many are changed: from 1m to 1d
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = parse_duration)]
    pub within: Duration,
    /// How many profiles or subprofiles an incident has at least
    #[arg(long, value_name = "N", default_value_t = IncidentsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(2..))]
    pub least: u64,
}

/// What to do with one incident.
#[derive(Debug, Subcommand)]
pub enum IncidentsCommand {
    /// Show the changes of an incident
    Show(ShowIncidentArgs),
    /// Write a file for Copernica's import that undoes an incident, and list what it leaves alone
    Undo(UndoArgs),
}

/// `incidents show`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Give the filters that it was listed with, but for times.\n\n\
    Example: profiletrail incidents show mail-1234"
)]
pub struct ShowIncidentArgs {
    /// The incident, as it was listed
    #[arg(value_name = "ID")]
    pub id: IncidentId,
    #[command(flatten)]
    pub which: WhichArgs,
    /// At most so many changes
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub output: Output,
}

/// `incidents undo`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file has the number of each profile that still has what the incident left, and what it had \
    before, exactly as that is known: a value that a spreadsheet would take for a formula is in it as it is, so import \
    the file, and do not open it in one. Give the filters that the incident was listed with, but for times; others \
    undo a part of it.\n\nExample: profiletrail incidents undo mail-1234 --out fix.csv"
)]
pub struct UndoArgs {
    /// The incident, as it was listed
    #[arg(value_name = "ID")]
    pub id: IncidentId,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write it in the place of one that is there
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub which: WhichArgs,
    #[command(flatten)]
    pub output: Output,
}

impl WhichArgs {
    fn query(
        &self,
        limit: Option<u64>,
        what: Wanted,
        context: &CommandContext,
    ) -> anyhow::Result<Query> {
        let within = seconds(self.within);
        let (least, most) = IncidentsQuery::WITHINS;
        if !(least..=most).contains(&within) {
            return Err(UsageError::new("--within: from 1m to 1d can be had").into());
        }
        let filter = self.filter.filter(context)?;
        let about_one = !matches!(what, Wanted::List);
        if about_one && (filter.span.since.is_some() || filter.span.until.is_some()) {
            let what = "--since and --until: an incident has a time of its own; leave them out";
            return Err(UsageError::new(what).into());
        }
        Ok(Query::Incidents(IncidentsQuery {
            filter,
            limit,
            within,
            least: self.least,
            what,
        }))
    }
}

pub fn run(args: &IncidentsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    match &args.command {
        None => {
            let query = args.which.query(args.limit, Wanted::List, context)?;
            ask::run(&query, &args.output, context)
        }
        Some(IncidentsCommand::Show(args)) => {
            let what = Wanted::Show(args.id.clone());
            let query = args.which.query(args.limit, what, context)?;
            ask::run(&query, &args.output, context)
        }
        Some(IncidentsCommand::Undo(args)) => {
            let what = Wanted::Undo(args.id.clone());
            let query = args.which.query(None, what, context)?;
            undo::run(&query, args, context)
        }
    }
}
