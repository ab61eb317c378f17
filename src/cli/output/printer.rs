//! From an answer's lines to what people read.

use std::io::{self, Write};

use super::dossier::Page;
use super::explain::ExplainPrinter;
use super::gaps::Gaps;
use super::incidents::{Incidents, Undo};
use super::loops::Loops;
use super::report::Report;
use super::table::{Kind, Table};
use super::tail::TailPrinter;
use crate::cli::setting::Setting;
use crate::query::{Query, Wanted};

/// Writes an answer for people, from its lines for programs.
pub trait Printer {
    /// Takes the next line, with its end.
    fn line(&mut self, line: &[u8]) -> io::Result<()>;

    /// Writes what is left.
    fn finish(&mut self) -> io::Result<()>;
}

/// The printer of the answer to a question.
pub fn printer<'a>(
    query: &Query,
    setting: &'a Setting,
    out: &'a mut dyn Write,
) -> Box<dyn Printer + 'a> {
    let kind = match query {
        Query::Report(query) => return Box::new(Report::new(query, setting, out)),
        Query::Gaps(_) => return Box::new(Gaps::new(setting, out)),
        Query::Loops(_) => return Box::new(Loops::new(setting, out)),
        Query::Incidents(query) => match query.what {
            Wanted::List => return Box::new(Incidents::new(setting, out)),
            Wanted::Undo(_) => return Box::new(Undo::new(setting, out)),
            Wanted::Show(_) => Kind::Changes,
        },
        Query::History(_) => Kind::History,
        Query::Show(_) => Kind::Show,
        Query::Diff(_) => Kind::Diff,
        Query::Blame(_) => Kind::Blame,
        Query::Changes(_) => Kind::Changes,
        Query::Export(_) => Kind::Export,
        Query::Rejected(_) => Kind::Rejected,
        Query::Evidence(_) => Kind::Evidence,
        Query::Dossier(_) => return Box::new(Page::new(setting, out)),
        Query::Tail(_) => return Box::new(TailPrinter::new(setting, out)),
        Query::Explain(_) => return Box::new(ExplainPrinter::new(setting, out)),
    };
    Box::new(Table::new(kind, setting, out))
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
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            self.printer.line(&line)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
