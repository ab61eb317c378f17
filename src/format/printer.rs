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

impl<F: FnMut(&[u8]) -> io::Result<()>> Printer for F {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self(line)
    }
}

/// Cuts written bytes into lines, for a [`Printer`].
pub struct LineSplitter<'a> {
    printer: Box<dyn Printer + 'a>,
    held: Vec<u8>,
}

impl<'a> LineSplitter<'a> {
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
            let (line, after) = rest.split_at(end + 1);
            if self.held.is_empty() {
                self.printer.line(line)?;
            } else {
                self.held.extend_from_slice(line);
                self.printer.line(&self.held)?;
                self.held.clear();
            }
            rest = after;
        }
        self.held.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_however_they_are_cut() {
        let mut taken = Vec::new();
        let mut lines = LineSplitter::new(Box::new(|line: &[u8]| {
            taken.push(String::from_utf8_lossy(line).into_owned());
            match line {
                b"40\n" => Err(io::ErrorKind::BrokenPipe.into()),
                _ => Ok(()),
            }
        }));
        for part in ["1", "\n2", "3\n4\n", "\x20", "5\n"] {
            lines.write_all(part.as_bytes()).unwrap();
        }
        lines.write_all(b"4").unwrap();
        let error = lines.write_all(b"0\n7\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        drop(lines);
        assert_eq!(taken, ["1\n", "23\n", "4\n", " 5\n", "40\n"]);
    }
}
