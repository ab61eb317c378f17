//! Asks a question and writes the answer.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde_json::Value;

use super::answer_args::{AskStates, Output};
use super::client;
use super::out_file::OutFile;
use super::output::printer;
use super::{CommandContext, ExitStatus, Format, PagedStdout, UsageError};
use crate::event::{DecodeError, ProfileKey};
use crate::format::{LineSplitter, Printer};
use crate::history::Subject;
use crate::query::rows::{Csv, CsvColumns, Xlsx, csv_columns};
use crate::query::{Answered, FindQuery, HistoryQuery, Query, Span, Wanted};

/// Whether an answer shows cascades without being asked to: people see them; what programs
/// read contains them only on request.
pub fn shows_cascade(no_cascade: bool, format: Option<Format>, context: &CommandContext) -> bool {
    context.format(format) == Format::Table && !no_cascade
}

impl<Q: clap::Args> AskStates<Q> {
    pub fn run(
        self,
        context: &CommandContext,
        make: impl FnOnce(Q) -> Result<Query, DecodeError>,
    ) -> anyhow::Result<ExitStatus> {
        let mut query = make(self.query).map_err(UsageError::from)?;
        if let Some(cascade) = query.cascade_mut() {
            *cascade |= shows_cascade(self.no_cascade, self.output.format, context);
        }
        run(query, self.output, context)
    }
}

/// Asks, and writes the answer in the requested form.
pub fn run(
    mut query: Query,
    output: Output,
    context: &CommandContext,
) -> anyhow::Result<ExitStatus> {
    let format = context.format(output.format);
    if format == Format::Table {
        match &mut query {
            Query::Report(query) => query.zone = context.view.zone,
            Query::Explain(query) => query.head = true,
            _ => {}
        }
    }
    match (format, output.out) {
        (Format::Xlsx, Some(path)) => {
            let (status, written) = to_file(&query, format, &path, context)?;
            if written.is_some() {
                message!("wrote {}", path.display());
            }
            Ok(status)
        }
        (Format::Xlsx, None) => {
            wrong_usage!("--format xlsx: a workbook goes to a file; add --out FILE.xlsx")
        }
        (_, Some(_)) => {
            wrong_usage!("--out: it is for --format xlsx; redirect other formats with > FILE")
        }
        (_, None) => to_stdout(&query, format, PagedStdout::new(context, format), context),
    }
}

pub fn to_stdout(
    query: &Query,
    format: Format,
    mut out: PagedStdout,
    context: &CommandContext,
) -> anyhow::Result<ExitStatus> {
    let printer = printer_of(query, format, context, &mut out)?;
    let end = print(query, printer, context)?;
    out.finish()?;
    Ok(lacking(query, &end, context).unwrap_or(ExitStatus::Success))
}

/// Asks, and writes the answer to a new file, unless nothing is found. Returns how many
/// bytes were written, if any.
pub fn to_file(
    query: &Query,
    format: Format,
    path: &Path,
    context: &CommandContext,
) -> anyhow::Result<(ExitStatus, Option<u64>)> {
    let file = OutFile::beside(path, None)?;
    let mut out = BufWriter::with_capacity(1 << 16, file.file());
    let printer = match format {
        Format::Xlsx => Box::new(Xlsx::new(columns_of(query)?, &file.dir, &mut out)?),
        format => printer_of(query, format, context, &mut out)?,
    };
    let end = print(query, printer, context)?;
    out.flush()?;
    drop(out);
    let ending = lacking(query, &end, context);
    let mut written = None;
    if end.found {
        written = Some(file.file().metadata()?.len());
        file.put()?;
    }
    Ok((ending.unwrap_or(ExitStatus::Success), written))
}

/// Asks, and passes the answer's lines to a printer.
pub fn print(
    query: &Query,
    printer: Box<dyn Printer + '_>,
    context: &CommandContext,
) -> anyhow::Result<Answered> {
    let mut lines = LineSplitter::new(printer);
    let end = client::ask(query, context, &mut lines)?;
    // An answer that found nothing has no heading either.
    if end.found {
        lines.finish()?;
    }
    Ok(end)
}

fn columns_of(query: &Query) -> Result<CsvColumns, UsageError> {
    let what = "--format: this answer has no rows; write jsonl or table";
    csv_columns(query).ok_or_else(|| UsageError::new(what))
}

/// What writes an answer to standard output in a form.
pub fn printer_of<'a>(
    query: &Query,
    format: Format,
    context: &'a CommandContext,
    out: &'a mut dyn Write,
) -> Result<Box<dyn Printer + 'a>, UsageError> {
    Ok(match format {
        Format::Jsonl => Box::new(move |line: &[u8]| out.write_all(line)),
        Format::Csv => Box::new(Csv::new(columns_of(query)?, out)),
        Format::Table | Format::Xlsx | Format::Html => {
            let inner = printer(query, context.view, out);
            match query {
                Query::Report(_) | Query::Gaps(_) | Query::Incidents(_) | Query::Loops(_) => {
                    Box::new(ToBePasted { inner, context })
                }
                _ => inner,
            }
        }
    })
}

/// Gives the commands that an answer suggests the flags in force, so that they answer
/// about the same data when pasted, and their times the reader's zone.
struct ToBePasted<'a> {
    inner: Box<dyn Printer + 'a>,
    context: &'a CommandContext,
}

impl Printer for ToBePasted<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let mut line: Value = serde_json::from_slice(line)?;
        for name in ["command", "undo"] {
            if let Some(Value::String(command)) = line.get_mut(name) {
                *command = self.to_be_pasted(command);
            }
        }
        self.inner.line(&serde_json::to_vec(&line)?)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.inner.finish()
    }
}

