//! `repair`

use anyhow::Context as _;

use crate::cli::print;
use crate::cli::prompt::{confirm, declined, require_terminal};
use crate::cli::{CommandContext, ExitStatus, Format, ResultOutput};
use crate::format::{counted, plain};
use crate::log::repair::{Finding, Remedy};
use crate::ops::{Repair, RepairLine};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Events that cannot be read are lost: they stay listed as lost, and their numbers are not used again. \
    Damaged files are kept.\n\nExample: profiletrail repair"
)]
pub struct RepairArgs {
    /// Repair without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}

pub fn repair(args: &RepairArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let repair = Repair::survey(&context.data)
        .context("repair needs the data folder for itself, and permission to read it")?;
    let lines = repair.lines();
    let json = context.format(args.output.format) == Format::Jsonl;
    if lines.is_empty() {
        message!("nothing to repair: every segment is whole");
        return Ok(ExitStatus::Success);
    }
    if !args.yes {
        for line in &lines {
            crate::cli::say(&text_of(line));
        }
        require_terminal("nothing was changed: run it on a terminal, or with --yes")?;
        if !confirm("Rewrite these segments, keeping the damaged files aside?")? {
            return Ok(declined());
        }
    }
    let mut done = Ok(());
    repair.run(&mut |line| {
        let text = if json {
            serde_json::to_string(&line).unwrap_or_default()
        } else {
            text_of(&line)
        };
        if done.is_ok() {
            done = print(text + "\n");
        }
    })?;
    done?;
    Ok(ExitStatus::Success)
}

/// A segment for people: what will be done, or was done.
fn text_of(line: &RepairLine) -> String {
    let event = match line.log.as_str() {
        "events" => "event",
        _ => "rejected call",
    };
    let Finding {
        kept,
        lost,
        remedy,
        unknown,
        segment,
        ..
    } = &line.finding;
    let more = if lost.len() > 5 { ", …" } else { "" };
    let ranges: Vec<String> = lost
        .iter()
        .take(5)
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        })
        .collect();
    let lost: u64 = lost.iter().map(|(first, last)| last - first + 1).sum();
    let lost = match lost {
        0 => "nothing is lost".to_owned(),
        count => format!(
            "{} {} lost ({}{more})",
            counted(count, event),
            if count == 1 { "is" } else { "are" },
            ranges.join(", ")
        ),
    };
    let what = match remedy {
        Remedy::Make => format!("is missing: {lost}"),
        Remedy::Cut => "ends with an incomplete write, which is cut off".to_owned(),
        Remedy::Rewrite => format!("is damaged: {} can be read, {lost}", counted(*kept, event)),
    };
    let unknown = match unknown {
        true => "; there may have been more after them, whose numbers will be used again",
        false => "",
    };
    let aside = line.aside.as_ref();
    let aside = aside.map_or_else(String::new, |path| {
        format!("; kept aside as {}", path.display())
    });
    plain(&format!("{} {what}{unknown}{aside}", segment.display()))
}
