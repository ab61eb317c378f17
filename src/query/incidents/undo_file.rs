//! A file for Copernica's import that restores the values before an incident.
//!
//! Values are written byte for byte.

use std::io::{self, Write};

use super::lines::UndoLine;
use crate::history::Value;

/// The file being written, as CSV.
pub struct UndoFile<W: Write> {
    csv: csv::Writer<W>,
    /// The name of the subprofiles' collection.
    pub collection: Option<String>,
    /// How many values are restored.
    pub restored: u64,
    /// How many values are skipped.
    pub left: u64,
    /// Whether the file cannot be written, because the incident is of subprofiles and their
    /// collection's name is missing, or of profiles, which have none.
    pub wrong_collection: bool,
}

impl<W: Write> UndoFile<W> {
    /// A new file; with the name of the subprofiles' collection in Copernica.
    pub fn new(out: W, collection: Option<String>) -> Self {
        Self {
            csv: csv::Writer::from_writer(out),
            collection,
            restored: 0,
            left: 0,
            wrong_collection: false,
        }
    }

    /// Takes a line of the answer; returns whether its value is restored.
    pub fn take(&mut self, line: &UndoLine<'_>) -> io::Result<bool> {
        if line.left.is_some() {
            self.left += 1;
            return Ok(false);
        }
        let name = line.subject.name();
        let old = match &line.old {
            Some(Value::Text(text)) => text.as_ref(),
            Some(Value::Member(true)) => "1",
            Some(Value::Member(false)) => "0",
            Some(Value::Absent) | None => {
                return Err(io::Error::other("the value before is not known"));
            }
        };
        if line.who.subprofile.is_some() != self.collection.is_some() {
            self.wrong_collection = true;
            return Ok(true);
        }
        let column = |name: &str| match &self.collection {
            Some(collection) => format!("{collection}.{name}"),
            None => name.to_owned(),
        };
        if self.restored == 0 {
            // A field of that name must not be taken for the number.
            let id = match (name.eq_ignore_ascii_case("id"), line.who.subprofile) {
                (false, _) => "id",
                (true, None) => "profile_id",
                (true, Some(_)) => "subprofile_id",
            };
            self.csv.write_record([column(id), column(name)])?;
        }
        let number = line.who.subprofile.unwrap_or(line.who.profile).to_string();
        self.csv.write_record([number.as_str(), old])?;
        self.restored += 1;
        Ok(true)
    }

    /// Writes the buffered bytes.
    pub fn flush(&mut self) -> io::Result<()> {
        self.csv.flush()
    }
}
