//! `import`: sends exported lines to the server, or writes them into the folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use bytesize::ByteSize;

use super::client::Task;
use super::{Bar, CommandContext, ExitStatus};
use crate::format::{counted, grouped};
use crate::log::OpenMode;
use crate::query::ImportReport;
use crate::server::control::Request;
use crate::store::Folder;

/// The message if the server's answer is incomplete.
const BROKEN_OFF: &str = "the running server ended the connection; repeat the import: events that already exist are not added again";

/// The most refused lines that are shown one by one.
const MAX_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Events that already exist are not added again, so an import can be repeated.\n\n\
    Example: profiletrail import events.jsonl --data ./copy"
)]
pub struct ImportArgs {
    /// A file that `export` wrote; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// Segment size of the log, if no server runs
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub segment_size: ByteSize,
}

pub fn run(args: &ImportArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let (lines, size) = open(&args.file)?;
    Folder::make(&context.data)?;
    let mode = OpenMode::Append {
        segment_size: super::context::segment_size(args.segment_size)?,
    };
    let read = Arc::new(AtomicU64::new(0));
    let lines = Counted {
        lines,
        read: Arc::clone(&read),
    };
    let mut all = ImportReport::default();
    let mut refused = 0;
    let mut on_report = |report, bar: &mut Bar| {
        let report: ImportReport = serde_json::from_value(report)?;
        let shown = MAX_SHOWN.saturating_sub(refused);
        for line in report.refused.iter().take(shown) {
            message!("line {}: {}", line.line, line.reason);
        }
        refused += report.refused.len();
        if let Some(failure) = &report.failure {
            let added = counted(all.added + report.added, "event");
            bail!("after {added}: {failure}");
        }
        all.add(ImportReport {
            refused: Vec::new(),
            ..report
        });
        let read = read.load(Ordering::Relaxed);
        bar.set_of("importing", read, size.unwrap_or(read));
        Ok(())
    };
    let task = Task {
        lines: Some(Box::new(lines)),
        broken_off: BROKEN_OFF,
        ..Task::new(Request::Import, mode, "importing")
    };
    task.run_with(context, &mut on_report, &mut io::sink())?;
    if refused > MAX_SHOWN {
        let more = refused - MAX_SHOWN;
        message!("and {more} more lines");
    }
    super::say(&format!(
        "added {}; {} already there{}; {} refused",
        counted(all.added, "event"),
        grouped(all.present),
        match all.erased {
            0 => String::new(),
            erased => format!("; {} of erased profiles left out", grouped(erased)),
        },
        counted(refused as u64, "line")
    ));
    Ok(if refused == 0 {
        ExitStatus::Success
    } else {
        ExitStatus::Failed
    })
}

/// A file, or standard input for `-`, and its size in bytes if known.
pub fn open(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let metadata = file
        .metadata()
        .with_context(|| format!("reading {}", path.display()))?;
    Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
}

/// Counts the bytes of lines that are read.
struct Counted {
    lines: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.lines.read(bytes)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
