//! `incidents undo`: a file for Copernica's import, and the values it leaves
//! unchanged.
//!
//! The file is written to a temporary name, synced and renamed, so it is never
//! incomplete. If events cannot be read it is not created, since one of them may
//! have changed a value later. Values are written byte for byte, for the import.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::ExitStatus;
use super::args::Format;
use super::ask;
use super::client;
use super::context::{CommandContext, UsageError};
use super::incidents::UndoArgs;
use super::out_file::OutFile;
use super::output::{Csv, csv_columns, printer};
use crate::format::{LineSplitter, Lines, Printer, counted, plain};
use crate::history::Value;
use crate::query::{Query, UndoLine};

pub fn run(query: &Query, args: &UndoArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let out = args.out.as_path();
    let mut file = UndoFile::beside(args)?;
    let mut stdout = BufWriter::with_capacity(1 << 16, super::Stdout::new());
    let others: Box<dyn Printer> = match (context.format(args.format), csv_columns(query)) {
        (Format::Jsonl, _) => Box::new(Lines(&mut stdout)),
        (Format::Csv, Some(columns)) => Box::new(Csv::new(columns, &mut stdout)),
        _ => printer(query, context.view(), &mut stdout),
    };
    let mut left = 0;
    let mut splitter = LineSplitter::new(Box::new(UndoSplitter {
        file: &mut file,
        left: &mut left,
        others,
    }));
    let end = client::ask(query, context, &mut splitter)?;
    // Whoever reads the list may go: the file is written all the same.
    let listed = splitter.finish();
    if let Some(wrong) = file.wrong {
        return Err(UsageError::new(wrong).into());
    }
    let listed = listed.and_then(|()| stdout.flush());
    if let Some(ending) = ask::lacking(query, &end) {
        if !end.damage.is_empty() {
            super::say(
                "profiletrail: nothing was written: what cannot be read may have changed a value since",
            );
        }
        return Ok(ending);
    }
    let summary = match file.restored {
        0 => format!("nothing is to be restored; {} left alone", are(left)),
        restored => {
            file.put()?;
            let path = plain(&out.display().to_string());
            format!(
                "wrote {} to restore to {path}; {} left alone",
                counted(restored, "value"),
                are(left)
            )
        }
    };
    super::say(&format!("profiletrail: {summary}"));
    listed?;
    Ok(ExitStatus::Success)
}

fn are(count: u64) -> String {
    match count {
        1 => "1 is".to_owned(),
        count => format!("{} are", crate::format::grouped(count)),
    }
}

/// Takes an answer's lines: what is to be restored goes to the file, the others
/// go on.
struct UndoSplitter<'a> {
    file: &'a mut UndoFile,
    left: &'a mut u64,
    others: Box<dyn Printer + 'a>,
}

impl Printer for UndoSplitter<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let undo: UndoLine<'_> = serde_json::from_slice(line)?;
        if undo.left.is_none() {
            return self.file.restore(&undo);
        }
        *self.left += 1;
        match self.others.line(line) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.others.finish()
    }
}

/// The file on its way.
struct UndoFile {
    out: OutFile,
    csv: csv::Writer<File>,
    collection: Option<String>,
    restored: u64,
    /// Why the file cannot be written as asked.
    wrong: Option<&'static str>,
}

impl UndoFile {
    /// A file beside the one that it is to be.
    fn beside(args: &UndoArgs) -> anyhow::Result<Self> {
        let out = OutFile::beside(&args.out, Some(args.force))?;
        Ok(Self {
            csv: csv::Writer::from_writer(out.file().try_clone()?),
            out,
            collection: args.collection_name.clone(),
            restored: 0,
            wrong: None,
        })
    }

    fn restore(&mut self, line: &UndoLine<'_>) -> io::Result<()> {
        let name = line.field.as_deref().or(line.interest.as_deref());
        let name = name.unwrap_or_default();
        let old = match &line.old {
            Some(Value::Text(text)) => text.as_ref(),
            Some(Value::Member(true)) => "1",
            Some(Value::Member(false)) => "0",
            Some(Value::Absent) | None => return Err(io::Error::other("what it was is not known")),
        };
        if line.subprofile.is_some() != self.collection.is_some() {
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
            let id = match (name.eq_ignore_ascii_case("id"), line.subprofile) {
                (false, _) => "id",
                (true, None) => "profile_id",
                (true, Some(_)) => "subprofile_id",
            };
            self.csv.write_record([column(id), column(name)])?;
        }
        let number = line.subprofile.unwrap_or(line.profile).to_string();
        self.csv.write_record([number.as_str(), old])?;
        self.restored += 1;
        Ok(())
    }

    fn put(mut self) -> anyhow::Result<()> {
        self.csv.flush()?;
        self.out.put()
    }
}
