//! `verify`

use std::fmt::Write;

use super::{ending, order, parse_lines, shown, write};
use crate::cli::ExitStatus;
use crate::cli::args::{Format, VerifyArgs};
use crate::cli::context::CommandContext;
use crate::format::{counted, grouped, plain};
use crate::ops::{Maintenance, VerifyLine, VerifySummary};
use crate::store::Purpose;

/// `verify`
pub fn verify(args: &VerifyArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    crate::cli::logging::of_command(context);
    let mut lines = Vec::new();
    let mut end = order(
        &Maintenance::Verify,
        Purpose::Ask,
        "verifying",
        context,
        &mut lines,
    )?;
    let read: Vec<VerifyLine> = parse_lines(&lines)?;
    if context.format(args.output.format) == Format::Jsonl {
        write(&lines)?;
    } else {
        let mut text = String::new();
        for line in &read {
            // Writing to a string does not fail.
            let _ = tell(&mut text, line);
        }
        write(text.as_bytes())?;
    }
    let repairable = |line: &VerifyLine| matches!(line, VerifyLine::Damage(_));
    if let Some(damage) = end.damage.first_mut()
        && read.iter().any(repairable)
    {
        damage.push_str(
            ": stop the server if one runs, and run `profiletrail repair`, which saves what can \
             be saved, or put the segment back from a backup",
        );
    }
    Ok(ending(&end))
}

fn tell(text: &mut String, line: &VerifyLine) -> std::fmt::Result {
    match line {
        VerifyLine::Damage(line) => writeln!(text, "{}", plain(&line.damage().to_string())),
        VerifyLine::Index(line) => writeln!(text, "{}", plain(&line.what)),
        VerifyLine::Note(line) => writeln!(text, "note: {}: {}", plain(&line.file), line.what),
        VerifyLine::Lost(line) => {
            let what = match (line.log.as_str(), line.first_seq == line.last_seq) {
                ("events", true) => format!("event {} was", line.first_seq),
                ("events", false) => {
                    format!("events {} to {} were", line.first_seq, line.last_seq)
                }
                (_, true) => format!("rejected call {} was", line.first_seq),
                (_, false) => {
                    format!(
                        "rejected calls {} to {} were",
                        line.first_seq, line.last_seq
                    )
                }
            };
            let day = line.repaired.split('T').next().unwrap_or_default();
            writeln!(text, "note: {what} lost (repaired on {day})")
        }
        VerifyLine::Summary(summary) => summarise(text, summary),
    }
}

fn summarise(text: &mut String, summary: &VerifySummary) -> std::fmt::Result {
    let verdict = match summary.damages {
        0 => "all is well".to_owned(),
        count => counted(count, "damage"),
    };
    let mut parts = vec![
        counted(summary.events, "event"),
        counted(summary.rejected, "rejected call"),
        counted(summary.segments, "segment"),
        shown(summary.bytes),
    ];
    for (count, what) in [
        (summary.lost, "known to be lost"),
        (summary.pruned, "pruned"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", grouped(count)));
        }
    }
    writeln!(text, "{}: {verdict}", parts.join(", "))
}
