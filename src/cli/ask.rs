//! Runs a query and writes the answer.

use std::path::Path;

use super::ExitStatus;
use super::args::{Format, Output};
use super::client;
use super::context::{CommandContext, UsageError};
use super::out_file::OutFile;
use super::output::{Csv, CsvColumns, Xlsx, csv_columns, printer};
use super::pager::PagedStdout;
use crate::format::LineSplitter;
use crate::query::{FindQuery, FindTarget, Query, Span, Wanted};
use crate::server::control::End;

/// Asks, and writes the answer in the form asked for.
pub fn run(query: &Query, output: &Output, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let format = context.format(output.format);
    if output.out.is_some() && format != Format::Xlsx {
        let what = "--out: it is for --format xlsx; redirect other formats with > FILE";
        return Err(UsageError::new(what).into());
    }
    let columns = || {
        csv_columns(query).ok_or_else(|| {
            let what = "--format: this answer has no rows; write jsonl or table";
            UsageError::new(what)
        })
    };
    if format == Format::Xlsx {
        return workbook(query, columns()?, output.out.as_deref(), context);
    }
    let mut screen = PagedStdout::new(context);
    let end = match format {
        Format::Csv => {
            let csv = Box::new(Csv::new(columns()?, &mut screen));
            printed(LineSplitter::new(csv), query, context)?
        }
        Format::Jsonl => client::ask(query, context, &mut screen)?,
        Format::Table | Format::Xlsx => {
            let printer = printer(query, context.view(), &mut screen);
            printed(LineSplitter::new(printer), query, context)?
        }
    };
    screen.finish()?;
    Ok(lacking(query, &end).unwrap_or(ExitStatus::Success))
}

/// Asks, and writes the answer as a workbook, unless nothing is found.
fn workbook(
    query: &Query,
    columns: CsvColumns,
    out: Option<&Path>,
    context: &CommandContext,
) -> anyhow::Result<ExitStatus> {
    let Some(out) = out else {
        let what = "--format xlsx: a workbook goes to a file; add --out FILE.xlsx";
        return Err(UsageError::new(what).into());
    };
    let file = OutFile::beside(out, None)?;
    let mut workbook = file.file();
    let xlsx = Box::new(Xlsx::new(columns, file.dir(), &mut workbook)?);
    let end = printed(LineSplitter::new(xlsx), query, context)?;
    let ending = lacking(query, &end);
    if end.found {
        file.put()?;
        super::say(&format!("profiletrail: wrote {}", out.display()));
    }
    Ok(ending.unwrap_or(ExitStatus::Success))
}

/// Asks, and has the answer's lines written by a printer.
fn printed(
    mut printed: LineSplitter<'_>,
    query: &Query,
    context: &CommandContext,
) -> anyhow::Result<End> {
    let end = client::ask(query, context, &mut printed)?;
    // Of an answer that found nothing there is nothing to be said here.
    if end.found {
        printed.finish()?;
    }
    Ok(end)
}

/// Says what an answer lacks, and how the command ends for it; `None` where it
/// was answered.
pub fn lacking(query: &Query, end: &End) -> Option<ExitStatus> {
    super::say_notes(end);
    if !end.damage.is_empty() {
        for damage in &end.damage {
            super::say(&format!("profiletrail: {damage}"));
        }
        super::say(
            "profiletrail: the answer lacks what cannot be read; `profiletrail verify` tells where it is",
        );
        return Some(ExitStatus::Failed);
    }
    if end.found {
        return None;
    }
    super::say(&format!("profiletrail: nothing found: {}", nothing(query)));
    for hint in &end.hints {
        super::say(&format!("profiletrail: {hint}"));
    }
    if let Some(next) = next(query).filter(|_| end.hints.is_empty()) {
        super::say(&format!("profiletrail: {next}"));
    }
    Some(ExitStatus::Nothing)
}

/// Which incident was not found, and where to look.
fn no_incident(what: &Wanted) -> String {
    match what {
        Wanted::List => "no field changed in so many profiles at once, but at its usual rate; \
             --least and --within say what is an incident"
            .to_owned(),
        Wanted::Show(id) | Wanted::Undo(id) => format!(
            "there is no incident {id}: see 'profiletrail incidents', and give the flags that it was listed with"
        ),
    }
}

/// What was not found.
fn nothing(query: &Query) -> String {
    let all = Span::default();
    let key = match query {
        Query::History(query) => query.key,
        Query::Show(query) => query.key,
        Query::Diff(query) => query.key,
        Query::Dossier(query) => query.key,
        Query::Blame(query) => {
            return format!("{} has no fields or interests at that moment", query.key);
        }
        Query::Changes(_) | Query::Report(_) => return "no matching changes".to_owned(),
        Query::Gaps(_) => return "no matching unexplained changes".to_owned(),
        Query::Incidents(query) => return no_incident(&query.what),
        Query::Loops(_) => {
            return "no field goes on changing like that; --least and --within say what is a loop"
                .to_owned();
        }
        Query::Find(query) => return nobody(query),
        Query::Rejected(query) if query.span != all => {
            return "no call was rejected then".to_owned();
        }
        Query::Rejected(_) => return "every call could be read".to_owned(),
        Query::Explain(query) => {
            let seq = query.seq;
            return format!(
                "there is no event {seq}, or it was pruned; `profiletrail tail` shows the newest with their numbers"
            );
        }
        Query::Evidence(query) => {
            let seq = query.seq;
            return format!(
                "there is no event {seq}, or it came without a signature, or while signatures were not checked"
            );
        }
        _ => return "no matching events".to_owned(),
    };
    match key.subprofile {
        _ if is_narrowed(query) => format!("no matching event of {key}"),
        None => format!("no event of profile {key} (its subprofiles are {key}/NUMBER)"),
        Some(_) => format!("no event of subprofile {key}"),
    }
}

/// Who was not found.
fn nobody(query: &FindQuery) -> String {
    let who = match &query.sought {
        FindTarget::Field { name, .. } => {
            format!("no profile or subprofile has such a value in {name:?}")
        }
        FindTarget::Interest(name) => format!("no profile has the interest {name:?}"),
    };
    match query.ever {
        true => format!("{who}, or ever had"),
        false => format!("{who} at that moment"),
    }
}

/// Whether a history was asked for in part.
fn is_narrowed(query: &Query) -> bool {
    let Query::History(query) = query else {
        return false;
    };
    let of_some = !query.fields.is_empty() || !query.interests.is_empty();
    of_some || query.span != Span::default() || query.limit == Some(0)
}

/// What to type next, where the answer itself gave no hint.
fn next(query: &Query) -> Option<String> {
    Some(match query {
        Query::History(all) if is_narrowed(query) => {
            format!("`profiletrail history {}` shows all its events", all.key)
        }
        Query::History(_) | Query::Show(_) | Query::Diff(_) | Query::Blame(_) => {
            "`profiletrail changes --reverse -n 10` shows whose the newest are".to_owned()
        }
        Query::Find(query) if !query.ever => "--ever tells who had it once".to_owned(),
        Query::Find(_) => "`profiletrail stats` lists the names of fields".to_owned(),
        Query::Changes(_) | Query::Export(_) => {
            "fewer filters find more; `profiletrail stats` shows what there is".to_owned()
        }
        Query::Rejected(query) if query.span != Span::default() => {
            "without --since and --until all are listed".to_owned()
        }
        Query::Evidence(_) => {
            "`profiletrail history` marks events that have a proof with ✓".to_owned()
        }
        _ => return None,
    })
}
