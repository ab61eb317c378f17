//! `validation`: the files by which Copernica validates an address.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use schemars::JsonSchema;
use serde::Serialize;

use super::{CommandContext, ExitStatus, Format, ResultOutput, UsageError};
use crate::store::{Folder, ValidationError, ValidationFiles};

#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Before Copernica calls an address, it fetches a text file from it, and shows \
    you the file's name and content. The server serves the files added here at /NAME and \
    /webhook/NAME, at once.\n\n\
    Example: profiletrail validation add smtpeter-abc12.txt"
)]
pub struct ValidationArgs {
    #[command(subcommand)]
    command: ValidationCommand,
}

/// What to do with the files.
#[derive(Debug, Subcommand)]
enum ValidationCommand {
    /// Serve a file under its name
    Add {
        /// The file, saved under the name that Copernica shows
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: ResultOutput,
    },
    /// List the files
    List {
        #[command(flatten)]
        output: ResultOutput,
    },
    /// Stop serving a file
    Remove {
        /// Its name, as list shows it
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        output: ResultOutput,
    },
}

/// A file, as a line of the answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct ValidationLine<'a> {
    /// Its name in the address.
    name: &'a str,
    /// Its length.
    bytes: usize,
}

pub fn run(args: &ValidationArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let files = ValidationFiles::of(&context.data);
    match &args.command {
        ValidationCommand::Add { file, output } => {
            Folder::make(&context.data)?;
            let name = files.add(file).map_err(|error| match error {
                ValidationError::Name(_) => UsageError::new(error.to_string()).into(),
                error => anyhow::Error::from(error).context(format!("adding {}", file.display())),
            })?;
            show(&files, &[name], output, context)?;
            message!("a running server serves it at once: let Copernica validate the address");
            Ok(ExitStatus::Success)
        }
        ValidationCommand::List { output } => {
            let names = files.names().context("listing the validation files")?;
            if names.is_empty() {
                return super::nothing_found(
                    "there are no validation files; `profiletrail validation add FILE` adds one",
                );
            }
            show(&files, &names, output, context)?;
            Ok(ExitStatus::Success)
        }
        ValidationCommand::Remove { name, output } => {
            let line = line(&files, name, output, context)?;
            if !files
                .remove(name)
                .with_context(|| format!("removing {name}"))?
            {
                return super::nothing_found(&format!(
                    "there is no validation file {name}; `profiletrail validation list` lists them"
                ));
            }
            super::print(line)?;
            Ok(ExitStatus::Success)
        }
    }
}

fn show(
    files: &ValidationFiles,
    names: &[String],
    output: &ResultOutput,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let lines = names.iter().map(|name| line(files, name, output, context));
    super::print(lines.collect::<anyhow::Result<String>>()?)
}

/// A file's line: its name for people.
fn line(
    files: &ValidationFiles,
    name: &str,
    output: &ResultOutput,
    context: &CommandContext,
) -> anyhow::Result<String> {
    let bytes = files.read(name).map_or(0, |content| content.len());
    Ok(match context.format(output.format) {
        Format::Jsonl => serde_json::to_string(&ValidationLine { name, bytes })? + "\n",
        _ => format!("{name}  {bytes} bytes\n"),
    })
}
