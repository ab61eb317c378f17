//! Details: names with their values, one below the other, under a title.

use std::io::{self, Write};

use super::command::broken;
use crate::format::{Change, Role, Text, View};

/// The longest that a name is where there is a limit.
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
    /// A text of no colour, safe already.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::of(Role::Plain, text))
    }

    fn lines(&self, view: &View, room: Option<usize>) -> Vec<Text> {
        match self {
            Self::Text(text) => match room {
                Some(room) => text.wrap(room),
                None => vec![text.clone()],
            },
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

/// Writes a text over as many lines as it takes.
pub fn title(text: &Text, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let lines = match view.width {
        Some(width) => text.wrap(width),
        None => vec![text.clone()],
    };
    for line in lines {
        let mut shown = String::new();
        line.put(&mut shown, view.styles);
        shown.push('\n');
        out.write_all(shown.as_bytes())?;
    }
    Ok(())
}

/// Writes fields below a title.
pub fn write(fields: &[Field], view: &View, out: &mut dyn Write) -> io::Result<()> {
    write_at("  ", fields, view, out)
}

/// Writes fields behind a margin; where there is a limit, what is long goes over
/// several lines.
pub fn write_at(
    margin: &str,
    fields: &[Field],
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = fields.iter().map(|(name, _)| name.width());
    let widest = names.max().unwrap_or(0);
    let widest = match view.width {
        Some(width) => widest.min(MAX_NAME).min(width / 3),
        None => widest.min(2 * MAX_NAME),
    };
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
