//! The columns of a grid, and what stands in its rows.

use crate::format::{Change, Role, Styles, Text};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub(super) head: &'static str,
    /// Whether it may be shortened, and to what at least.
    pub(super) least: Option<usize>,
    /// Below this, others are left out first.
    pub(super) ease: usize,
    /// How wide it is at most where there is a limit.
    pub(super) most: usize,
    /// Whether it is left out where there is no room: the highest goes first.
    pub(super) spare: u8,
    pub(super) right: bool,
    /// Whether it is left out where it is empty.
    pub(super) hidden: bool,
}

impl Column {
    /// One that is never shortened.
    pub const fn fixed(head: &'static str) -> Self {
        Self {
            head,
            least: None,
            ease: 0,
            most: usize::MAX,
            spare: 0,
            right: false,
            hidden: false,
        }
    }

    /// One that may be.
    pub const fn elastic(head: &'static str, least: usize, most: usize) -> Self {
        Self {
            least: Some(least),
            ease: least,
            most,
            ..Self::fixed(head)
        }
    }

    /// The same, left out where there is no room.
    pub const fn spare(mut self, rank: u8) -> Self {
        self.spare = rank;
        self
    }

    /// The same, for the sake of which others are left out below that width.
    pub const fn ease(mut self, width: usize) -> Self {
        self.ease = width;
        self
    }

    /// The same, with its cells at the right.
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// The same, left out where no row has anything in it.
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// What stands in a row.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A text.
    Text(Text),
    /// From what to what.
    Change(Box<Change>),
}

impl From<Text> for Cell {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl Cell {
    /// A text of one role, safe already.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::Text(Text::of(role, text))
    }

    pub fn width(&self, styles: Styles) -> usize {
        match self {
            Self::Text(text) => text.width(),
            Self::Change(change) => change.width(styles),
        }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Change(change) => change.byte_len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    pub fn fit(&self, styles: Styles, width: Option<usize>) -> Text {
        match (self, width) {
            (Self::Text(text), None) => text.clone(),
            (Self::Text(text), Some(width)) => text.fit(width),
            (Self::Change(change), width) => change.fit(styles, width),
        }
    }
}
