//! `erase`: shows the data of persons, asks, and erases it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::maintenance::{exit_status, order, paragraphs, parse_lines, write};
use super::prompt::{confirm, declined, require_terminal};
use super::{CommandContext, ExitStatus, ResultOutput, UsageError};
use crate::format::{counted, shell};
use crate::ops::Maintenance;
use crate::ops::backup::BackupOrder;
use crate::store::{EraseLine, EraseOrder};

/// The longest list of profiles that is read, in bytes.
const MAX_LIST: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Everything that arrived of the profile and its subprofiles until now is erased: it is hidden at once, \
    and then removed from every file of the data folder and of the named backups. What arrives later is kept. A \
    receipt stays: its number, the profile's, how many events there were, and the reason, which should name no person. \
    Proofs of other events stay valid.\n\n\
    Erase the profile in Copernica first. Exit status 1: nothing is known of the profile.\n\n\
    Examples: profiletrail erase 123 --reason 'request of 2026-11-29' --dry-run\n          \
    profiletrail erase --file leavers.txt --reason 'retention' --yes --backup /mnt/backup"
)]
pub struct EraseArgs {
    /// The profile
    #[arg(value_name = "PROFILE", required_unless_present = "file")]
    pub profile: Option<u64>,
    /// Erase the profiles that this file lists, one number a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub file: Option<PathBuf>,
    /// Why, for the receipt, which is kept
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Also erase profiles whose last event is not a delete
    #[arg(long)]
    pub still_present: bool,
    /// Bring this backup up to date, too; can be repeated
    #[arg(long = "backup", value_name = "DIR")]
    pub backups: Vec<PathBuf>,
    /// Only show what would be erased
    #[arg(long)]
    pub dry_run: bool,
    /// Erase without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}

pub fn run(args: &EraseArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let mut erase = EraseOrder {
        profiles: profiles(args)?,
        until: None,
        reason: args.reason.clone(),
        still_present: args.still_present,
        unknown: false,
        dry_run: args.dry_run,
    };
    if args.reason.trim().is_empty() {
        wrong_usage!("--reason: say why; the receipt keeps it");
    }
    // Wrong names are found before anything is erased.
    let backups: Vec<PathBuf> = args
        .backups
        .iter()
        .map(|dir| backup_of(dir))
        .collect::<anyhow::Result<_>>()?;
    if !args.dry_run && !args.yes {
        require_terminal(
            "erase removes a person for good: see what it would erase with --dry-run, then add --yes",
        )?;
        erase.dry_run = true;
        let (lines, _) = order(&Maintenance::Erase(erase.clone()), context)?;
        let would: Vec<EraseLine> = parse_lines(&lines)?;
        erase.dry_run = false;
        if !would.is_empty() {
            for line in &would {
                super::say(&text_of(line));
            }
            if !confirm("Erase this for good?")? {
                return Ok(declined());
            }
        }
    }
    let (lines, end) = order(&Maintenance::Erase(erase), context)?;
    let mut status = exit_status(&end);
    if !end.found {
        match args.profile {
            Some(profile) => message!("nothing is known of profile {profile}"),
            None => message!("nothing is known of any of these profiles"),
        }
        status = ExitStatus::Nothing;
    }
    let done: Vec<EraseLine> = parse_lines(&lines)?;
    // Before anything is shown: a reader who leaves the pager early ends the command.
    if !args.dry_run {
        let is_everywhere = match done.iter().all(|line| line.receipt.is_some()) {
            true => update_backups(backups, context),
            false => {
                say_not_yet_removed(&backups);
                false
            }
        };
        if !is_everywhere {
            status = ExitStatus::Failed;
        }
    }
    let mut context = context.clone();
    if status == ExitStatus::Failed {
        // A pager that is left early would end the command with success.
        context.pager = None;
    }
    let shown = write(
        &lines,
        args.output,
        &context,
        |lines: &[EraseLine], view| paragraphs(lines.iter().map(text_of), view),
    );
    // So would a closed standard output, as of `head`.
    if status != ExitStatus::Failed {
        shown?;
    }
    Ok(status)
}

/// Says why the files still hold what is hidden, and that the backups do, too.
fn say_not_yet_removed(backups: &[PathBuf]) {
    message!(
        "answers that began earlier are still running, so the files still hold what is hidden; the \
         server removes it within a minute after their end"
    );
    for dir in backups {
        message!(
            "the backup {} still has it: back up again after that",
            dir.display()
        );
    }
}

/// Updates the backups, and prints the result of each; returns whether all are up to date.
/// Also runs if nothing is left to erase, since an earlier erasure may have been interrupted.
fn update_backups(backups: Vec<PathBuf>, context: &CommandContext) -> bool {
    let mut all_updated = true;
    for dir in backups {
        let what = dir.display().to_string();
        let updated = order(
            &Maintenance::Backup(BackupOrder { dir, copy: false }),
            context,
        );
        match updated {
            Ok((_, end)) if end.damage.is_empty() => {
                message!("the backup {what} is up to date");
            }
            Ok((_, end)) => {
                super::say_lacking(&end);
                all_updated = false;
            }
            Err(error) => {
                let next = context.command(&format!("backup {}", shell(&what)));
                message!("the backup {what} still has what was erased: {error:#}. Then run {next}");
                all_updated = false;
            }
        }
    }
    all_updated
}

/// The profiles of the command line or of the file.
fn profiles(args: &EraseArgs) -> anyhow::Result<BTreeSet<u64>> {
    let Some(path) = &args.file else {
        return Ok(args.profile.into_iter().collect());
    };
    let (lines, _) = super::import::open(path)?;
    listed(lines, path)
}

/// The profiles of a list. One that is too long is refused: the number at its cut would be that
/// of somebody else.
fn listed(lines: impl Read, path: &Path) -> anyhow::Result<BTreeSet<u64>> {
    let reading = || format!("reading {}", path.display());
    let mut bytes = Vec::new();
    let read = lines.take(MAX_LIST + 1).read_to_end(&mut bytes);
    read.with_context(reading)?;
    if bytes.len() as u64 > MAX_LIST {
        wrong_usage!(
            "--file: {} is too long for a list of profiles",
            path.display()
        );
    }
    let text = io::read_to_string(bytes.as_slice()).with_context(reading)?;
    let mut profiles = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let profile = line.parse().map_err(|_| {
            UsageError::new(format!(
                "--file: line {number} of {}: {line:?} is not the number of a profile",
                path.display()
            ))
        })?;
        profiles.insert(profile);
    }
    if profiles.is_empty() {
        wrong_usage!("--file: {} lists no profile", path.display());
    }
    Ok(profiles)
}

