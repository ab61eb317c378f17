//! `prune`: showing what it would remove, asking, and removing it.

use super::ExitStatus;
use super::args::{Format, ResultOutput, TIMES};
use super::context::{CommandContext, UsageError};
use super::maintenance::{exit_status, order, parse_lines, shown, write};
use super::output::details;
use super::prompt::{confirm, declined, require_terminal};
use crate::format::{Role, Text, View, counted, grouped};
use crate::ops::Maintenance;
use crate::query::Rounding;
use crate::server::control::End;
use crate::store::{PruneReport, Purpose, YOUNGEST};

/// `prune`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("An event is pruned if it happened before the time and arrived before it; an imported event \
    arrived when its `received` says. What every profile was after its last pruned event is kept. The newest segment of the log \
    is never pruned.\n\n{TIMES}\n\nExample: profiletrail prune --before '5 years ago' --dry-run"))]
pub struct PruneArgs {
    /// Prune events that happened and arrived before this time; at least a day ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub before: String,
    /// Only show what it would remove
    #[arg(long)]
    pub dry_run: bool,
    /// Remove without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}

pub fn run(args: &PruneArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let before = context.moment("--before", &args.before, Rounding::Down)?;
    if before > context.now().saturating_sub(YOUNGEST) {
        let what = format!(
            "--before: {:?} is less than a day ago: younger events are never pruned",
            args.before
        );
        return Err(UsageError::new(what).into());
    }
    if !args.dry_run && !args.yes {
        require_terminal(
            "prune removes events permanently: see what it would remove with --dry-run, then add --yes",
        )?;
    }
    let view = context.view();
    let jsonl = context.format(args.output.format) == Format::Jsonl;
    if args.dry_run || !args.yes {
        let (end, lines) = prune(before, true, context)?;
        if args.dry_run {
            write_lines_of(&lines, jsonl, &view)?;
            return Ok(exit_status(&end));
        }
        let would: Vec<PruneReport> = parse_lines(&lines)?;
        let goes = would.iter().any(|line| line.events + line.rejected > 0);
        if goes {
            for line in &would {
                super::say(&text_of(line, &view));
            }
            if !confirm("Remove them permanently?")? {
                return Ok(declined());
            }
        }
    }
    let (end, lines) = prune(before, false, context)?;
    write_lines_of(&lines, jsonl, &view)?;
    Ok(exit_status(&end))
}

fn prune(before: i64, dry_run: bool, context: &CommandContext) -> anyhow::Result<(End, Vec<u8>)> {
    let purpose = Purpose::Append {
        server: false,
        segment_size: u64::MAX,
    };
    let mut lines = Vec::new();
    let care = Maintenance::Prune { before, dry_run };
    let doing = if dry_run { "looking" } else { "pruning" };
    let end = order(&care, purpose, doing, context, &mut lines)?;
    Ok((end, lines))
}

fn write_lines_of(lines: &[u8], jsonl: bool, view: &View) -> anyhow::Result<()> {
    if jsonl {
        return write(lines);
    }
    let lines: Vec<PruneReport> = parse_lines(lines)?;
    let mut text = Vec::new();
    for line in &lines {
        let line = Text::of(Role::Plain, text_of(line, view));
        details::title(&line, view, &mut text)?;
    }
    write(&text)
}

/// What people see of a prune.
fn text_of(line: &PruneReport, view: &View) -> String {
    let PruneReport {
        events,
        kept,
        profiles,
        rejected,
        bytes,
        ..
    } = line;
    let already = line.already.as_ref();
    let before = view.time(&line.before);
    let nothing = events + rejected == 0;
    let already = already.filter(|already| nothing && **already >= line.before);
    let mut text = if let Some(already) = already {
        let already = view.time(already);
        format!("nothing to prune before {before}: everything before {already} is pruned already")
    } else if nothing {
        format!("nothing to prune before {before}")
    } else {
        let verb = if line.dry_run {
            "would prune"
        } else {
            "pruned"
        };
        format!(
            "{verb}: {} of {} profiles and subprofiles, and {}, before {before}",
            counted(*events, "event"),
            grouped(*profiles),
            counted(*rejected, "rejected call")
        )
    };
    if *kept > 0 {
        let stay = match kept {
            1 => {
                "1 older event stays: it stands in the newest segment, or arrived later".to_owned()
            }
            kept => format!(
                "{} older events stay: they stand in the newest segment, or arrived later",
                grouped(*kept)
            ),
        };
        text += &format!("; {stay}");
    }
    if *bytes > 0 {
        let about = if line.dry_run { "about " } else { "" };
        text += &format!("; {about}{} given back", shown(*bytes));
    }
    if line.waiting {
        text += "; the space is given back once the answers have ended that began before";
    }
    text
}
