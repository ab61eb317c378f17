//! `incidents`: bursts of changes, one's changes, and a file that undoes one.

use std::path::PathBuf;

use clap::Subcommand;

use super::ExitStatus;
use super::args::{Format, NoCascade, Output, TIMES, formats};
use super::ask;
use super::context::{CommandContext, UsageError};
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
    pub query: IncidentsQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
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
    pub query: IncidentsQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    #[command(flatten)]
    pub output: Output,
}

/// `incidents undo`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file has the columns id and the field's name; for subprofiles of the collection Pets, Pets.id and \
    Pets.NAME, as Copernica's import wants them. It has the number of each profile that still has what the incident left, and what it had \
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
    /// The collection's name in Copernica, where the incident is of subprofiles
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub collection_name: Option<String>,
    /// Write it in the place of one that is there
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub query: IncidentsQuery,
    #[command(flatten)]
    pub no_cascade: NoCascade,
    /// The form of the list [default: table on a terminal, jsonl elsewhere]
    #[arg(long, env = "PROFILETRAIL_FORMAT", value_name = "FORMAT",
        value_parser = formats(["table", "jsonl", "csv"]))]
    pub format: Option<Format>,
}

/// The question with what is asked of incidents.
fn query(query: &IncidentsQuery, what: Wanted) -> Result<Query, UsageError> {
    let query = IncidentsQuery {
        what,
        ..query.clone()
    };
    query.check()?;
    Ok(Query::Incidents(query))
}

pub fn run(args: &IncidentsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    match &args.command {
        None => {
            let query = query(&args.query, Wanted::List)?;
            ask::run(&query, &args.output, context)
        }
        Some(IncidentsCommand::Show(args)) => {
            let what = Wanted::Show(args.id.clone());
            let query = query(&args.query, what)?;
            ask::run(&query, &args.output, context)
        }
        Some(IncidentsCommand::Undo(args)) => {
            let what = Wanted::Undo(args.id.clone());
            let query = query(&args.query, what)?;
            undo::run(&query, args, context)
        }
    }
}
