//! The output format of each answer for people, and its CSV columns.

use std::io::Write;

use super::csv::CsvColumns;
use super::details::{Gathered, Paragraphs};
use super::history::History;
use super::loops::Loops;
use super::table::{CellContext, TablePrinter};
use super::{diff, evidence, explain, gaps, incidents, report, show, tables};
use crate::format::{Printer, View};
use crate::query::{Query, Wanted};
use crate::web::dossier::Page;

/// The printer of a tail's events: none waits for the one after it.
pub fn tail_printer<'a>(view: View, out: &'a mut dyn Write) -> impl Printer + 'a {
    History::new(true, view, out)
}

/// The printer of the answer to a question.
pub fn printer<'a>(query: &Query, view: View, out: &'a mut dyn Write) -> Box<dyn Printer + 'a> {
    let at = |at| CellContext { view, at };
    let now = at(None);
    match query {
        Query::History(query) => Box::new(History::new(query.all, view, out)),
        Query::Tail(_) => Box::new(tail_printer(view, out)),
        Query::Show(query) => {
            let at = query.at;
            Box::new(Paragraphs::new(view, out, move |line, view, out| {
                show::write(line, at, view, out)
            }))
        }
        Query::Diff(query) => {
            let query = query.clone();
            Box::new(Gathered::new(move |lines| {
                diff::write(lines, &query, &view, out)
            }))
        }
        Query::Blame(query) => {
            Box::new(TablePrinter::new(tables::BLAME.columns, at(query.at), out))
        }
        Query::Changes(_) => Box::new(TablePrinter::new(tables::CHANGES.columns, now, out)),
        Query::Export(_) => Box::new(TablePrinter::new(tables::EXPORT.columns, now, out)),
        Query::Rejected(_) => Box::new(TablePrinter::new(tables::REJECTED.columns, now, out)),
        Query::Find(query) => Box::new(TablePrinter::new(tables::FIND.columns, at(query.at), out)),
        Query::Evidence(_) => Box::new(Paragraphs::of(view, out, evidence::sections)),
        Query::Explain(_) => Box::new(Gathered::new(move |lines| {
            explain::write(lines, &view, out)
        })),
        Query::Dossier(_) => Box::new(Page::new(view.zone, out)),
        Query::Report(query) => {
            let query = query.clone();
            Box::new(Gathered::new(move |lines| {
                report::write(lines, &query, view, out)
            }))
        }
        Query::Gaps(_) => Box::new(Paragraphs::of(view, out, gaps::sections)),
        Query::Loops(_) => Box::new(Loops::new(view, out)),
        Query::Incidents(query) => match query.what {
            Wanted::List => Box::new(Paragraphs::of(view, out, incidents::sections)),
            Wanted::Undo(_) => Box::new(TablePrinter::new(tables::UNDO.columns, now, out)),
            Wanted::Show(_) => Box::new(TablePrinter::new(tables::CHANGES.columns, now, out)),
        },
    }
}

/// The columns of the answer to a question; `None` where it has no CSV.
pub const fn csv_columns(query: &Query) -> Option<CsvColumns> {
    Some(match query {
        Query::History(_) | Query::Tail(_) => tables::HISTORY_CSV,
        Query::Show(_) => tables::SHOW_CSV,
        Query::Diff(_) => tables::DIFF_CSV,
        Query::Blame(_) => tables::BLAME.csv,
        Query::Changes(_) => tables::CHANGES.csv,
        Query::Export(_) => tables::EXPORT.csv,
        Query::Rejected(_) => tables::REJECTED.csv,
        Query::Evidence(_) => tables::EVIDENCE_CSV,
        Query::Find(_) => tables::FIND.csv,
        Query::Explain(_) => tables::EXPLAIN_CSV,
        Query::Report(_) => tables::REPORT_CSV,
        Query::Gaps(_) => tables::GAPS_CSV,
        Query::Loops(_) => tables::LOOPS_CSV,
        Query::Incidents(query) => match query.what {
            Wanted::Show(_) => tables::CHANGES.csv,
            Wanted::Undo(_) => tables::UNDO.csv,
            Wanted::List => tables::INCIDENTS_CSV,
        },
        // It is one document of many parts.
        Query::Dossier(_) => return None,
    })
}
