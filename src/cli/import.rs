//! `import`: sending exported lines to the server, or into the folder.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bytesize::ByteSize;

use super::ExitStatus;
use super::batch::{BatchClient, Reply};
use super::client::{Access, reach};
use super::context::CommandContext;
use super::progress::Bar;
use crate::query::{ImportReport, Importer};
use crate::server::protocol::Request;
use crate::store::{Appender, Folder, Purpose};

/// How many lines go at once.
const LINES: u64 = 1000;

/// About how many bytes of lines go at once.
const BYTES: usize = 4 << 20;

/// The longest line in bytes that is read.
const MAX_LINE: usize = 128 << 20;

/// The message where a server does not answer to the end.
const BROKEN_OFF: &str = "the running server broke off; repeat the import: events that are already there are not added again";

/// The most refused lines that are shown one by one.
const MAX_SHOWN: usize = 20;

/// `import`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Events that are already there are not added again, so an import can be repeated.\n\n\
    Example: profiletrail import events.jsonl --data ./copy"
)]
pub struct ImportArgs {
    /// A file that `export` wrote; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// Segment size of the log, where no server runs
    #[arg(
        long,
        env = "PROFILETRAIL_SEGMENT_SIZE",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub segment_size: ByteSize,
}

pub fn run(args: &ImportArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let (input, size) = open(&args.file)?;
    Folder::make(&context.data)?;
    let purpose = Purpose::Append {
        server: false,
        segment_size: super::context::segment_size(args.segment_size)?,
    };
    let mut offline = None;
    let mut target = match reach(context, purpose)? {
        Access::Live(stream) => {
            Target::Live(BatchClient::start(stream, &Request::Import, BROKEN_OFF)?)
        }
        Access::Offline(trail, appender) => {
            let (trail, appender) = offline.insert((trail, appender));
            let appender = appender.as_mut().context("the folder cannot be written")?;
            Target::Offline(Box::new(Importer::new(trail)), appender)
        }
    };
    let mut bar = Bar::new("importing", context.progress);
    let mut batches = Batches {
        input,
        next_line: 1,
        read: 0,
    };
    let mut all = ImportReport::default();
    let mut refused = 0;
    while let Some((first, lines)) = batches.next().context("reading the lines")? {
        let report = target.import(first, lines, &mut bar)?;
        for line in report
            .refused
            .iter()
            .take(MAX_SHOWN.saturating_sub(refused))
        {
            super::say(&format!(
                "profiletrail: line {}: {}",
                line.line, line.reason
            ));
        }
        refused += report.refused.len();
        if let Some(failure) = &report.failure {
            bail!("after {} events: {failure}", all.added + report.added);
        }
        all.add(ImportReport {
            refused: Vec::new(),
            ..report
        });
        bar.set(batches.read, size.unwrap_or(batches.read));
    }
    target.finish(&mut bar)?;
    drop(bar);
    if refused > MAX_SHOWN {
        let more = refused - MAX_SHOWN;
        super::say(&format!("profiletrail: and {more} more lines"));
    }
    super::say(&format!(
        "added {} events; {} were there already; {refused} lines were refused",
        all.added, all.present
    ));
    Ok(if refused == 0 {
        ExitStatus::Success
    } else {
        ExitStatus::Failed
    })
}

/// The lines' source and, where it is known, its size in bytes.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let metadata = file
        .metadata()
        .with_context(|| format!("reading {}", path.display()))?;
    Ok((
        Box::new(BufReader::with_capacity(1 << 16, file)),
        metadata.is_file().then_some(metadata.len()),
    ))
}

/// Lines in batches.
struct Batches {
    input: Box<dyn BufRead>,
    next_line: u64,
    read: u64,
}

impl Batches {
    /// The number of the first line, and the lines.
    fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let first = self.next_line;
        let mut lines = Vec::new();
        while self.next_line - first < LINES && lines.len() < BYTES {
            let before = lines.len();
            let count = (&mut self.input)
                .take(MAX_LINE as u64)
                .read_until(b'\n', &mut lines)?;
            if count == 0 {
                break;
            }
            if lines.len() - before >= MAX_LINE {
                let what = format!("line {} is longer than {MAX_LINE} bytes", self.next_line);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            self.read += count as u64;
            self.next_line += 1;
        }
        Ok((!lines.is_empty()).then_some((first, lines)))
    }
}

/// Where the events go.
enum Target<'a> {
    Live(BatchClient),
    Offline(Box<Importer<'a>>, &'a mut Appender),
}

impl Target<'_> {
    fn import(
        &mut self,
        first: u64,
        lines: Vec<u8>,
        bar: &mut Bar,
    ) -> anyhow::Result<ImportReport> {
        match self {
            Self::Offline(importer, appender) => {
                Ok(importer.import(first, &lines, |group| appender.append(group))?)
            }
            Self::Live(server) => {
                server.send(&[first.to_le_bytes().as_slice(), &lines].concat())?;
                server.report(bar, &mut io::sink())
            }
        }
    }

    /// Makes sure that all has been taken.
    fn finish(self, bar: &mut Bar) -> anyhow::Result<()> {
        match self {
            Self::Offline(mut importer, _) => Ok(importer.finish()?),
            Self::Live(mut server) => {
                server.end()?;
                match server.reply::<ImportReport>(bar, &mut io::sink())? {
                    Reply::Done(_) => Ok(()),
                    Reply::Report(_) => bail!(BROKEN_OFF),
                }
            }
        }
    }
}
