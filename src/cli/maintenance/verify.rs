//! `verify`

use std::fs;
use std::path::{Path, PathBuf};

use super::{exit_status, order, parse_lines, write};
use crate::cli::proofs::read_note;
use crate::cli::{CommandContext, ExitStatus, ResultOutput};
use crate::format::{counted, grouped, plain, size};
use crate::ops::{Maintenance, VerifyLine, VerifySummary};
use crate::proofs::{Old, base64};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Repairs nothing. Exit status: 0 no damage, 3 damage.\n\n\
    Examples: profiletrail verify\n          \
    profiletrail verify --checkpoint /mnt/backup/profiletrail/proofs/checkpoint"
)]
pub struct VerifyArgs {
    /// Compare the log with this checkpoint, too; with the file tiles of a backup beside
    /// it, the first 256 events that differ are named
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub output: ResultOutput,
}

pub fn verify(args: &VerifyArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let old = args.checkpoint.as_deref().map(read_old).transpose()?;
    let (lines, mut end) = order(&Maintenance::Verify { old }, context)?;
    let read: Vec<VerifyLine> = parse_lines(&lines)?;
    write(&lines, args.output, context, |lines: &[VerifyLine], _| {
        lines.iter().map(text_of).collect()
    })?;
    let repairable = |line: &VerifyLine| matches!(line, VerifyLine::Damage(_));
    if let Some(damage) = end.damage.first_mut()
        && read.iter().any(repairable)
    {
        damage.push_str(&format!(
            ": stop the server if one runs, and run {}, which recovers what can be read, or put the \
             segment back from a backup",
            context.command("repair")
        ));
    }
    Ok(exit_status(&end))
}

/// An old checkpoint, with the tiles that a backup has beside it.
fn read_old(path: &Path) -> anyhow::Result<Old> {
    let note = read_note(path)?;
    let tiles = fs::read(path.with_file_name("tiles")).unwrap_or_default();
    let (tiles, _) = tiles.as_chunks::<32>();
    let tiles = tiles.iter().map(|hash| base64(hash)).collect();
    Ok(Old { note, tiles })
}

/// A line for people.
fn text_of(line: &VerifyLine) -> String {
    let text = match line {
        VerifyLine::Damage(line) => line.damage().to_string(),
        VerifyLine::Index(line) => line.what.clone(),
        VerifyLine::Proof(line) => line.what.clone(),
        VerifyLine::Note(line) => format!("note: {}: {}", line.file, line.what),
        VerifyLine::Lost(line) => {
            let what = match line.log.as_str() {
                "events" => "event",
                _ => "rejected call",
            };
            let which = match line.first_seq == line.last_seq {
                true => format!("{what} {} was", line.first_seq),
                false => format!("{what}s {} to {} were", line.first_seq, line.last_seq),
            };
            let day = line.repaired.split('T').next().unwrap_or_default();
            format!("note: {which} lost (repaired on {day})")
        }
        VerifyLine::Summary(summary) => summary_of(summary),
    };
    plain(&text) + "\n"
}

fn summary_of(summary: &VerifySummary) -> String {
    let verdict = match summary.damages {
        0 => "all is well".to_owned(),
        count => counted(count, "damage"),
    };
    let mut parts = vec![
        counted(summary.events, "event"),
        counted(summary.rejected, "rejected call"),
        counted(summary.segments, "segment"),
        size(summary.bytes),
    ];
    for (count, what) in [
        (summary.lost, "known to be lost"),
        (summary.pruned, "removed"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", grouped(count)));
        }
    }
    format!("{}: {verdict}", parts.join(", "))
}
