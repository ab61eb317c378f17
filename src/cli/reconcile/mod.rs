//! `reconcile`: compares a Copernica export with the trail.
//!
//! The file is read once and its rows are sorted by key on disk; then they go to the
//! running server, or to the folder, in batches ([`crate::query::Reconciler`]). With
//! a prompt they go twice: once to compare, once to record.

mod export;
mod header;
mod rows;

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};

use encoding_rs::Encoding;

use self::export::{Export, charset};
use self::header::{Columns, delimiter};
use self::rows::sorted;
use super::client::{APPEND, Task};
use super::output::{RECONCILE, TablePrinter, details};
use super::prompt::{confirm, declined, require_terminal};
use super::{Bar, CommandContext, ExitStatus, Format, PagedStdout, ResultOutput, TIMES};
use crate::event::TimeSource;
use crate::format::{LineSplitter, Role, Text, View, counted, grouped};
use crate::log::OpenMode;
use crate::query::{Answered, ReconcileOrder, ReconcileReport, Recording, parse_label, unix_time};
use crate::server::control::Request;
use crate::store::Folder;

/// A column that differs in at least this many rows, and is a field of no profile, is
/// probably not a field at all.
const NO_FIELD: u64 = 3;

#[derive(Debug, clap::Args)]
#[command(after_help = format!("The file is CSV with a header line, separated by semicolons, commas or tabs. Its \
    columns, except those with the numbers, are compared with the fields of the same names. An empty cell equals an absent field. With --database (for \
    subprofiles, --collection), profiles of that database that are missing from the file are reported as gone.\n\n\
    --record adds the differences as observed events, so that the trail agrees with the file from then on. Differences that were \
    added before are not added again. A column that no profile in the trail has as a field is only added if --columns names it.\n\n{TIMES}\n\n\
    Example: profiletrail reconcile export.csv --database 1"))]
pub struct ReconcileArgs {
    /// The export; - is standard input
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// The column of profile numbers
    #[arg(long, value_name = "NAME", default_value = "id")]
    pub key_column: String,
    /// The column of subprofile numbers, if the rows are subprofiles
    #[arg(long, value_name = "NAME")]
    pub subprofile_column: Option<String>,
    /// The database that was exported
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// The collection that was exported
    #[arg(long, value_name = "C", requires = "subprofile_column")]
    pub collection: Option<u64>,
    /// The file has only some of the profiles: report none as gone
    #[arg(long)]
    pub partial: bool,
    /// The moment of the export [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    pub at: Option<i64>,
    /// Compare only these columns
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "ignore"
    )]
    pub columns: Vec<String>,
    /// Do not compare these columns; can be repeated
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// The column separator: one character, or tab [default: detected from the first line]
    #[arg(long, value_name = "SIGN", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// Whether quotes enclose values, or are ordinary characters [default: off if tabs separate
    /// the columns and the first line has no quotes, else on]
    #[arg(long, value_name = "on|off", value_parser = quotes)]
    pub quotes: Option<bool>,
    /// The charset, such as windows-1252 [default: utf-8, or what a byte order mark says]
    #[arg(long, value_name = "NAME", value_parser = charset)]
    pub charset: Option<&'static Encoding>,
    /// Add the differences as observed events
    #[arg(long)]
    pub record: bool,
    /// The label of the added events
    #[arg(long, value_name = "L", value_parser = parse_label, requires = "record")]
    pub label: Option<String>,
    /// Add them without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}

fn quotes(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off".to_owned()),
    }
}

pub fn run(args: &ReconcileArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let at = args.at;
    if at.is_some_and(|at| at > context.view.now) {
        wrong_usage!("--at is in the future");
    }
    if args.record && !args.yes {
        require_terminal(
            "--record adds events permanently: see what differs without it, then add --yes",
        )?;
    }
    let mut export = Export::open(&args.file, args.charset)?;
    let columns = Columns::find(&export, args)?;
    if !columns.left_out.is_empty() {
        message!(
            "note: left out, being Copernica's own columns and no fields: {} (--columns compares them)",
            columns.left_out.join(", ")
        );
    }
    if args.record {
        Folder::make(&context.data)?;
    }
    let dir = match context.data.is_dir() {
        true => context.data.clone(),
        false => std::env::temp_dir(),
    };
    let sorted = sorted(&mut export, &columns, &dir, context)?;
    let skipped = sorted.refusals.print();
    let mut order = ReconcileOrder {
        columns: columns.compared_names(),
        at: at.unwrap_or(context.view.now),
        time_source: match at {
            Some(_) => TimeSource::Time,
            None => TimeSource::Received,
        },
        subprofiles: args.subprofile_column.is_some(),
        database: args.database,
        collection: args.collection,
        gone: looks_for_gone(args, sorted.refusals.keys_unknown.as_deref(), sorted.count),
        only_fields: args.record && args.columns.is_empty(),
        record: None,
    };
    let recording = Recording {
        label: args.label.clone(),
    };
    order.record = (args.record && args.yes).then(|| recording.clone());
    let waiting = tempfile::tempfile_in(&dir).context("making a file for the differences")?;
    let mut differences = BufWriter::with_capacity(1 << 16, waiting);
    let (mut report, end) = compare(&order, &sorted.rows, context, &mut differences)?;
    show(args, &order, &report, differences, context)?;
    if args.record && !args.yes && report.to_record() > 0 {
        let events = counted(report.to_record(), "observed event");
        if !confirm(&format!("Add {events} permanently?"))? {
            return Ok(declined());
        }
        order.record = Some(recording);
        let (entered, _) = compare(&order, &sorted.rows, context, &mut io::sink())?;
        report.recorded = entered.recorded;
    }
    if args.record {
        super::say(&format!("added {}", counted(report.recorded, "event")));
    }
    Ok(exit_status(&end, &report, skipped))
}

