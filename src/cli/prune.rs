//! `prune`: shows what it would remove, asks, and removes it.

use super::maintenance::{self, order, parse_lines};
use super::prompt::{confirm, declined, require_terminal};
use super::{CommandContext, ExitStatus, ResultOutput, TIMES};
use crate::format::{View, counted, size};
use crate::ops::Maintenance;
use crate::query::unix_time;
use crate::store::{PruneReport, YOUNGEST};

#[derive(Debug, clap::Args)]
#[command(after_help = format!("An event is pruned if it happened before the time and arrived before it; an imported event \
    arrived when its `received` says. The state of every profile after its last pruned event is kept. The newest segment of the log \
    is never pruned.\n\n{TIMES}\n\nExample: profiletrail prune --before '5 years ago' --dry-run"))]
pub struct PruneArgs {
    /// Prune events that happened and arrived before this time; at least a day ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    pub before: i64,
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
    let before = args.before;
    if before > context.view.now.saturating_sub(YOUNGEST) {
        wrong_usage!(
            "--before: {} is less than a day ago: newer events are never pruned",
            context.view.moment(before)
        );
    }
    if !args.dry_run && !args.yes {
        require_terminal(
            "prune removes events permanently: see what it would remove with --dry-run, then add --yes",
        )?;
        let dry_run = true;
        let (lines, _) = order(&Maintenance::Prune { before, dry_run }, context)?;
        let would: Vec<PruneReport> = parse_lines(&lines)?;
        if would.iter().any(|line| line.events + line.rejected > 0) {
            for line in &would {
                super::say(&text_of(line, &context.view));
            }
            if !confirm("Remove them permanently?")? {
                return Ok(declined());
            }
        }
    }
    let dry_run = args.dry_run;
    let task = Maintenance::Prune { before, dry_run };
    maintenance::run(
        &task,
        args.output,
        context,
        |lines: &[PruneReport], view| {
            maintenance::paragraphs(lines.iter().map(|line| text_of(line, view)), view)
        },
    )
}

fn text_of(line: &PruneReport, view: &View) -> String {
    let before = view.time(&line.before);
    let nothing = line.events + line.rejected == 0;
    let already = line.already.as_ref();
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
            "{verb}: {} of {}, and {}, before {before}",
            counted(line.events, "event"),
            counted(line.profiles, "(sub)profile"),
            counted(line.rejected, "rejected call")
        )
    };
    if line.kept > 0 {
        let verb = if line.kept == 1 { "stays" } else { "stay" };
        text += &format!(
            "; {} {verb}: in the newest segment, or received later",
            counted(line.kept, "older event")
        );
    }
    if line.bytes > 0 {
        let about = if line.dry_run { "about " } else { "" };
        text += &format!("; {about}{} freed", size(line.bytes));
    }
    if line.waiting {
        text += "; the space is freed once the answers that began earlier have ended";
    }
    text
}
