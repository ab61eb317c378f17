//! `dossier`: everything about one person as one page to keep, or as lines.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::ExitStatus;
use super::args::TIMES;
use super::ask;
use super::context::{CommandContext, UsageError};
use super::out_file::OutFile;
use super::output::printer;
use crate::format::{Lines, Printer, plain};
use crate::query::{Answered, DossierQuery, Query, Rounding, unix_time};

/// `dossier`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail dossier 123 --field newsletter --out dossier-123.html"))]
pub struct DossierArgs {
    #[command(flatten)]
    pub query: DossierQuery,
    /// The state at this moment, with all events up to it [default: now]
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "until",
        value_parser = unix_time(Rounding::Down)
    )]
    pub at: Option<i64>,
    /// The file to write; it must not exist yet
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
    /// One JSON object per line, for programs
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
    let Some(path) = &args.out else {
        let mut stdout = BufWriter::with_capacity(1 << 16, super::Stdout::new());
        let end = write(&query, form, context, &mut stdout)?;
        stdout.flush()?;
        return Ok(ask::lacking(&query, &end, context).unwrap_or(ExitStatus::Success));
    };
    let file = OutFile::beside(path, None)?;
    let mut out = BufWriter::with_capacity(1 << 16, file.file());
    let end = write(&query, form, context, &mut out)?;
    out.flush()?;
    drop(out);
    let ending = ask::lacking(&query, &end, context);
    if end.found {
        // The dossier lists what cannot be read.
        file.put()?;
        let shown = plain(&path.display().to_string());
        let key = args.query.key;
        super::print(format!("wrote the dossier of {key} to {shown}\n"))?;
    }
    Ok(ending.unwrap_or(ExitStatus::Success))
}

fn write(
    query: &Query,
    form: Form,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<Answered> {
    let printer: Box<dyn Printer + '_> = match form {
        Form::Jsonl => Box::new(Lines(out)),
        Form::Html => printer(query, context.view(), out),
    };
    ask::print(query, printer, context)
}
