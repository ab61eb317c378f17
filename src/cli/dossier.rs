//! `dossier`: everything about one person as one page to keep, or as lines.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::ExitStatus;
use super::args::TIMES;
use super::ask;
use super::client;
use super::context::{CommandContext, UsageError};
use super::out_file::OutFile;
use super::output::printer;
use crate::format::{LineSplitter, plain};
use crate::query::{DossierQuery, Query, Rounding, unix_time};
use crate::server::control::End;

/// `dossier`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail dossier 123 --field newsletter --out dossier-123.html"))]
pub struct DossierArgs {
    #[command(flatten)]
    pub query: DossierQuery,
    /// As it was at this moment, all events up to it [default: now]
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "until",
        value_parser = unix_time(Rounding::Down)
    )]
    pub at: Option<i64>,
    /// Write it to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A page for people, or JSON lines [default: html with --out, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Form>,
}

/// The form of a dossier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One page, to be read in a browser and printed
    Html,
    /// One JSON object a line, for programs
    Jsonl,
}

impl DossierArgs {
    fn query(&self) -> Query {
        let mut query = self.query.clone();
        if let Some(at) = self.at {
            query.span.until = Some(at.saturating_add(1));
        }
        Query::Dossier(query)
    }

    fn form(&self, context: &CommandContext) -> anyhow::Result<Form> {
        match (self.format, &self.out) {
            (Some(form), _) => Ok(form),
            (None, Some(_)) => Ok(Form::Html),
            (None, None) if context.terminal => {
                let key = self.query.key;
                let what = format!(
                    "a dossier is a page: write --out dossier-{}.html, or --format jsonl to see its lines here",
                    key.to_string().replace('/', "-")
                );
                Err(UsageError::new(what).into())
            }
            (None, None) => Ok(Form::Jsonl),
        }
    }
}

pub fn run(args: &DossierArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let query = args.query();
    let form = args.form(context)?;
    let mut stdout = BufWriter::with_capacity(1 << 16, super::Stdout::new());
    let Some(path) = &args.out else {
        let end = write(&query, form, context, &mut stdout)?;
        stdout.flush()?;
        return Ok(ask::lacking(&query, &end).unwrap_or(ExitStatus::Success));
    };
    let file = OutFile::beside(path, None)?;
    let mut out = BufWriter::with_capacity(1 << 16, file.file());
    let end = write(&query, form, context, &mut out)?;
    out.flush()?;
    drop(out);
    let ending = ask::lacking(&query, &end);
    if end.found {
        // The dossier lists what cannot be read.
        file.put()?;
        let shown = plain(&path.display().to_string());
        let key = args.query.key;
        writeln!(stdout, "wrote the dossier of {key} to {shown}")?;
        stdout.flush()?;
    }
    Ok(ending.unwrap_or(ExitStatus::Success))
}

fn write(
    query: &Query,
    form: Form,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<End> {
    match form {
        Form::Jsonl => client::ask(query, context, out),
        Form::Html => {
            let mut printed = LineSplitter::new(printer(query, context.view(), out));
            let end = client::ask(query, context, &mut printed)?;
            printed.finish()?;
            Ok(end)
        }
    }
}
