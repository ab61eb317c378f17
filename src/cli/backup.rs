//! `backup` and `restore`.

use std::path::PathBuf;

use anyhow::Context;

use super::maintenance::run;
use super::{Bar, CommandContext, ExitStatus, ResultOutput};
use crate::format::{counted, plain, size};
use crate::ops::Maintenance;
use crate::ops::backup::{BackupLine, BackupOrder, restore_folder};

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
    Example: profiletrail restore /mnt/backup/profiletrail --data ./profiletrail-data"
)]
pub struct RestoreArgs {
    /// A folder that `backup` wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Only check the backup against its checksums
    #[arg(long)]
    pub verify_only: bool,
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
    super::logging::of_command(context);
    let target = std::path::absolute(&context.data).context("finding the data folder")?;
    // A link to an empty folder is not replaced.
    let target = std::fs::canonicalize(&target).unwrap_or(target);
    let mut bar = Bar::new("restoring", context.progress);
    let restored = restore_folder(
        &args.dir,
        Some(target.as_path()).filter(|_| !args.verify_only),
        |step, done, all| bar.set_of(step, done, all),
    )?;
    drop(bar);
    let what = if args.verify_only {
        format!("the backup {} is complete", args.dir.display())
    } else {
        format!("restored {}", context.data.display())
    };
    let text = format!(
        "{}: everything up to {}, as of {}\n",
        plain(&what),
        up_to(restored.last_event, restored.last_rejected),
        crate::format::shown(&restored.made, context.reader_zone)
    );
    super::print(text)?;
    if restored.has_proofs() && !args.verify_only {
        super::say(
            "profiletrail: note: the key of the checkpoints is in no backup, and this folder may give numbers again: \
             the next checkpoint has a new key and an origin of its own",
        );
    }
    for damage in restored.damage() {
        super::say(&format!(
            "profiletrail: damaged when it was backed up: {damage}"
        ));
    }
    Ok(ExitStatus::Success)
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
