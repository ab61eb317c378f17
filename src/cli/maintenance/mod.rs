//! The commands that maintain a data folder: run by the running server, or on the
//! folder.

mod repair;
mod verify;

pub use repair::{RepairArgs, repair};
pub use verify::{VerifyArgs, verify};

use std::io::Write;

use serde::de::DeserializeOwned;

use super::ask;
use super::client::Task;
use super::{CommandContext, ExitStatus, Format, PagedStdout, ResultOutput, TIMES};
use crate::event::Zone;
use crate::format::{View, counted, size, wrapped};
use crate::log::{OpenMode, SealedSegment};
use crate::ops::Maintenance;
use crate::query::{Answered, Query, Span, StatsQuery};
use crate::server::control::Request;

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
    Ok(exit_status(&end))
}

pub fn seal(output: ResultOutput, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    run(
        &Maintenance::Seal,
        output,
        context,
        |sealed: &[SealedSegment], _| {
            let before = sealed.iter().map(|line| line.plain_bytes).sum();
            let after = sealed.iter().map(|line| line.sealed_bytes).sum();
            match sealed.len() as u64 {
                0 => "nothing to seal: every closed segment is sealed\n".to_owned(),
                count => format!(
                    "sealed {}: {} before, {} now\n",
                    counted(count, "segment"),
                    size(before),
                    size(after)
                ),
            }
        },
    )
}

pub(super) fn run<T: DeserializeOwned>(
    task: &Maintenance,
    output: ResultOutput,
    context: &CommandContext,
    text: impl FnOnce(&[T], &View) -> String,
) -> anyhow::Result<ExitStatus> {
    let (lines, end) = order(task, context)?;
    write(&lines, output, context, text)?;
    Ok(exit_status(&end))
}

/// Runs a task, and returns the lines of its result.
pub(super) fn order(
    task: &Maintenance,
    context: &CommandContext,
) -> anyhow::Result<(Vec<u8>, Answered)> {
    let segment_size = u64::MAX;
    let append = OpenMode::Append { segment_size };
    let (doing, mode) = match task {
        Maintenance::Seal => ("sealing", append),
        Maintenance::Backup(_) => ("backing up", OpenMode::Read),
        Maintenance::Verify { .. } => ("verifying", OpenMode::Read),
        Maintenance::Erase(_) => ("erasing", append),
        Maintenance::Prune { dry_run: true, .. } => ("looking", append),
        Maintenance::Prune { .. } => ("pruning", append),
    };
    let mut lines = Vec::new();
    let request = Request::Maintenance(task.clone());
    let end = Task::new(request, mode, doing).run(context, &mut lines)?;
    Ok((lines, end))
}

/// Writes a task's lines unchanged for programs, or as text for people.
pub(super) fn write<T: DeserializeOwned>(
    lines: &[u8],
    output: ResultOutput,
    context: &CommandContext,
    text: impl FnOnce(&[T], &View) -> String,
) -> anyhow::Result<()> {
    let format = context.format(output.format);
    let mut out = PagedStdout::new(context, format);
    match format {
        Format::Jsonl => out.write_all(lines)?,
        _ => out.write_all(text(&parse_lines(lines)?, &context.view).as_bytes())?,
    }
    Ok(out.finish()?)
}

/// Texts for people, each in lines of its own.
pub(super) fn paragraphs(texts: impl Iterator<Item = String>, view: &View) -> String {
    let lines = texts.flat_map(|text| wrapped(&text, view.width.unwrap_or(usize::MAX)));
    lines.map(|line| line + "\n").collect()
}

/// How a task ended; problems are printed on standard error.
pub(super) fn exit_status(end: &Answered) -> ExitStatus {
    super::say_lacking(end);
    match end.damage.is_empty() {
        true => ExitStatus::Success,
        false => ExitStatus::Failed,
    }
}

pub(super) fn parse_lines<T: DeserializeOwned>(lines: &[u8]) -> anyhow::Result<Vec<T>> {
    let lines = serde_json::Deserializer::from_slice(lines).into_iter();
    Ok(lines.collect::<Result<_, _>>()?)
}
