//! From an answer's lines to what people read.

use std::io::{self, Write};

use super::find::Found;
use super::table::Table;
use crate::cli::setting::Setting;
use crate::query::Query;

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
    setting: &Setting,
    out: &'a mut dyn Write,
) -> Box<dyn Printer + 'a> {
    match query {
        Query::Find(_) => Box::new(Found::new(setting, out)),
        _ => Box::new(Table::new(query, setting, out)),
    }
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
