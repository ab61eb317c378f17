//! From an answer's lines to what people read.

use std::io::{self, Write};

use serde::Deserialize;

use super::blame::Blame;
use super::changes::Changes;
use super::diff::Diff;
use super::evidence::Evidence;
use super::explain::Explain;
use super::export::Export;
use super::find::Found;
use super::gaps::Gaps;
use super::history::History;
use super::incidents::{Incidents, Undo};
use super::loops::Loops;
use super::rejected::Rejected;
use super::report::Report;
use super::show::Show;
use crate::cli::setting::Setting;
use crate::format::Printer;
use crate::query::{Query, Wanted};
use crate::web::dossier::Page;

/// The printer of a tail's events: none waits for the one after it.
pub fn tail_printer<'a>(setting: &Setting, out: &'a mut dyn Write) -> impl Printer + 'a {
    History::new(true, setting.view(), out)
}

/// The printer of the answer to a question.
pub fn printer<'a>(
    query: &Query,
    setting: &'a Setting,
    out: &'a mut dyn Write,
) -> Box<dyn Printer + 'a> {
    let view = setting.view();
    match query {
        Query::History(query) => Box::new(History::new(query.all, view, out)),
        Query::Show(query) => Box::new(Show::new(query.at, view, out)),
        Query::Diff(query) => Box::new(Diff::new(query, view, out)),
        Query::Blame(query) => Box::new(Blame::new(query, view, out)),
        Query::Changes(_) => Box::new(Changes::new(view, out)),
        Query::Export(_) => Box::new(Export::new(view, out)),
        Query::Rejected(_) => Box::new(Rejected::new(view, out)),
        Query::Evidence(_) => Box::new(Evidence::new(view, out)),
        Query::Find(query) => Box::new(Found::new(query, view, out)),
        Query::Tail(_) => Box::new(tail_printer(setting, out)),
        Query::Explain(_) => Box::new(Explain::new(view, out)),
        Query::Dossier(_) => Box::new(Page::new(setting.reader_zone, out)),
        Query::Report(query) => Box::new(Report::new(query, view, out)),
        Query::Gaps(_) => Box::new(Gaps::new(view, out)),
        Query::Loops(_) => Box::new(Loops::new(view, out)),
        Query::Incidents(query) => match query.what {
            Wanted::List => Box::new(Incidents::new(view, out)),
            Wanted::Undo(_) => Box::new(Undo::new(view, out)),
            Wanted::Show(_) => Box::new(Changes::new(view, out)),
        },
    }
}

/// Reads a line.
pub(super) fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(io::Error::from)
}
