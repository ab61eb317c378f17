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
use super::view::View;
use crate::cli::setting::Setting;
use crate::query::{Query, Wanted};
use crate::web::dossier::Page;

/// Writes an answer for people, from its lines for programs.
pub trait Printer {
    /// Takes the next line, with its end.
    fn line(&mut self, line: &[u8]) -> io::Result<()>;

    /// Writes what is left.
    fn finish(&mut self) -> io::Result<()>;
}

/// The printer of a tail's events: none waits for the one after it.
pub fn tail_printer<'a>(setting: &Setting, out: &'a mut dyn Write) -> impl Printer + 'a {
    History::new(true, View::of(setting), out)
}

/// The printer of the answer to a question.
pub fn printer<'a>(
    query: &Query,
    setting: &'a Setting,
    out: &'a mut dyn Write,
) -> Box<dyn Printer + 'a> {
    let view = View::of(setting);
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

/// Cuts what is written into lines, for a [`Printer`].
pub struct Printed<'a> {
    printer: Box<dyn Printer + 'a>,
    held: Vec<u8>,
}

impl<'a> Printed<'a> {
    /// What is written goes to this printer.
    pub const fn new(printer: Box<dyn Printer + 'a>) -> Self {
        Self {
            printer,
            held: Vec::new(),
        }
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<()> {
        self.printer.finish()
    }
}

impl Write for Printed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at_checked(end + 1).unwrap_or((rest, &[]));
            rest = after;
            if self.held.is_empty() {
                self.printer.line(line)?;
            } else {
                self.held.extend_from_slice(line);
                self.printer.line(&self.held)?;
                self.held.clear();
            }
        }
        self.held.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
