//! `incidents`: lists bursts of changes, shows the changes of one, and writes a file that
//! undoes one.

use std::path::PathBuf;

use clap::Subcommand;

use super::answer_args::AskStates;
use super::undo;
use super::{CommandContext, ExitStatus, Format, TIMES, UsageError, formats};
use crate::query::{IncidentId, IncidentsQuery, Query, Wanted};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = format!(
    "An incident is a change of one field in many profiles at once, unless that is usual for the field at that time.\n\
    {TIMES}\n\nExample: profiletrail incidents --since 'last monday'"
))]
pub struct IncidentsArgs {
    #[command(subcommand)]
    pub command: Option<IncidentsCommand>,
    #[command(flatten)]
    pub ask: AskStates<IncidentsQuery>,
}

/// What to do with one incident.
#[derive(Debug, Subcommand)]
pub enum IncidentsCommand {
    /// Show the changes of an incident
    Show(ShowIncidentArgs),
    /// Write a file for Copernica's import that undoes an incident, and list what it skips
    Undo(UndoArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Repeat the filters that it was listed with, except times.\n\n\
    Example: profiletrail incidents show mail-1234"
)]
pub struct ShowIncidentArgs {
    /// The incident, as it was listed
    #[arg(value_name = "ID")]
    pub id: IncidentId,
    #[command(flatten)]
    pub ask: AskStates<IncidentsQuery>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file lists each profile that still has the value of the incident, with the value that it had \
    before, in the columns id and the field's name; for subprofiles of the collection Pets, Pets.id and Pets.NAME, as \
    Copernica's import reads them. Values are written exactly, including those that a \
    spreadsheet would run as a formula: import the file, and do not open it in a spreadsheet. Repeat the filters that \
    the incident was listed with, except times; further filters undo only a part of it.\n\nExample: profiletrail incidents undo mail-1234 --out fix.csv"
)]
pub struct UndoArgs {
    /// The incident, as it was listed
    #[arg(value_name = "ID")]
    pub id: IncidentId,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The collection's name in Copernica, if the incident is of subprofiles
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub collection_name: Option<String>,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub query: IncidentsQuery,
    /// Do not show subprofiles as deleted with their profile
    #[arg(long, overrides_with = "cascade")]
    pub no_cascade: bool,
    /// The form of the list [default: table on a terminal, jsonl elsewhere]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Table, Format::Jsonl, Format::Csv]))]
    pub format: Option<Format>,
}

/// Asks for all incidents, for one, or for the file that undoes one.
pub fn run(args: IncidentsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let question = |query: IncidentsQuery, what| {
        let query = IncidentsQuery { what, ..query };
        query.check()?;
        Ok(Query::Incidents(query))
    };
    match args.command {
        None => args.ask.run(context, |query| question(query, Wanted::List)),
        Some(IncidentsCommand::Show(args)) => {
            let what = Wanted::Show(args.id);
            args.ask.run(context, |query| question(query, what))
        }
        Some(IncidentsCommand::Undo(args)) => {
            let what = Wanted::Undo(args.id.clone());
            let query = question(args.query.clone(), what).map_err(UsageError::from)?;
            undo::run(&query, &args, context)
        }
    }
}
