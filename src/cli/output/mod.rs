//! Answers for people, made from the lines for programs.
//!
//! [`tables`] describes the columns of every answer that is a table; [`printer()`]
//! chooses how each answer is written. Lines hold untrusted text:
//! [`plain`](crate::format::plain) makes it safe for a terminal. Rows for spreadsheets
//! are made by [`crate::query::rows`].

mod cell;
mod chart;
mod command;
pub mod details;
mod diff;
mod explain;
mod gaps;
mod history;
mod incidents;
mod loops;
mod report;
mod show;
mod stats;
mod table;
mod tables;

pub use cell::Cell;
pub use command::broken;
pub use history::History;
pub use table::{Column, TablePrinter};
pub use tables::RECONCILE;

use std::io::Write;

use crate::format::{Printer, View};
use crate::query::{Query, Wanted};
use crate::web::dossier::Page;
use details::{gathered, paragraphs, sections};

/// The printer of the answer to a question.
pub fn printer<'a>(query: &Query, view: View, out: &'a mut dyn Write) -> Box<dyn Printer + 'a> {
    let at = |at| View { at, ..view };
    match query {
        Query::History(query) => Box::new(History::new(query.all, view, out)),
        Query::Tail(_) => Box::new(History::new(true, view, out)),
        Query::Show(query) => paragraphs(at(query.at), out, show::write),
        Query::Diff(query) => {
            let query = query.clone();
            gathered(move |lines| diff::write(lines, &query, &view, out))
        }
        Query::Blame(query) => Box::new(TablePrinter::new(tables::BLAME, at(query.at), out)),
        Query::Changes(_) => Box::new(TablePrinter::new(tables::CHANGES, view, out)),
        Query::Export(_) => Box::new(TablePrinter::new(tables::EXPORT, view, out)),
        Query::Rejected(_) => Box::new(TablePrinter::new(tables::REJECTED, view, out)),
        Query::Find(query) => Box::new(TablePrinter::new(tables::FIND, at(query.at), out)),
        Query::Evidence(_) => sections(view, out, explain::evidence),
        Query::Explain(_) => gathered(move |lines| explain::write(lines, &view, out)),
        Query::Dossier(_) => Box::new(Page::new(view.zone, out)),
        Query::Report(query) => {
            let query = query.clone();
            gathered(move |lines| report::write(lines, &query, view, out))
        }
        Query::Gaps(_) => sections(view, out, gaps::sections),
        Query::Loops(_) => gathered(move |lines| loops::write(lines, &view, out)),
        Query::Stats(_) => paragraphs(view, out, stats::write),
        // Their commands write no table.
        Query::Checkpoint(_) | Query::Anchors(_) | Query::Proof(_) => {
            Box::new(move |line: &[u8]| out.write_all(line))
        }
        Query::Incidents(query) => match query.what {
            Wanted::List => sections(view, out, incidents::sections),
            Wanted::Undo(_) => Box::new(TablePrinter::new(tables::UNDO, view, out)),
            Wanted::Show(_) => Box::new(TablePrinter::new(tables::CHANGES, view, out)),
        },
    }
}
