//! Details: names with their values, one below the other, under a title.

use std::io::{self, Write};

use serde::de::DeserializeOwned;

use super::cell::Cell;
use super::table::parse;
use crate::format::{Printer, Role, Text, View};

/// The longest name of a field in a title or a list, in columns.
pub const NAME: usize = 60;

/// The longest name where the width is limited.
const MAX_NAME: usize = 24;

/// A value always has at least this much room, in columns.
const MIN_ROOM: usize = 8;

/// A field: its name and its value.
pub type Field = (Text, Cell);

/// A field with a name of our own.
pub fn field(name: &str, value: impl Into<Cell>) -> Field {
    (Text::of(Role::Dim, name), value.into())
}

/// A command to type, if there is one.
pub fn see(name: &str, command: &Option<impl AsRef<str>>) -> Option<Field> {
    let command = command.as_ref()?;
    Some(field(name, Cell::command(Some(command.as_ref()))))
}

/// Fields below a title, which may be empty.
pub type Section = (Text, Vec<Field>);

/// Writes a text over as many lines as it takes.
pub fn title(text: &Text, view: &View, out: &mut dyn Write) -> io::Result<()> {
    for line in text.lines(view.width) {
        let mut shown = String::new();
        line.put(&mut shown, view.styles);
        writeln!(out, "{shown}")?;
    }
    Ok(())
}

/// Writes sections without a line between them.
pub fn write_sections(sections: &[Section], view: &View, out: &mut dyn Write) -> io::Result<()> {
    for (text, fields) in sections {
        if !text.is_empty() {
            title(text, view, out)?;
        }
        write(fields, view, out)?;
    }
    Ok(())
}

/// Writes fields below a title.
pub fn write(fields: &[Field], view: &View, out: &mut dyn Write) -> io::Result<()> {
    let most = view
        .width
        .map_or(2 * MAX_NAME, |width| MAX_NAME.min(width / 3));
    write_at("  ", most, fields, view, out)
}

/// Writes fields behind a margin, with at most this many columns for the names. If the
/// width is limited, long values take several lines.
pub fn write_at(
    margin: &str,
    most: usize,
    fields: &[Field],
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = fields.iter().map(|(name, _)| name.width());
    let widest = names.max().unwrap_or(0).min(most);
    let taken = margin.len() + widest + 2;
    let room = view
        .width
        .map(|width| width.saturating_sub(taken).max(MIN_ROOM));
    for (name, value) in fields {
        let mut shown = margin.to_owned();
        let name = name.fit(room.map(|_| widest));
        name.put_padded(&mut shown, view.styles, widest);
        shown.push_str("  ");
        for (number, line) in value.lines(view, room).iter().enumerate() {
            if number > 0 {
                shown.push('\n');
                shown.push_str(&" ".repeat(taken));
            }
            line.put(&mut shown, view.styles);
        }
        writeln!(out, "{}", shown.trim_end())?;
    }
    Ok(())
}

/// Writes answers of which each line is a paragraph of its own, with an empty line between two.
pub fn paragraphs<'a, L: DeserializeOwned + 'a>(
    view: View,
    out: &'a mut dyn Write,
    write: impl Fn(&L, &View, &mut dyn Write) -> io::Result<()> + 'a,
) -> Box<dyn Printer + 'a> {
    let mut begun = false;
    Box::new(move |line: &[u8]| {
        let line: L = parse(line)?;
        if std::mem::replace(&mut begun, true) {
            writeln!(out)?;
        }
        write(&line, &view, out)
    })
}

/// The same for lines that become sections.
pub fn sections<'a, L: DeserializeOwned + 'a>(
    view: View,
    out: &'a mut dyn Write,
    sections: fn(&L, &View) -> Vec<Section>,
) -> Box<dyn Printer + 'a> {
    paragraphs(view, out, move |line, view, out| {
        write_sections(&sections(line, view), view, out)
    })
}

/// Writes answers of which all lines are needed before the first can be written.
pub fn gathered<'a>(write: impl FnMut(&[Vec<u8>]) -> io::Result<()> + 'a) -> Box<dyn Printer + 'a> {
    let lines = Vec::new();
    Box::new(Gathered { lines, write })
}

struct Gathered<W> {
    lines: Vec<Vec<u8>>,
    write: W,
}

impl<W: FnMut(&[Vec<u8>]) -> io::Result<()>> Printer for Gathered<W> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines.push(line.to_vec());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        (self.write)(&self.lines)
    }
}
