//! Answers in other forms than JSON lines: a [`Printer`] takes the lines one by one,
//! and a [`LineSplitter`] cuts written bytes into lines.

use std::io::{self, Write};

/// Writes an answer for people, from its lines for programs.
pub trait Printer {
    /// Takes the next line, with its line end.
    fn line(&mut self, line: &[u8]) -> io::Result<()>;

    /// Writes what is left.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the lines as they are.
pub struct Lines<'a>(pub &'a mut dyn Write);

impl Printer for Lines<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }
}

/// Cuts written bytes into lines, for a [`Printer`].
pub struct LineSplitter<'a> {
    printer: Box<dyn Printer + 'a>,
    held: Vec<u8>,
}

impl<'a> LineSplitter<'a> {
    /// Passes lines to this printer.
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

impl Write for LineSplitter<'_> {
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
