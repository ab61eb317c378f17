//! `incidents undo`: a file for Copernica's import, and the values it leaves
//! unchanged.
//!
//! The file is written to a temporary name, synced and renamed, so it is never
//! incomplete. If events cannot be read it is not created, since one of them may
//! have changed a value later. Values are written byte for byte, for the import.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::ExitStatus;
use super::args::Format;
use super::ask;
use super::client;
use super::context::CommandContext;
use super::incidents::UndoArgs;
use super::out_file::OutFile;
use super::output::{Csv, csv_columns, printer};
use crate::format::{LineSplitter, counted, plain};
use crate::history::Value;
use crate::query::{Query, UndoLine};

pub fn run(query: &Query, args: &UndoArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let out = args.out.as_path();
    let mut file = UndoFile::beside(out, args.force)?;
    let mut stdout = BufWriter::with_capacity(1 << 16, super::Stdout::new());
    let mut splitter = UndoSplitter {
        file: &mut file,
        left: 0,
        held: Vec::new(),
        others: &mut stdout,
    };
    // Whoever reads the list may go: the file is written all the same.
    let (end, left, listed) = match context.format(args.format) {
        Format::Jsonl => (
            client::ask(query, context, &mut splitter)?,
            splitter.left,
            Ok(()),
        ),
        format => {
            let mut printed =
                LineSplitter::new(match csv_columns(query).filter(|_| format == Format::Csv) {
                    Some(columns) => Box::new(Csv::new(columns, splitter.others)),
                    None => printer(query, context.view(), splitter.others),
                });
            let mut splitter = UndoSplitter {
                file: splitter.file,
                left: 0,
                held: Vec::new(),
                others: &mut printed,
            };
            let end = client::ask(query, context, &mut splitter)?;
            let left = splitter.left;
            (end, left, printed.finish())
        }
    };
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
    left: u64,
    held: Vec<u8>,
    others: &'a mut dyn Write,
}

impl Write for UndoSplitter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.held.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let held = std::mem::take(&mut self.held);
            let line: UndoLine<'_> = serde_json::from_slice(&held)?;
            if line.left.is_some() {
                self.left += 1;
                match self.others.write_all(&held) {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                    _ => {}
                }
            } else {
                self.file.restore(&line)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.others.flush()
    }
}

/// The file on its way.
struct UndoFile {
    out: OutFile,
    csv: csv::Writer<File>,
    restored: u64,
}

impl UndoFile {
    /// A file beside the one that it is to be.
    fn beside(out: &Path, force: bool) -> anyhow::Result<Self> {
        let out = OutFile::beside(out, Some(force))?;
        Ok(Self {
            csv: csv::Writer::from_writer(out.file().try_clone()?),
            out,
            restored: 0,
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
        let subprofile = line.subprofile.map(|number| number.to_string());
        if self.restored == 0 {
            // A field of that name must not be taken for the profile's number.
            let clash = |column: &str| name.eq_ignore_ascii_case(column);
            let id = if clash("id") { "profile_id" } else { "id" };
            let sub = if clash("subprofile") {
                "subprofile_id"
            } else {
                "subprofile"
            };
            let sub = subprofile.as_ref().map(|_| sub);
            let head = [Some(id), sub, Some(name)];
            self.csv.write_record(head.iter().flatten())?;
        }
        let profile = line.profile.to_string();
        let row = [Some(profile.as_str()), subprofile.as_deref(), Some(old)];
        self.csv.write_record(row.iter().flatten())?;
        self.restored += 1;
        Ok(())
    }

    fn put(mut self) -> anyhow::Result<()> {
        self.csv.flush()?;
        self.out.put()
    }
}
