//! The commands that maintain a data folder: run by the running server, or on the
//! folder.

pub mod args;
mod chart;
mod repair;
mod stats;
mod verify;

pub use repair::repair;
pub use stats::stats;
pub use verify::verify;

use std::io::{BufWriter, Write};

use bytesize::ByteSize;
use serde::de::DeserializeOwned;

use super::ExitStatus;
use super::args::{Format, ResultOutput, SealArgs};
use super::client::reach;
use super::context::CommandContext;
use super::progress::Bar;
use crate::format::counted;
use crate::log::SealedSegment;
use crate::ops::Maintenance;
use crate::server::control::{End, Request};
use crate::store::Purpose;

/// `seal`
pub fn seal(args: &SealArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let purpose = Purpose::Append {
        server: false,
        segment_size: u64::MAX,
    };
    let mut lines = Vec::new();
    let end = order(&Maintenance::Seal, purpose, "sealing", context, &mut lines)?;
    write_lines(
        &lines,
        &args.output,
        context,
        |sealed: Vec<SealedSegment>| {
            let before = sealed.iter().map(|line| line.plain_bytes).sum();
            let after = sealed.iter().map(|line| line.sealed_bytes).sum();
            let count = u64::try_from(sealed.len()).unwrap_or(u64::MAX);
            let text = match count {
                0 => "nothing to seal: every closed segment is sealed\n".to_owned(),
                count => format!(
                    "sealed {}: {} before, {} now\n",
                    counted(count, "segment"),
                    shown(before),
                    shown(after)
                ),
            };
            Ok(text)
        },
    )?;
    Ok(exit_status(&end))
}

/// Writes a task's lines as they are for programs, or as text for people.
pub(super) fn write_lines<T: DeserializeOwned>(
    lines: &[u8],
    output: &ResultOutput,
    context: &CommandContext,
    text: impl FnOnce(Vec<T>) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    match context.format(output.format) {
        Format::Jsonl => write(lines),
        _ => write(text(parse_lines(lines)?)?.as_bytes()),
    }
}

/// A number of bytes for people.
pub(super) fn shown(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// How a task ended; problems are printed on standard error.
pub(super) fn exit_status(end: &End) -> ExitStatus {
    super::say_notes(end);
    for damage in &end.damage {
        super::say(&format!("profiletrail: {damage}"));
    }
    if end.damage.is_empty() {
        ExitStatus::Success
    } else {
        ExitStatus::Failed
    }
}

/// Runs a task, and writes its lines to `out`.
pub(super) fn order(
    request: &Maintenance,
    purpose: Purpose,
    doing: &'static str,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<End> {
    let mut bar = Bar::new(doing, context.progress);
    let request = Request::Maintenance(request.clone());
    let mut on_control = |control| {
        bar.show(&control);
        Ok(())
    };
    reach(context, purpose)?.ask(&request, &mut on_control, out)
}

pub(super) fn parse_lines<T: DeserializeOwned>(lines: &[u8]) -> anyhow::Result<Vec<T>> {
    let lines = serde_json::Deserializer::from_slice(lines).into_iter();
    Ok(lines.collect::<Result<_, _>>()?)
}

pub(super) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = BufWriter::new(super::Stdout::new());
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}
