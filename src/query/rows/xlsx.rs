//! Answers as an Excel workbook: the rows of [`super::csv`], with texts as text cells.
//!
//! A spreadsheet then changes no text: `0612345678` keeps its zero, and `=1+1` is not a
//! formula. Rows go to a temporary file as they arrive.

use std::io;
use std::path::{Path, PathBuf};

use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};
use serde_json::Value;

use super::csv::{CellValue, CsvColumns};
use crate::format::Printer;
use crate::store::ensure_free_space;

/// Larger numbers are texts: a spreadsheet would round them.
const MAX_NUMBER: u64 = 1 << 53;

/// The free disk space is checked again after this many bytes of cells.
const CHECKED: usize = 16 << 20;

/// Writes an answer as a workbook of one sheet.
pub struct Xlsx<'a, W> {
    columns: CsvColumns,
    workbook: Workbook,
    dir: PathBuf,
    /// Bytes that were written since the free disk space was checked.
    unchecked: usize,
    row: u32,
    out: &'a mut W,
}

impl<'a, W: io::Write + Send> Xlsx<'a, W> {
    /// A writer of these columns; `dir` is for the waiting rows.
    pub fn new(columns: CsvColumns, dir: &Path, out: &'a mut W) -> io::Result<Self> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(dir).map_err(io::Error::other)?;
        let sheet = workbook.add_worksheet_with_constant_memory();
        let sheet = sheet.map_err(io::Error::other)?;
        for (place, name) in (0..).zip(columns.headings()) {
            let written = sheet.write_string(0, place, name);
            written.map_err(io::Error::other)?;
        }
        sheet.set_freeze_panes(1, 0).map_err(io::Error::other)?;
        Ok(Self {
            columns,
            workbook,
            dir: dir.to_owned(),
            unchecked: CHECKED,
            row: 0,
            out,
        })
    }
}

/// Writes a cell.
fn put(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: &CellValue<'_>,
) -> Result<(), XlsxError> {
    match cell.as_deref() {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) => sheet.write_string(row, column, text)?,
        Some(Value::Bool(is)) => sheet.write_boolean(row, column, *is)?,
        Some(Value::Number(number)) if number.as_u64().is_some_and(|all| all <= MAX_NUMBER) => {
            sheet.write_number(row, column, number.as_f64().unwrap_or_default())?
        }
        Some(other) => sheet.write_string(row, column, other.to_string())?,
    };
    Ok(())
}

impl<W: io::Write + Send> Printer for Xlsx<'_, W> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.unchecked += line.len();
        if self.unchecked >= CHECKED {
            ensure_free_space(&self.dir, CHECKED as u64 * 2).map_err(io::Error::other)?;
            self.unchecked = 0;
        }
        let line: Value = serde_json::from_slice(line)?;
        let sheet = self.workbook.worksheet_from_index(0);
        let sheet = sheet.map_err(io::Error::other)?;
        for cells in self.columns.rows(&line) {
            self.row += 1;
            for ((column, name), cell) in (0..).zip(self.columns.headings()).zip(cells) {
                put(sheet, self.row, column, &cell).map_err(|error| {
                    let row = self.row + 1;
                    let what = match error {
                        XlsxError::RowColumnLimitError => {
                            "a sheet cannot have more rows".to_owned()
                        }
                        XlsxError::MaxStringLengthExceeded => {
                            "it is longer than the 32,767 characters of a cell".to_owned()
                        }
                        error => error.to_string(),
                    };
                    io::Error::other(format!(
                        "row {row}, column {name}: {what}; ask for less, or for CSV"
                    ))
                })?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        // Of one type, so that the compression is compiled once.
        let out: &mut (dyn io::Write + Send) = self.out;
        let saved = self.workbook.save_to_writer(out);
        saved.map_err(io::Error::other)
    }
}
