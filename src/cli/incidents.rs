//! `incidents`: bursts of changes, one's changes, and a file that undoes one.
//!
//! That file is written to a temporary name, synced and renamed, so it is never
//! incomplete. If events cannot be read it is not created, since one of them may
//! have changed a value later. Values are written byte for byte, for the import.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use clap::Subcommand;

use super::answer_args::AskStates;
use super::ask;
use super::out_file::OutFile;
use super::{CommandContext, ExitStatus, Format, PagedStdout, TIMES, UsageError, formats};
use crate::format::{Printer, counted, grouped};
use crate::query::{IncidentId, IncidentsQuery, Query, UndoFile, UndoLine, Wanted};

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
            undo(&query, &args, context)
        }
    }
}

/// Writes the file that undoes an incident, and lists the values it leaves unchanged.
fn undo(query: &Query, args: &UndoArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let out = OutFile::beside(&args.out, Some(args.force))?;
    let mut file = UndoFile::new(out.file().try_clone()?, args.collection_name.clone());
    let format = context.format(args.format);
    let mut stdout = PagedStdout::unpaged(context.escapes(format));
    let printer = UndoPrinter {
        file: &mut file,
        others: ask::printer_of(query, format, context, &mut stdout)?,
    };
    let end = ask::print(query, Box::new(printer), context)?;
    if file.wrong_collection {
        match file.collection {
            None => wrong_usage!(
                "the incident is of subprofiles: give their collection's name in Copernica, as in --collection-name Pets"
            ),
            Some(_) => {
                wrong_usage!("--collection-name: the incident is of profiles; leave it out")
            }
        }
    }
    unless_closed(stdout.flush())?;
    if let Some(ending) = ask::lacking(query, &end, context) {
        if !end.damage.is_empty() {
            message!("nothing was written: what cannot be read may have changed a value since");
        }
        return Ok(ending);
    }
    let left = match file.left {
        1 => "1 is".to_owned(),
        count => format!("{} are", grouped(count)),
    };
    let summary = match file.restored {
        0 => format!("nothing to restore; {left} skipped"),
        restored => {
            file.flush()?;
            drop(file);
            out.put()?;
            let path = args.out.display();
            let values = counted(restored, "value");
            format!("wrote {values} to restore to {path}; {left} skipped")
        }
    };
    message!("{summary}");
    Ok(ExitStatus::Success)
}

/// The reader of the list may leave: the file is written all the same.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes values to restore to the file, and lists the others.
struct UndoPrinter<'a> {
    file: &'a mut UndoFile<File>,
    others: Box<dyn Printer + 'a>,
}

impl Printer for UndoPrinter<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let value: UndoLine<'_> = serde_json::from_slice(line)?;
        match self.file.take(&value)? {
            true => Ok(()),
            false => unless_closed(self.others.line(line)),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        unless_closed(self.others.finish())
    }
}
