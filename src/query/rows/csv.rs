//! Answers as CSV (RFC 4180, lines ending with a line feed), for spreadsheets.
//!
//! The first row names the columns; times are UTC as in JSON lines, objects and
//! lists are JSON text. Untrusted text must not become a formula in a spreadsheet: a
//! text that begins like one (`=`, `+`, `-`, `@`, a tab, a line end) gets a leading
//! `'`, unless it is a plain number. So does a text that begins with `'`; removing one
//! `'` therefore restores every text.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use crate::format::Printer;

/// A cell; `None` if the line has no such key.
pub type CellValue<'v> = Option<Cow<'v, Value>>;

/// The columns of an answer as CSV, and in a workbook.
///
/// A column is the key of a line of that name; `last_event.seq` is the key in an
/// object. `old_is` and `new_is` say what an empty cell cannot: `value`, `absent`
/// (it was not there) or `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvColumns {
    /// Their names, separated by spaces.
    pub(super) names: &'static str,
    /// Whether each of the `changes` of a line makes a row; a line without any makes one, too.
    pub(super) each_change: bool,
}

impl CsvColumns {
    fn names(self) -> impl Iterator<Item = &'static str> {
        self.names.split_ascii_whitespace()
    }

    /// The names in the first row.
    pub fn headings(self) -> impl Iterator<Item = String> {
        self.names().map(|name| name.replace('.', "_"))
    }

    /// The rows that a line makes.
    pub fn rows(self, line: &Value) -> Vec<Vec<CellValue<'_>>> {
        let row = |item| self.names().map(|name| cell(line, item, name)).collect();
        if !self.each_change {
            return vec![row(line)];
        }
        match line.get("changes").and_then(Value::as_array) {
            Some(items) if !items.is_empty() => items.iter().map(row).collect(),
            _ => vec![row(&Value::Null)],
        }
    }
}

/// Writes an answer as CSV.
pub struct Csv<'a> {
    columns: CsvColumns,
    headed: bool,
    out: csv::Writer<&'a mut dyn Write>,
}

impl<'a> Csv<'a> {
    /// A writer of these columns.
    pub fn new(columns: CsvColumns, out: &'a mut dyn Write) -> Self {
        Self {
            columns,
            headed: false,
            out: csv::Writer::from_writer(out),
        }
    }

    fn head(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.headed, true) {
            return Ok(());
        }
        let names = self.columns.headings();
        self.out.write_record(names).map_err(io_error)
    }
}

/// The error of the stream itself, so that a closed pipe is known as one.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The value at a key of the row's change, or of its line.
fn found<'v>(line: &'v Value, item: &'v Value, name: &str) -> Option<&'v Value> {
    match name.split_once('.') {
        Some((outer, inner)) => line.get(outer)?.get(inner),
        None => item.get(name).or_else(|| line.get(name)),
    }
}

fn cell<'v>(line: &'v Value, item: &'v Value, name: &str) -> CellValue<'v> {
    if let Some(of) = name.strip_suffix("_is") {
        let kind = match found(line, item, of) {
            // An event without changes has no value to speak of.
            None if !item.is_object() => return None,
            None => "unknown",
            Some(Value::Null) => "absent",
            Some(_) => "value",
        };
        return Some(Cow::Owned(kind.into()));
    }
    found(line, item, name).map(Cow::Borrowed)
}

fn text(cell: CellValue<'_>) -> String {
    match cell.as_deref() {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => guarded(text),
        Some(other) => other.to_string(),
    }
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: &str) -> String {
    let begins = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠',
    ]);
    if begins && !is_number(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Whether a text is only digits with an optional sign and at most one point.
fn is_number(text: &str) -> bool {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && is_digits(part)
}

impl Printer for Csv<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.head()?;
        let line: Value = serde_json::from_slice(line)?;
        for row in self.columns.rows(&line) {
            let cells = row.into_iter().map(text);
            self.out.write_record(cells).map_err(io_error)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.head()?;
        self.out.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: CsvColumns = CsvColumns {
        names: "seq last.seq field old old_is new new_is",
        each_change: true,
    };

    fn written(columns: CsvColumns, lines: &[&str]) -> String {
        let mut out = Vec::new();
        let mut csv = Csv::new(columns, &mut out);
        for line in lines {
            csv.line(line.as_bytes()).unwrap();
        }
        csv.finish().unwrap();
        drop(csv);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_for_each_in_the_list_and_one_where_there_is_none() {
        let text = written(
            COLUMNS,
            &[
                r#"{"seq":1,"last":{"seq":7},"changes":[{"field":"a","old":null,"new":"=1+1"},{"field":"b","new":"x\"y"}]}"#,
                r#"{"seq":2,"last":null,"changes":[]}"#,
            ],
        );
        assert_eq!(
            text,
            "seq,last_seq,field,old,old_is,new,new_is\n\
             1,7,a,,absent,'=1+1,value\n\
             1,7,b,,unknown,\"x\"\"y\",value\n\
             2,,,,,,\n"
        );
        let none = "seq,last_seq,field,old,old_is,new,new_is\n";
        assert_eq!(written(COLUMNS, &[]), none);
    }

    #[test]
    fn a_number_is_left_as_it_is() {
        for text in ["-5", "+31612345678", "-0.5", "5", "", "a-b"] {
            assert_eq!(guarded(text), text);
        }
        for text in [
            "-5+1", "=1", "@A", "+", "-.", "\t=1", "'x", "+3 1", "＝1", "-1.2.3",
        ] {
            assert_eq!(guarded(text), format!("'{text}"));
        }
    }

    proptest! {
        #[test]
        fn every_text_can_be_had_again(text in "[-=+@'a1 \t\n\",é]{0,8}") {
            let guarded = guarded(&text);
            prop_assert_eq!(guarded.strip_prefix('\'').unwrap_or(&guarded), &text);
            prop_assert!(!guarded.starts_with(['=', '@', '\t', '\n']));
        }
    }
}