impl ToBePasted<'_> {
    fn to_be_pasted(&self, command: &str) -> String {
        let CommandContext { view, flags, .. } = self.context;
        let mut words = shlex::split(command).unwrap_or_default();
        for place in 1..words.len() {
            if let Some([flag, time]) = words.get_mut(place - 1..=place)
                && matches!(flag.as_str(), "--since" | "--until")
                && let Ok(moment) = DateTime::parse_from_rfc3339(time)
            {
                let moment = moment.with_timezone(&view.zone);
                *time = moment.to_rfc3339_opts(SecondsFormat::Secs, true);
            }
        }
        let words = words.iter().map(String::as_str);
        shlex::try_join(words).unwrap_or_default() + flags
    }
}

/// A hint with its times in the reader's zone.
fn in_zone(hint: &str, context: &CommandContext) -> String {
    let view = context.view;
    let words = hint.split(' ').map(|word| {
        let time = word.trim_end_matches([':', ',']);
        match DateTime::parse_from_rfc3339(time) {
            Ok(_) => word.replacen(time, &view.time(time), 1),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Prints what an answer lacks, and returns the exit status for it; `None` if it was
/// answered.
pub fn lacking(query: &Query, end: &Answered, context: &CommandContext) -> Option<ExitStatus> {
    super::say_lacking(end);
    if !end.damage.is_empty() {
        message!(
            "the answer lacks events that cannot be read; {} shows where they are",
            context.command("verify")
        );
        return Some(ExitStatus::Failed);
    }
    if end.found {
        return None;
    }
    message!("nothing found: {}", nothing(query, context));
    for hint in &end.hints {
        message!("{}", in_zone(hint, context));
    }
    if let Some(next) = next(query, context).filter(|_| end.hints.is_empty()) {
        message!("{next}");
    }
    Some(ExitStatus::Nothing)
}

/// The text for a result that was not found.
fn nothing(query: &Query, context: &CommandContext) -> String {
    match query {
        Query::History(query) => no_event_of(query.key, is_narrowed(query)),
        Query::Show(query) => no_event_of(query.key, false),
        Query::Diff(query) => no_event_of(query.key, false),
        Query::Dossier(query) => no_event_of(query.key, false),
        Query::Blame(query) => {
            format!("{} has no fields or interests at that moment", query.key)
        }
        Query::Changes(_) | Query::Report(_) => "no matching changes".to_owned(),
        Query::Gaps(_) => "no matching unexplained changes".to_owned(),
        Query::Incidents(query) => match &query.what {
            Wanted::List => "no field changed in unusually many profiles at once; \
                 --least and --within define an incident"
                .to_owned(),
            Wanted::Show(id) | Wanted::Undo(id) => format!(
                "there is no incident {id}; {} lists them, with the same filters",
                context.command("incidents")
            ),
        },
        Query::Loops(_) => {
            "no field keeps changing back and forth; --least and --within define a loop".to_owned()
        }
        Query::Find(query) => nobody(query),
        Query::Rejected(query) if query.span != Span::default() => {
            "no call was rejected in that time".to_owned()
        }
        Query::Rejected(query) if query.limit == Some(0) => "no matching rejected call".to_owned(),
        Query::Rejected(_) => "every call could be read".to_owned(),
        Query::Explain(query) => format!(
            "there is no event {}, or it was pruned; {} shows the newest with their numbers",
            query.seq,
            context.command("tail")
        ),
        Query::Evidence(query) => format!(
            "there is no event {}, or it came without a signature, or while signatures were not checked",
            query.seq
        ),
        Query::Export(_)
        | Query::Tail(_)
        | Query::Stats(_)
        | Query::Checkpoint(_)
        | Query::Anchors(_)
        | Query::Proof(_) => "no matching events".to_owned(),
    }
}

fn no_event_of(key: ProfileKey, is_narrowed: bool) -> String {
    match key.subprofile {
        _ if is_narrowed => format!("no matching event of {key}"),
        None => format!("no event of profile {key} (its subprofiles are {key}/NUMBER)"),
        Some(_) => format!("no event of subprofile {key}"),
    }
}

/// The text for a (sub)profile that was not found.
fn nobody(query: &FindQuery) -> String {
    let who = match query.subject() {
        Subject::Field(name) => format!("no profile or subprofile has this value in {name:?}"),
        Subject::Interest(name) => format!("no profile has the interest {name:?}"),
    };
    match query.ever {
        true => format!("{who}, or ever had"),
        false => format!("{who} at that moment"),
    }
}

/// Whether only a part of a history was asked for.
fn is_narrowed(query: &HistoryQuery) -> bool {
    let by_name = !query.fields.is_empty() || !query.interests.is_empty();
    by_name || query.span != Span::default() || query.limit == Some(0)
}

/// The next command to suggest if the answer itself gave no hint.
fn next(query: &Query, context: &CommandContext) -> Option<String> {
    Some(match query {
        Query::History(all) if is_narrowed(all) => {
            let command = context.command(&format!("history {}", all.key));
            format!("{command} shows all its events")
        }
        Query::History(_) | Query::Show(_) | Query::Diff(_) | Query::Blame(_) => format!(
            "{} shows the newest changes and their profiles",
            context.command("changes --reverse -n 10")
        ),
        Query::Find(query) if !query.ever => {
            "add --ever to include profiles that had the value once".to_owned()
        }
        Query::Find(_) => format!("{} lists the names of fields", context.command("stats")),
        Query::Changes(_) | Query::Export(_) => format!(
            "try fewer filters; {} shows what there is",
            context.command("stats")
        ),
        Query::Rejected(query) if query.span != Span::default() => {
            "without --since and --until all are listed".to_owned()
        }
        Query::Evidence(_) => format!("{} marks signed events with ✓", context.command("tail")),
        _ => return None,
    })
}
