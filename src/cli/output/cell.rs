//! The kinds of values in the cells of a table and in a list.

use super::command::broken;
use crate::event::ProfileKey;
use crate::format::{Change, Role, Styles, Text, View, grouped, plain, width_of};

/// The flag that suggested commands leave out: their tables show cascades anyway.
const CASCADE: &str = "--cascade";

/// The content of a cell of a table, or the value of a detail.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(Text),
    /// An old and a new value.
    Change(Box<Change>),
    /// An RFC 3339 time, shown in the reader's zone.
    Time {
        time: String,
        /// Whether the event may have happened earlier.
        at_latest: bool,
    },
    /// A command to be typed.
    Command(String),
}

impl From<Text> for Cell {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Change> for Cell {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

impl Cell {
    /// A text of one role, safe already.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::Text(Text::of(role, text))
    }

    /// A text without a role, safe already.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::of(Role::Plain, text)
    }

    /// External text, or an empty cell.
    pub fn outside<'t>(text: impl Into<Option<&'t str>>) -> Self {
        Self::Text(Text::outside(Role::Plain, text.into().unwrap_or_default()))
    }

    pub fn number(number: u64) -> Self {
        Self::plain(grouped(number))
    }

    /// An event's number.
    pub fn seq(seq: u64) -> Self {
        Self::of(Role::Seq, seq.to_string())
    }

    /// A profile or subprofile.
    pub fn who(key: ProfileKey) -> Self {
        Self::plain(key.to_string())
    }

    pub fn time(time: &str) -> Self {
        Self::Time {
            time: time.to_owned(),
            at_latest: false,
        }
    }

    /// A command to type, from untrusted text; without one the cell is empty. Tables show
    /// cascades without being asked to.
    pub fn command(command: Option<&str>) -> Self {
        let command = command.unwrap_or_default();
        let words = shlex::split(command).filter(|words| words.iter().any(|word| word == CASCADE));
        let shorter = words.and_then(|mut words| {
            words.retain(|word| word != CASCADE);
            shlex::try_join(words.iter().map(String::as_str)).ok()
        });
        Self::Command(plain(shorter.as_deref().unwrap_or(command)))
    }

    pub(super) fn width(&self, styles: Styles) -> usize {
        match self {
            Self::Text(text) => text.width(),
            Self::Change(change) => change.width(styles),
            Self::Time { time: text, .. } | Self::Command(text) => width_of(text),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Change(change) => change.byte_len(),
            Self::Time { time: text, .. } | Self::Command(text) => text.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !matches!(self, Self::Change(_)) && self.len() == 0
    }

    /// All of it on one line, of at most that width.
    pub(super) fn fit(&self, styles: Styles, width: Option<usize>) -> Text {
        match self {
            Self::Change(change) => change.fit(styles, width),
            Self::Text(text) => text.fit(width),
            // A table has put it into the reader's zone.
            Self::Time { time, .. } => Text::of(Role::Time, time.as_str()).fit(width),
            Self::Command(command) => Text::of(Role::Plain, command.as_str()).fit(width),
        }
    }

    /// The same over several lines if there is not so much room.
    pub(super) fn lines(&self, view: &View, room: Option<usize>) -> Vec<Text> {
        match self {
            Self::Change(change) => change.lines(view.styles, room),
            Self::Time { time, at_latest } => {
                let time = marked(view.time(time), *at_latest);
                vec![Text::of(Role::Time, time)]
            }
            Self::Command(command) => broken(command, room)
                .into_iter()
                .map(|line| Text::of(Role::Plain, line))
                .collect(),
            Self::Text(text) => text.lines(room),
        }
    }
}

/// A time as shown, marked if the event may have happened earlier.
pub fn marked(time: String, at_latest: bool) -> String {
    match at_latest {
        true => format!("≤ {time}"),
        false => time,
    }
}
