//! `incidents undo`: a file for Copernica's import, and the values it leaves
//! unchanged.
//!
//! The file is written to a temporary name, synced and renamed, so it is never
//! incomplete. If events cannot be read it is not created, since one of them may
//! have changed a value later. Values are written byte for byte, for the import.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::ask;
use super::incidents::UndoArgs;
use super::out_file::OutFile;
use super::{CommandContext, ExitStatus, PagedStdout};
use crate::format::{Printer, counted, grouped};
use crate::query::{Query, UndoFile, UndoLine};

pub fn run(query: &Query, args: &UndoArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let out = OutFile::beside(&args.out, Some(args.force))?;
    let mut file = UndoFile::new(out.file().try_clone()?, args.collection_name.clone());
    let mut stdout = PagedStdout::unpaged();
    let format = context.format(args.format);
    let printer = UndoPrinter {
        file: &mut file,
        others: ask::printer_of(query, format, context, &mut stdout)?,
    };
    let end = ask::print(query, Box::new(printer), context)?;
    if file.wrong_collection {
        match file.collection {
            None => wrong_usage!(
                "the incident is of subprofiles: give their collection's name in Copernica, as in --collection-name Pets"
            ),
            Some(_) => {
                wrong_usage!("--collection-name: the incident is of profiles; leave it out")
            }
        }
    }
    unless_closed(stdout.flush())?;
    if let Some(ending) = ask::lacking(query, &end, context) {
        if !end.damage.is_empty() {
            message!("nothing was written: what cannot be read may have changed a value since");
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
            file.flush()?;
            drop(file);
            out.put()?;
            let path = args.out.display();
            let values = counted(restored, "value");
            format!("wrote {values} to restore to {path}; {left} skipped")
        }
    };
    message!("{summary}");
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
    file: &'a mut UndoFile<File>,
    others: Box<dyn Printer + 'a>,
}

impl Printer for UndoPrinter<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let value: UndoLine<'_> = serde_json::from_slice(line)?;
        match self.file.take(&value)? {
            true => Ok(()),
            false => unless_closed(self.others.line(line)),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        unless_closed(self.others.finish())
    }
}
