//! `incidents undo`: a file for Copernica's import, and the values it leaves
//! unchanged.
//!
//! The file is written to a temporary name, synced and renamed, so it is never
//! incomplete. If events cannot be read it is not created, since one of them may
//! have changed a value later. Values are written byte for byte, for the import.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};

use super::ask;
use super::incidents::UndoArgs;
use super::out_file::OutFile;
use super::{CommandContext, ExitStatus, UsageError};
use crate::format::{Printer, counted, grouped, plain};
use crate::history::Value;
use crate::query::{Query, UndoLine};

pub fn run(query: &Query, args: &UndoArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let mut file = UndoFile::beside(args)?;
    let mut stdout = BufWriter::with_capacity(1 << 16, super::Stdout::new());
    let format = context.format(args.format);
    let printer = UndoPrinter {
        file: &mut file,
        others: ask::printer_of(query, format, context, &mut stdout)?,
    };
    let end = ask::print(query, Box::new(printer), context)?;
    if let Some(wrong) = file.wrong {
        return Err(UsageError::new(wrong).into());
    }
    unless_closed(stdout.flush())?;
    if let Some(ending) = ask::lacking(query, &end, context) {
        if !end.damage.is_empty() {
            super::say(
                "profiletrail: nothing was written: what cannot be read may have changed a value since",
            );
        }
        return Ok(ending);
    }
    let left = match file.left {
        1 => "1 is".to_owned(),
        count => format!("{} are", grouped(count)),
    };
    let summary = match file.restored {
        0 => format!("nothing to restore; {left} skipped"),
        restored => {
            file.put()?;
            let path = plain(&args.out.display().to_string());
            let values = counted(restored, "value");
            format!("wrote {values} to restore to {path}; {left} skipped")
        }
    };
    super::say(&format!("profiletrail: {summary}"));
    Ok(ExitStatus::Success)
}

/// The reader of the list may leave: the file is written all the same.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes values to restore to the file, and lists the others.
struct UndoPrinter<'a> {
    file: &'a mut UndoFile,
    others: Box<dyn Printer + 'a>,
}

impl Printer for UndoPrinter<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let value: UndoLine<'_> = serde_json::from_slice(line)?;
        if value.left.is_none() {
            return self.file.restore(&value);
        }
        self.file.left += 1;
        unless_closed(self.others.line(line))
    }

    fn finish(&mut self) -> io::Result<()> {
        unless_closed(self.others.finish())
    }
}

/// The file being written.
struct UndoFile {
    out: OutFile,
    csv: csv::Writer<File>,
    collection: Option<String>,
    restored: u64,
    /// How many values were left alone.
    left: u64,
    /// Why the file cannot be written as asked.
    wrong: Option<&'static str>,
}

impl UndoFile {
    /// A temporary file in the folder of the requested one.
    fn beside(args: &UndoArgs) -> anyhow::Result<Self> {
        let out = OutFile::beside(&args.out, Some(args.force))?;
        Ok(Self {
            csv: csv::Writer::from_writer(out.file().try_clone()?),
            out,
            collection: args.collection_name.clone(),
            restored: 0,
            left: 0,
            wrong: None,
        })
    }

    fn restore(&mut self, line: &UndoLine<'_>) -> io::Result<()> {
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
            self.wrong = Some(match self.collection {
                None => {
                    "the incident is of subprofiles: give their collection's name in Copernica, as in --collection-name Pets"
                }
                Some(_) => "--collection-name: the incident is of profiles; leave it out",
            });
            return Ok(());
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
        Ok(())
    }

    fn put(mut self) -> anyhow::Result<()> {
        self.csv.flush()?;
        self.out.put()
    }
}
