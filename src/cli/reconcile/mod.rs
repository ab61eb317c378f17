//! `reconcile`: a Copernica export against what the trail knows.
//!
//! The file is read once and its rows are put in the order of their keys, on
//! disk; then they go to the running server, or to the folder, in batches
//! ([`crate::query::Reconciler`]). Where events are to be entered and somebody
//! is to be asked first, they go twice.

mod export;
mod header;
mod rows;
mod target;

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};

use self::export::Export;
use self::header::{Columns, Wanted, delimiter};
use self::rows::sorted;
use super::ExitStatus;
use super::args::{Format, TIMES, TellOutput};
use super::context::{CommandContext, UsageError};
use super::output::{details, reconcile_summary, reconcile_table};
use super::pager::PagedStdout;
use super::prompt::{confirm, declined, require_terminal};
use crate::event::TimeSource;
use crate::format::{LineSplitter, Role, Text, counted};
use crate::query::parse_label;
use crate::query::{ReconcileOrder, ReconcileReport, Recording, Rounding};
use crate::server::protocol::End;
use crate::store::Folder;

/// `reconcile`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("The file is CSV with a line of names, in UTF-8, parted by ; or , or tabs. Its columns are compared with \
    the fields of the same names, but for the numbers' columns; nothing else is. An empty cell is the same as a field that is not there. \
    With --database (of subprofiles, with --collection), what the trail knows there and the file does not have is told to be gone.\n\n\
    --record enters what differs as observed events, so that the trail says from then on what the file says; what is entered already is not \
    entered again.\n\n{TIMES}\n\n\
    Example: profiletrail reconcile export.csv --database 1"))]
pub struct ReconcileArgs {
    /// The export; - is standard input
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// The column with the profile's number
    #[arg(long, value_name = "NAME", default_value = "id")]
    pub key_column: String,
    /// The column with the subprofile's number, where the rows are subprofiles
    #[arg(long, value_name = "NAME")]
    pub subprofile_column: Option<String>,
    /// The database whose export it is
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// The collection whose export it is
    #[arg(long, value_name = "C", requires = "subprofile_column")]
    pub collection: Option<u64>,
    /// The file has only some of the profiles: what is not in it is not gone
    #[arg(long)]
    pub partial: bool,
    /// The moment of the export [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Compare these columns only
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "ignore"
    )]
    pub columns: Vec<String>,
    /// Leave these columns out; can be repeated
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// What parts the columns: one sign, or tab [default: what the first line has]
    #[arg(long, value_name = "SIGN", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// Enter what differs as observed events
    #[arg(long)]
    pub record: bool,
    /// The label of these events
    #[arg(long, value_name = "L", value_parser = parse_label, requires = "record")]
    pub label: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: TellOutput,
}

pub fn run(args: &ReconcileArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let at = context.time("--at", args.at.as_deref(), Rounding::Down)?;
    if at.is_some_and(|at| at > context.now()) {
        return Err(UsageError::new("--at is later than now: no export is from then").into());
    }
    if args.record && !args.yes {
        require_terminal(
            "--record adds events permanently: see what differs without it, then add --yes",
        )?;
    }
    let mut export = Export::open(&args.file)?;
    let columns = Columns::find(&mut export, &wanted(args), args.delimiter)?;
    if args.record {
        Folder::make(&context.data)?;
    }
    let dir = match context.data.is_dir() {
        true => context.data.clone(),
        false => std::env::temp_dir(),
    };
    let mut sorted = sorted(&mut export, &columns, &dir, context)?;
    let skipped = sorted.refusals.tell();
    let mut order = ReconcileOrder {
        columns: columns.compared_names(),
        at: at.unwrap_or_else(|| context.now()),
        time_source: match at {
            Some(_) => TimeSource::Time,
            None => TimeSource::Received,
        },
        subprofiles: args.subprofile_column.is_some(),
        database: args.database,
        collection: args.collection,
        gone: !args.partial,
        record: None,
    };
    order.gone = looks_for_gone(args, sorted.refusals.keys_unknown, sorted.count);
    let recording = Recording {
        label: args.label.clone(),
    };
    let mut told = Told::new(context, args, &dir)?;
    if args.record && args.yes {
        order.record = Some(recording.clone());
    }
    let (mut report, end) = target::compare(&order, &mut sorted.rows, context, &mut told)?;
    if args.record && !args.yes {
        if report.to_record() > 0 {
            told.finish(&order, &report, context)?;
            let events = counted(report.to_record(), "observed event");
            if !confirm(&format!("Add {events} permanently?"))? {
                return Ok(declined());
            }
            order.record = Some(recording);
            let (entered, _) = target::compare(&order, &mut sorted.rows, context, &mut io::sink())?;
            report.recorded = entered.recorded;
            super::say(&format!("entered {}", counted(report.recorded, "event")));
            return Ok(ending(&end, &report, skipped));
        }
        report.recorded = 0;
    }
    told.finish(&order, &report, context)?;
    if args.record {
        super::say(&format!("entered {}", counted(report.recorded, "event")));
    }
    Ok(ending(&end, &report, skipped))
}

