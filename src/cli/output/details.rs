//! Details: names with their values, one below the other, under a title.

use std::io::{self, Write};

use serde::de::DeserializeOwned;

use super::command::broken;
use super::table::parse;
use crate::format::{Change, Printer, Role, Text, View};

/// The longest name where the width is limited.
const MAX_NAME: usize = 24;

/// A value always has at least this much room, in columns.
const MIN_ROOM: usize = 8;

/// The value of a field.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// A text, which goes over several lines where it is long.
    Text(Text),
    /// From what to what.
    Change(Box<Change>),
    /// A command to be typed.
    Command(String),
}

/// A field: its name and its value.
pub type Field = (Text, FieldValue);

impl From<Text> for FieldValue {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Change> for FieldValue {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

impl FieldValue {
    /// A text without a colour, safe already.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::of(Role::Plain, text))
    }

    fn lines(&self, view: &View, room: Option<usize>) -> Vec<Text> {
        match self {
            Self::Text(text) => text.lines(room),
            Self::Change(change) => change.lines(view.styles, room),
            Self::Command(command) => broken(command, room)
                .into_iter()
                .map(|line| Text::of(Role::Plain, line))
                .collect(),
        }
    }
}

/// A field with a name of our own.
pub fn field(name: &str, value: impl Into<FieldValue>) -> Field {
    (Text::of(Role::Dim, name), value.into())
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

/// Writes fields behind a margin, with at most so many columns for the names; what is
/// long goes over several lines where the width is limited.
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
        let name = match view.width {
            Some(_) => name.fit(widest),
            None => name.clone(),
        };
        let mut shown = margin.to_owned();
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

/// Writes answers of which each line is a paragraph of its own.
pub struct Paragraphs<'a, L> {
    view: View,
    out: &'a mut dyn Write,
    sections: fn(&L, &View) -> Vec<Section>,
    begun: bool,
}

impl<'a, L> Paragraphs<'a, L> {
    /// Writes the sections of each line, with an empty line between two.
    pub fn new(
        view: View,
        out: &'a mut dyn Write,
        sections: fn(&L, &View) -> Vec<Section>,
    ) -> Self {
        Self {
            view,
            out,
            sections,
            begun: false,
        }
    }

    /// Writes the next line.
    pub fn put(&mut self, line: &L) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            writeln!(self.out)?;
        }
        write_sections(&(self.sections)(line, &self.view), &self.view, self.out)
    }
}

impl<L: DeserializeOwned> Printer for Paragraphs<'_, L> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.put(&parse(line)?)
    }
}