/// Whether profiles without a row count as gone; prints why not.
fn looks_for_gone(args: &ReconcileArgs, keys_unknown: Option<&str>, rows: u64) -> bool {
    let (what, flag, whole) = match args.subprofile_column {
        None => ("profiles", "--database D", args.database.is_some()),
        Some(_) => ("subprofiles", "--collection C", args.collection.is_some()),
    };
    let note = |why: &str| {
        message!("note: cannot report which {what} are gone: {why}");
        false
    };
    if args.partial {
        false
    } else if !whole {
        note(&format!(
            "it is not known what was exported (add {flag}, or --partial)"
        ))
    } else if let Some(why) = keys_unknown {
        note(why)
    } else if rows == 0 {
        note("the file has no rows")
    } else {
        true
    }
}

fn exit_status(end: &Answered, report: &ReconcileReport, skipped: u64) -> ExitStatus {
    super::say_lacking(end);
    if report.doubtful > 0 {
        message!(
            "{} may not differ: their state at that time was pruned; nothing is recorded for them",
            counted(report.doubtful, "row")
        );
    }
    if skipped > 0 || !end.damage.is_empty() {
        ExitStatus::Failed
    } else if report.rows == 0 && report.gone == 0 {
        message!("nothing found: the file has no rows");
        ExitStatus::Nothing
    } else {
        ExitStatus::Success
    }
}

/// Writes what differs: the lines, which waited in a file so that nobody who stops reading
/// keeps events from being added; for people after the counts.
fn show(
    args: &ReconcileArgs,
    order: &ReconcileOrder,
    report: &ReconcileReport,
    waiting: BufWriter<File>,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let counts = summary(order, report, &context.view);
    let mut lines = waiting.into_inner().map_err(|error| error.into_error())?;
    let any = lines.stream_position()? > 0;
    lines.rewind()?;
    if context.format(args.output.format) == Format::Jsonl {
        let mut stdout = PagedStdout::unpaged(context.escapes(Format::Jsonl));
        io::copy(&mut lines, &mut stdout)?;
        stdout.finish()?;
        for line in counts {
            super::say(&line);
        }
        return Ok(());
    }
    let mut screen = match args.record {
        true => PagedStdout::unpaged(false),
        false => PagedStdout::new(context, Format::Table),
    };
    for line in counts {
        let line = Text::outside(Role::Plain, &line);
        details::title(&line, &context.view, &mut screen)?;
    }
    if any {
        writeln!(screen)?;
    }
    let table = TablePrinter::new(RECONCILE, context.view, &mut screen);
    let mut printed = LineSplitter::new(Box::new(table));
    io::copy(&mut lines, &mut printed)?;
    printed.finish()?;
    screen.finish()?;
    Ok(())
}

/// The result of a comparison, a line for each count.
fn summary(order: &ReconcileOrder, report: &ReconcileReport, view: &View) -> Vec<String> {
    let what = if order.subprofiles {
        "subprofile"
    } else {
        "profile"
    };
    let at = view.moment(order.at);
    let mut lines = vec![format!(
        "{} compared with the trail as of {at}: {} the same, {} with other values ({})",
        counted(report.rows, "row"),
        grouped(report.same),
        grouped(report.differing),
        counted(report.fields(), "field")
    )];
    let mut add = |count: u64, of: &str| {
        if count > 0 {
            lines.push(format!("{} {of}", counted(count, what)));
        }
    };
    add(report.unknown, "in the file and unknown to the trail");
    add(report.deleted, "in the file and deleted in the trail");
    add(report.gone, "in the trail and missing from the file");
    for name in &report.left_out {
        lines.push(format!(
            "  {name:?} is left out: no profile in the trail has this field; to add it, name it with --columns"
        ));
    }
    let counts = order.columns.iter().zip(&report.columns);
    for (name, count) in counts.filter(|(_, count)| count.differing > 0) {
        let mut line = format!("  {name:?} differs in {}", counted(count.differing, "row"));
        if count.absent == count.differing && count.absent >= NO_FIELD {
            line += "; no profile in the trail has this field: leave the column out with --ignore if it is not one";
        }
        lines.push(line);
    }
    lines
}

/// Compares all rows, and writes what differs to `out`.
fn compare(
    order: &ReconcileOrder,
    mut rows: &File,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<(ReconcileReport, Answered)> {
    let mode = match order.record {
        None => OpenMode::Read,
        Some(_) => APPEND,
    };
    rows.rewind()?;
    let request = Request::Reconcile(Box::new(order.clone()));
    let task = Task {
        lines: Some(Box::new(rows.try_clone()?)),
        broken_off: "the running server ended the connection; repeat the command: events that were added are not \
            added again",
        ..Task::new(request, mode, "comparing")
    };
    let mut all = ReconcileReport::default();
    let mut on_report = |report, _: &mut Bar| {
        all = serde_json::from_value(report)?;
        match &all.failure {
            Some(failure) => bail!(
                "after {} events: {failure}; repeat the command: events that were added are not added again",
                all.recorded
            ),
            None => Ok(()),
        }
    };
    let end = task.run_with(context, &mut on_report, out)?;
    Ok((all, end))
}