/// The absolute path of a backup, which must be there.
fn backup_of(dir: &Path) -> anyhow::Result<PathBuf> {
    if fs::symlink_metadata(dir.join("manifest.json")).is_err() {
        wrong_usage!("--backup: {} is no backup", dir.display());
    }
    // The server has another working directory.
    std::path::absolute(dir).context("finding the backup's folder")
}

/// The erased data of a profile, for people.
fn text_of(line: &EraseLine) -> String {
    let verb = if line.dry_run {
        "would erase"
    } else {
        "erased"
    };
    let mut parts = vec![counted(line.events, "event")];
    for (before, count, what) in [
        ("of it and", line.subprofiles.len() as u64, "subprofile"),
        ("and", line.baselines, "baseline"),
        ("and", line.rejected, "rejected call"),
    ] {
        if count > 0 {
            parts.push(format!("{before} {}", counted(count, what)));
        }
    }
    let mut text = format!("profile {}: {verb} {}", line.profile, parts.join(" "));
    match (line.dry_run, line.receipt) {
        (true, _) => text += &format!("; in {}", line.files.join(", ")),
        (false, Some(receipt)) => text += &format!("; the receipt is number {receipt}"),
        (false, None) => {
            text += "; hidden, and removed from the disk once the answers that began earlier have ended";
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_refused() {
        let path = Path::new("-");
        let some = listed(&b"12\n\n 3 \n12"[..], path).unwrap();
        assert_eq!(some, BTreeSet::from([3, 12]));
        let long = vec![0xff; MAX_LIST as usize + 1];
        let error = listed(long.as_slice(), path).unwrap_err();
        assert!(error.is::<UsageError>(), "{error:#}");
        assert!(error.to_string().contains("too long"), "{error:#}");
    }
}
