//! The rows of an export, sorted by key.
//!
//! They are sorted on disk into an unnamed file, so that they can be read twice. Rows
//! with unreadable numbers, with another number of columns than the header, or of a
//! key that had a row before are refused: reported by line, and left out.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::export::Export;
use super::header::Columns;
use crate::cli::{Bar, CommandContext};
use crate::event::{ProfileKey, parse_number};
use crate::query::FileRow;
use crate::store::{Sorter, ensure_free_space};

/// The free disk space is checked again after this many bytes.
const CHECKED: u64 = 16 << 20;

/// The most refused rows that are shown one by one.
const MAX_SHOWN: u64 = 20;

pub struct Sorted {
    /// The rows, in a file with a line of JSON for each.
    pub rows: File,
    pub count: u64,
    pub refusals: Refusals,
}

/// Rows that are left out.
#[derive(Default)]
pub struct Refusals {
    shown: Vec<(u64, String)>,
    count: u64,
    /// Why it is unknown which profiles have a row, if it is.
    pub keys_unknown: Option<String>,
}

impl Refusals {
    fn add(&mut self, line: u64, reason: String) {
        self.count += 1;
        if self.count <= MAX_SHOWN {
            self.shown.push((line, reason));
        }
    }

    /// Prints which they are, and returns how many.
    pub fn print(&self) -> u64 {
        for (line, reason) in &self.shown {
            message!("line {line}: {reason}; left out");
        }
        if self.count > MAX_SHOWN {
            message!("and {} more lines", self.count - MAX_SHOWN);
        }
        self.count
    }
}

/// Reads the rows of an export and puts them in order. `dir` is where they go.
pub fn sorted(
    export: &mut Export,
    columns: &Columns,
    dir: &Path,
    context: &CommandContext,
) -> anyhow::Result<Sorted> {
    let mut refusals = Refusals::default();
    let mut sorter = Sorter::new(dir);
    let mut csv = export.csv(columns.dialect);
    let mut bar = Bar::new("reading", context.progress);
    let mut record = csv::ByteRecord::new();
    // The line of names.
    export.row(&mut csv, &mut record)?;
    while let Some((line, cells)) = export.row(&mut csv, &mut record)? {
        bar.set(csv.position().byte(), export.size.unwrap_or_default());
        if cells.iter().any(|cell| columns.holds_rows(cell)) {
            refusals.keys_unknown.get_or_insert(format!(
                "a value in line {line} looks like rows: is a quote not closed? (--quotes off reads quotes as ordinary characters)"
            ));
        }
        match row(cells, columns) {
            Ok(row) => {
                let blob = serde_json::to_vec(&row)?;
                sorter.push((row.key(), line), &blob)?;
            }
            Err(reason) => {
                let unknown = "some rows could not be read";
                refusals.keys_unknown.get_or_insert(unknown.to_owned());
                refusals.add(line, reason);
            }
        }
    }
    let file = tempfile::tempfile_in(dir)
        .with_context(|| format!("making a file in {}", dir.display()))?;
    let count = write(sorter, &file, dir, &mut refusals)?;
    Ok(Sorted {
        rows: file,
        count,
        refusals,
    })
}

/// The row of these cells, or the fault in it.
fn row(mut cells: Vec<String>, columns: &Columns) -> Result<FileRow, String> {
    if cells.len() != columns.names.len() {
        return Err(format!(
            "it has {} columns, the first line {}",
            cells.len(),
            columns.names.len()
        ));
    }
    let number = |place: usize| {
        let text = cells.get(place).map_or("", String::as_str);
        let name = columns.names.get(place).map_or("", String::as_str);
        let digits = text.trim();
        parse_number(digits).ok_or_else(|| {
            let begin: String = text.chars().take(40).collect();
            let why = match is_rounded(digits) {
                true => ": a spreadsheet has rounded it; export the file again, and do not save it in one",
                false => "",
            };
            format!("{begin:?} in column {name:?} is not a number{why}")
        })
    };
    let (profile, subprofile) = (
        number(columns.key)?,
        columns.subprofile.map(number).transpose()?,
    );
    let compared = columns.compared.iter();
    let compared = compared.map(|place| cells.get_mut(*place).map(std::mem::take));
    let compared = compared.map(Option::unwrap_or_default).collect();
    Ok(FileRow(profile, subprofile, compared))
}

/// Whether a text is a number as spreadsheets write large ones: `1,2E+05`.
fn is_rounded(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['e', 'E']) else {
        return false;
    };
    number.replace(',', ".").parse::<f64>().is_ok() && power.parse::<i32>().is_ok()
}

/// Writes the rows in order, only the first of each key; returns how many.
fn write(
    sorter: Sorter<(ProfileKey, u64)>,
    file: &File,
    dir: &Path,
    refusals: &mut Refusals,
) -> anyhow::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let mut last: Option<(ProfileKey, u64)> = None;
    let (mut count, mut written, mut checked) = (0, 0_u64, 0);
    sorter.finish::<anyhow::Error>(|(key, line), row| {
        if let Some((before, first)) = last
            && before == key
        {
            refusals.add(line, format!("{key} has a row in line {first} already"));
            return Ok(true);
        }
        if written >= checked {
            ensure_free_space(dir, CHECKED)?;
            checked = written + CHECKED;
        }
        out.write_all(row)?;
        out.write_all(b"\n")?;
        written += row.len() as u64 + 1;
        count += 1;
        last = Some((key, line));
        Ok(true)
    })?;
    out.flush()?;
    Ok(count)
}
