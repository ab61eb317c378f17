//! `backup` and `restore`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::maintenance::{order, run};
use super::{Bar, CommandContext, ExitStatus, ResultOutput, UsageError};
use crate::event::parse_rfc3339_micros;
use crate::format::{counted, plain, size};
use crate::log::Erasure;
use crate::ops::Maintenance;
use crate::ops::backup::{BackupLine, BackupOrder, beside, check_target, restore_folder};
use crate::storage::{RealDisk, rename_durably};
use crate::store::EraseOrder;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A backup is consistent while calls come in. Backing up again into the same folder copies only what is new, \
    and the previous backup stays intact until the new one is complete. A running server writes the backup itself, as \
    its own user.\n\n\
    On the data folder's own file system, closed segments are hard links: they take no space and protect against \
    deleted files, not against a failing disk. On another file system, or with --copy, everything is copied.\n\n\
    Check it with: profiletrail restore --verify-only DIR\n\n\
    Example: profiletrail backup /mnt/backup/profiletrail"
)]
pub struct BackupArgs {
    /// A folder for the backup alone; created if it is missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Copy every file, even if a hard link would do
    #[arg(long)]
    pub copy: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The whole backup is checked against its checksums before anything is put in place. The data folder \
    must be missing or empty: nothing is ever overwritten. The index is rebuilt when the folder is first used. Events \
    received after the backup are not in it, and new events will get their numbers.\n\n\
    Persons who were erased since the backup was made are in it again: repeat the erasures with --erasures, of the \
    lines that `erase` wrote or of an export.\n\n\
    Example: profiletrail restore /mnt/backup/profiletrail --data ./profiletrail-data"
)]
pub struct RestoreArgs {
    /// A folder that `backup` wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Only check the backup against its checksums
    #[arg(long)]
    pub verify_only: bool,
    /// Erase again, before the folder is in place, what the lines of this file say; can be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "verify_only")]
    pub erasures: Vec<PathBuf>,
}

/// A line that says who was erased: of `erase`, or of `export`.
#[derive(Deserialize)]
struct ErasedLine {
    profile: u64,
    until: Option<String>,
    reason: Option<String>,
    erased: Option<Erasure>,
    /// Of a line that `erase --dry-run` wrote, which erased nothing.
    #[serde(default)]
    dry_run: bool,
}

pub fn backup(args: &BackupArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    // The server has another working directory.
    let dir = std::path::absolute(&args.dir).context("finding the backup's folder")?;
    let task = Maintenance::Backup(BackupOrder {
        dir,
        copy: args.copy,
    });
    run(&task, args.output, context, |lines: &[BackupLine], _| {
        let done = lines.iter().filter_map(|line| match line {
            BackupLine::Done(done) => Some(done),
            BackupLine::File { .. } => None,
        });
        let texts = done.map(|done| {
            let before = done.files - (done.copied_files + done.linked_files).min(done.files);
            format!(
                "the backup {} has everything up to {}\n{} copied, {} linked, {before} there already\n",
                plain(&args.dir.display().to_string()),
                up_to(done.last_event, done.last_rejected),
                files(done.copied_files, done.copied_bytes),
                files(done.linked_files, done.linked_bytes),
            )
        });
        texts.collect()
    })
}

pub fn restore(args: &RestoreArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let target = std::path::absolute(&context.data).context("finding the data folder")?;
    // A link to an empty folder is not replaced.
    let target = std::fs::canonicalize(&target).unwrap_or(target);
    let orders = args.erasures.iter().map(|file| read_erasures(file));
    let orders: Vec<EraseOrder> = orders.collect::<anyhow::Result<Vec<_>>>()?.concat();
    // The folder is not in its place before everything is erased.
    let aside = (!orders.is_empty()).then(|| beside(&target, ".erasing"));
    if let Some(left) = aside.as_deref().filter(|aside| aside.exists()) {
        bail!(
            "{} was left by an interrupted restore: remove it",
            left.display()
        );
    }
    if aside.is_some() {
        check_target(&target)?;
    }
    let doing = match args.verify_only {
        true => "checking",
        false => "restoring",
    };
    let mut bar = Bar::new(doing, context.progress);
    let restored = restore_folder(
        &args.dir,
        Some(aside.as_deref().unwrap_or(&target)).filter(|_| !args.verify_only),
        |done, all| bar.set(done, all),
    )?;
    drop(bar);
    if let Some(aside) = aside {
        let place = CommandContext {
            data: aside.clone(),
            ..context.clone()
        };
        for erase in orders {
            order(&Maintenance::Erase(erase), &place)?;
        }
        rename_durably(&RealDisk, &aside, &target)
            .with_context(|| format!("renaming {}", aside.display()))?;
    }
    let what = if args.verify_only {
        format!("the backup {} is complete", args.dir.display())
    } else {
        format!("restored {}", context.data.display())
    };
    let text = format!(
        "{}: everything up to {}, as of {}\n",
        plain(&what),
        up_to(restored.last_event, restored.last_rejected),
        crate::format::shown(&restored.made, context.view.zone)
    );
    super::print(text)?;
    if restored.has_proofs() && !args.verify_only {
        message!(
            "note: the key of the checkpoints is in no backup, and this folder may give numbers again: \
             the next checkpoint has a new key and an origin of its own"
        );
    }
    for damage in restored.damage() {
        message!("damaged when it was backed up: {damage}");
    }
    Ok(ExitStatus::Success)
}

/// The erasures that the lines of a file name. Other lines of an export are skipped.
fn read_erasures(path: &Path) -> anyhow::Result<Vec<EraseOrder>> {
    let (file, _) = super::import::open(path)?;
    let mut orders: Vec<EraseOrder> = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.with_context(|| format!("reading {}", path.display()))?;
        let wrong = || {
            let path = path.display();
            UsageError::new(format!(
                "--erasures: line {number} of {path} is no line of `erase` or of an export"
            ))
        };
        if line.trim().is_empty() {
            continue;
        }
        let read: ErasedLine = serde_json::from_str(&line).map_err(|_| wrong())?;
        let until = read
            .until
            .map(|until| parse_rfc3339_micros(&until).ok_or_else(wrong));
        let order = match (read.erased, until.transpose()?) {
            (Some(erasure), _) => EraseOrder::again(erasure.profile, erasure.until, erasure.reason),
            (None, Some(_)) if read.dry_run => continue,
            (None, Some(until)) => {
                EraseOrder::again(read.profile, until, read.reason.unwrap_or_default())
            }
            (None, None) => continue,
        };
        EraseOrder::add(&mut orders, order);
    }
    Ok(orders)
}

/// How far a backup goes.
fn up_to(event: u64, rejected: u64) -> String {
    let events = match event {
        0 => "no event".to_owned(),
        event => format!("event {event}"),
    };
    match rejected {
        0 => events,
        rejected => format!("{events} and rejected call {rejected}"),
    }
}

/// A number of files for people, and their size unless it is small.
fn files(count: u64, bytes: u64) -> String {
    match bytes >> 20 {
        0 => counted(count, "file"),
        _ => format!("{} ({})", counted(count, "file"), size(bytes)),
    }
}
