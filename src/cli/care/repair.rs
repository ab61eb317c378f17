//! `repair`

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use anyhow::Context;

use super::write;
use crate::cli::Ending;
use crate::cli::args::{Format, RepairArgs};
use crate::cli::setting::{Setting, UsageError};
use crate::format::{counted, plain};
use crate::ops::{Repair, RepairLine};

/// `repair`
pub fn repair(args: &RepairArgs, setting: &Setting) -> anyhow::Result<Ending> {
    crate::cli::logging::of_command(setting);
    let repair = Repair::survey(&setting.data)
        .context("a repair needs the data folder for itself, and readable")?;
    let lines = repair.lines();
    let json = setting.format(args.output.format) == Format::Jsonl;
    if lines.is_empty() {
        crate::cli::say("profiletrail: nothing to repair: every segment is whole");
        return Ok(Ending::Answered);
    }
    if !args.yes {
        for line in &lines {
            crate::cli::say(&told(line));
        }
        if !ask()? {
            crate::cli::say("profiletrail: nothing was changed");
            return Ok(Ending::Failed);
        }
    }
    let mut done = Ok(());
    repair.carry_out(&mut |line| {
        let text = if json {
            serde_json::to_string(&line).unwrap_or_default()
        } else {
            told(&line)
        };
        if done.is_ok() {
            done = write(format!("{text}\n").as_bytes());
        }
    })?;
    done?;
    Ok(Ending::Answered)
}

/// Asks a person; an error where there is none to be asked.
fn ask() -> anyhow::Result<bool> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        let what = "nothing was changed: run it on a terminal, or with --yes";
        return Err(UsageError::new(what).into());
    }
    let mut err = stderr().lock();
    write!(
        err,
        "Write these segments anew, keeping the damaged files aside? [y/N] "
    )?;
    err.flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A segment for people: what is to be done, or was done.
fn told(line: &RepairLine) -> String {
    let event = match line.log.as_str() {
        "events" => "event",
        _ => "rejected call",
    };
    let lost: u64 = line.lost.iter().map(|(first, last)| last - first + 1).sum();
    let ranges: Vec<String> = line
        .lost
        .iter()
        .take(5)
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        })
        .collect();
    let more = if line.lost.len() > 5 { ", …" } else { "" };
    let lost = match lost {
        0 => "nothing is lost".to_owned(),
        count => format!(
            "{} {} lost ({}{more})",
            counted(count, event),
            if count == 1 { "is" } else { "are" },
            ranges.join(", ")
        ),
    };
    let what = match line.remedy.as_str() {
        "make" => format!("is missing: {lost}"),
        "cut" => "ends with a write that is not whole, which is cut off".to_owned(),
        _ => format!(
            "is damaged: {} can be read, {lost}",
            counted(line.kept, event)
        ),
    };
    let unknown = match line.unknown {
        true => "; there may have been more after them, whose numbers are given anew",
        false => "",
    };
    let aside = line.aside.as_ref();
    let aside = aside.map_or_else(String::new, |path| format!("; kept aside as {path}"));
    plain(&format!("{} {what}{unknown}{aside}", line.segment)).to_string()
}
