//! `dossier`: everything about one person as one page to keep, or as lines.

use std::path::PathBuf;

use super::ask;
use super::{CommandContext, ExitStatus, Format, PagedStdout, TIMES, formats};
use crate::format::{plain, size};
use crate::query::{DossierQuery, Query, unix_time};

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
        value_parser = unix_time
    )]
    pub at: Option<i64>,
    /// The file to write; it must not exist yet
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A page for people, or JSON lines [default: html with --out, else jsonl]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Html, Format::Jsonl]))]
    pub format: Option<Format>,
}

pub fn run(args: &DossierArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let key = args.query.key;
    let mut query = args.query.clone();
    if let Some(at) = args.at {
        query.span.until = Some(at.saturating_add(1));
    }
    let query = Query::Dossier(query);
    let format = match (args.format, &args.out) {
        (Some(format), _) => format,
        (None, Some(_)) => Format::Html,
        (None, None) if context.terminal => {
            wrong_usage!(
                "a dossier is a page: write --out dossier-{}.html, or --format jsonl to see its lines here",
                key.to_string().replace('/', "-")
            );
        }
        (None, None) => Format::Jsonl,
    };
    let Some(path) = &args.out else {
        let stdout = PagedStdout::unpaged(context.escapes(format));
        return ask::to_stdout(&query, format, stdout, context);
    };
    // The dossier lists unreadable events.
    let (status, written) = ask::to_file(&query, format, path, context)?;
    if let Some(bytes) = written {
        let shown = plain(&path.display().to_string());
        let size = size(bytes);
        super::print(format!("wrote the dossier of {key} to {shown} ({size})\n"))?;
    }
    Ok(status)
}
