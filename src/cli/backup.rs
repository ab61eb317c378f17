//! `backup` and `restore`.

use std::path::PathBuf;

use anyhow::Context;
use bytesize::ByteSize;

use super::ExitStatus;
use super::args::{Format, TellOutput};
use super::care::{ending, order, parse_lines, write};
use super::context::CommandContext;
use super::progress::Bar;
use crate::ops::Maintenance;
use crate::ops::backup::{BackupLine, BackupOrder, restore_folder};
use crate::store::Purpose;

/// `backup`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A backup is consistent while calls come in, and is made again into the same folder: what it has \
    already is not taken again, and until it is complete the one before stays whole. Where a server runs, it is the \
    server that writes it, as its own user.\n\n\
    On the data folder's own file system, closed segments are linked: that costs no room, and helps against deleted \
    files, but not against a disk that fails. On another file system, or with --copy, all is copied.\n\n\
    Check it with: profiletrail restore --verify-only DIR\n\n\
    Example: profiletrail backup /mnt/backup/profiletrail"
)]
pub struct BackupArgs {
    /// A folder for the backup alone; made where there is none
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Copy every file, even where a link would do
    #[arg(long)]
    pub copy: bool,
    #[command(flatten)]
    pub output: TellOutput,
}

/// `restore`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "All of the backup is compared with its checksums before anything is put in place. The data folder \
    must not be there yet, or be empty: nothing is ever overwritten. The index is made anew when the folder is first \
    used. Events that came after the backup are not in it, and their numbers are given again.\n\n\
    Example: profiletrail restore /mnt/backup/profiletrail --data ./profiletrail-data"
)]
pub struct RestoreArgs {
    /// A folder that backup wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Only compare the backup with its checksums
    #[arg(long)]
    pub verify_only: bool,
}

/// Carries out `backup`.
pub fn backup(args: &BackupArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    // The server has another working directory.
    let dir = std::path::absolute(&args.dir).context("finding the backup's folder")?;
    let care = Maintenance::Backup(BackupOrder {
        dir,
        copy: args.copy,
    });
    let mut lines = Vec::new();
    let end = order(&care, Purpose::Ask, "backing up", context, &mut lines)?;
    if context.format(args.output.format) == Format::Jsonl {
        write(&lines)?;
    } else {
        let lines: Vec<BackupLine> = parse_lines(&lines)?;
        let done = lines.into_iter().find_map(|line| match line {
            BackupLine::Done(done) => Some(done),
            BackupLine::File { .. } => None,
        });
        let done = done.context("the backup told no end")?;
        let before = done.files - (done.copied_files + done.linked_files).min(done.files);
        let text = format!(
            "the backup {} has all up to {}\n{} copied, {} linked, {before} there already\n",
            args.dir.display(),
            up_to(done.last_event, done.last_rejected),
            files(done.copied_files, done.copied_bytes),
            files(done.linked_files, done.linked_bytes),
        );
        write_lines(&text)?;
    }
    Ok(ending(&end))
}

/// Carries out `restore`.
pub fn restore(args: &RestoreArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let target = std::path::absolute(&context.data).context("finding the data folder")?;
    // A link to an empty folder is not replaced.
    let target = std::fs::canonicalize(&target).unwrap_or(target);
    let mut bar: Option<(&str, Bar)> = None;
    let restored = restore_folder(
        &args.dir,
        Some(target.as_path()).filter(|_| !args.verify_only),
        |step, done, all| {
            if bar.as_ref().is_none_or(|(of, _)| *of != step) {
                bar = Some((step, Bar::new(step, context.progress)));
            }
            if let Some((_, bar)) = &mut bar {
                bar.set(done, all);
            }
        },
    )?;
    drop(bar);
    let what = if args.verify_only {
        format!("the backup {} is whole", args.dir.display())
    } else {
        format!("restored {}", context.data.display())
    };
    let text = format!(
        "{what}: all up to {}, as of {}\n",
        up_to(restored.last_event, restored.last_rejected),
        crate::format::shown(&restored.made, context.reader_zone)
    );
    write_lines(&text)?;
    for damage in &restored.damage {
        super::say(&format!("profiletrail: when it was backed up: {damage}"));
    }
    Ok(ExitStatus::Success)
}

/// Writes lines, in which there are names of folders.
fn write_lines(text: &str) -> anyhow::Result<()> {
    let plain = text.lines().map(|line| crate::format::plain(line) + "\n");
    write(plain.collect::<String>().as_bytes())
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

/// A size for people; what is small is not worth telling.
fn size(bytes: u64) -> String {
    match bytes >> 20 {
        0 => String::new(),
        _ => format!(" ({})", ByteSize(bytes).display().iec()),
    }
}

/// A number of files for people.
fn files(count: u64, bytes: u64) -> String {
    match (count, bytes) {
        (0, _) => "0 files".to_owned(),
        (1, bytes) => format!("1 file{}", size(bytes)),
        (count, bytes) => format!("{count} files{}", size(bytes)),
    }
}