fn wanted(args: &ReconcileArgs) -> Wanted<'_> {
    Wanted {
        key: &args.key_column,
        subprofile: args.subprofile_column.as_deref(),
        columns: &args.columns,
        ignore: &args.ignore,
    }
}

/// Whether what has no row is gone, as far as the file can tell; says why not.
fn looks_for_gone(args: &ReconcileArgs, keys_unknown: bool, rows: u64) -> bool {
    let (what, flag, whole) = match args.subprofile_column {
        None => ("profiles", "--database D", args.database.is_some()),
        Some(_) => ("subprofiles", "--collection C", args.collection.is_some()),
    };
    let note = |why: &str| {
        super::say(&format!(
            "profiletrail: note: which {what} are gone is not told: {why}"
        ));
        false
    };
    if args.partial {
        false
    } else if !whole {
        note(&format!(
            "whose export the file is is not said (say {flag}, or --partial)"
        ))
    } else if keys_unknown {
        note("not every row says whose it is")
    } else if rows == 0 {
        note("the file has no rows")
    } else {
        true
    }
}

fn ending(end: &End, report: &ReconcileReport, skipped: u64) -> ExitStatus {
    super::say_notes(end);
    for damage in &end.damage {
        super::say(&format!("profiletrail: {damage}"));
    }
    if report.doubtful > 0 {
        super::say(&format!(
            "profiletrail: {} may not differ: what was known then is pruned; nothing is entered there",
            counted(report.doubtful, "row")
        ));
    }
    if skipped > 0 || !end.damage.is_empty() {
        ExitStatus::Failed
    } else if report.rows == 0 && report.gone == 0 {
        super::say("profiletrail: nothing found: the file has no rows");
        ExitStatus::Nothing
    } else {
        ExitStatus::Success
    }
}

/// What is written of a comparison: the lines as they come, or for people the
/// counts first, for which the lines wait in a file.
struct Told {
    stdout: BufWriter<super::Stdout>,
    waiting: Option<File>,
    /// Whether something is to be entered, …
    records: bool,
    /// … and unasked: then it is, though nobody reads what differs.
    enters: bool,
    closed: bool,
}

impl Told {
    fn new(
        context: &CommandContext,
        args: &ReconcileArgs,
        dir: &std::path::Path,
    ) -> anyhow::Result<Self> {
        let waiting = match context.format(args.output.format) {
            Format::Jsonl => None,
            _ => Some(tempfile::tempfile_in(dir).context("making a file for the lines")?),
        };
        Ok(Self {
            stdout: BufWriter::with_capacity(1 << 16, super::Stdout::new()),
            waiting,
            records: args.record,
            enters: args.record && args.yes,
            closed: false,
        })
    }

    /// What became of writing to standard output.
    fn heard<T: Default>(&mut self, written: io::Result<T>) -> io::Result<T> {
        match written {
            Err(error) if self.enters && error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(T::default())
            }
            written => written,
        }
    }

    fn finish(
        &mut self,
        order: &ReconcileOrder,
        report: &ReconcileReport,
        context: &CommandContext,
    ) -> anyhow::Result<()> {
        let summary = reconcile_summary(order, report, &context.view());
        let Some(mut lines) = self.waiting.take() else {
            io::Write::flush(self)?;
            for line in summary {
                super::say(&line);
            }
            return Ok(());
        };
        let mut screen = match self.records {
            true => PagedStdout::unpaged(),
            false => PagedStdout::new(context),
        };
        for line in summary {
            details::title(
                &Text::outside(Role::Plain, &line),
                &context.view(),
                &mut screen,
            )?;
        }
        if lines.stream_position()? > 0 {
            writeln!(screen)?;
        }
        lines.rewind()?;
        let mut printed = LineSplitter::new(reconcile_table(context.view(), &mut screen));
        io::copy(&mut lines, &mut printed)?;
        printed.finish()?;
        screen.finish()?;
        Ok(())
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.waiting {
            return file.write(bytes);
        }
        if !self.closed {
            let written = self.stdout.write_all(bytes);
            self.heard(written)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.waiting {
            return file.flush();
        }
        let flushed = match self.closed {
            true => Ok(()),
            false => self.stdout.flush(),
        };
        self.heard(flushed)
    }
}

/// Where the report of rows says that it cannot go on, so it ends.
fn failed(all: &ReconcileReport) -> anyhow::Result<()> {
    match &all.failure {
        Some(failure) => bail!(
            "after {} events: {failure}; repeat the command: what is entered already is not entered again",
            all.recorded
        ),
        None => Ok(()),
    }
}
