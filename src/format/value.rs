//! Values and their changes, for people.
//!
//! The differing part of two long texts is marked: by colour, or by brackets without
//! colours. If there is not enough room, the texts are shortened around that part, so
//! that it stays visible.

use super::difference::differing;
use super::sanitize::plain;
use super::text::{Role, Styles, Text, head, middle, tail, width_of};
use crate::history::{Subject, Value};

/// The symbol for an unknown value.
const UNKNOWN: &str = "?";

/// The symbol for an absent field.
const ABSENT: &str = "(absent)";

/// The same in little room.
const ABSENT_SHORT: &str = "∅";

/// An old value up to this width shares the line with a long new one.
const SHORT: usize = 12;

/// A value from outside, quoted if it is empty, has spaces at its ends, or looks like
/// a word of this program.
pub fn quoted(text: &str) -> String {
    let looks_ours = matches!(text, UNKNOWN | ABSENT | ABSENT_SHORT | "…")
        || text.starts_with('"')
        || text.contains(ARROW.trim());
    if text.is_empty() || looks_ours || text.trim() != text {
        format!("\"{}\"", plain(text))
    } else {
        plain(text)
    }
}

pub fn value_text(value: &Value<'_>) -> String {
    match value {
        Value::Absent => ABSENT.to_owned(),
        Value::Member(member) => if *member { "yes" } else { "no" }.to_owned(),
        Value::Text(text) => quoted(text),
    }
}

/// The subject of a change.
pub fn subject(subject: &Subject<'_>) -> Text {
    match subject {
        Subject::Field(name) => Text::of(Role::Plain, quoted(name)),
        Subject::Interest(name) => Text::of(Role::Dim, "interest ").and(Role::Plain, quoted(name)),
    }
}

/// Between the old and the new value.
const ARROW: &str = " → ";

/// One of two values, cut around the part that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    before: String,
    part: String,
    after: String,
    role: Role,
    /// Another role than that of the rest, if the part is marked; else all of the value is in it.
    part_role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub old: Side,
    pub new: Side,
    /// Shown after both if there is room for all.
    pub suffix: Text,
}

impl Side {
    fn whole(text: String, role: Role) -> Self {
        Self {
            before: String::new(),
            part: text,
            after: String::new(),
            role,
            part_role: role,
        }
    }

    /// A value by itself.
    pub fn new_value(value: &Value<'_>) -> Self {
        let role = match value {
            Value::Absent => Role::Dim,
            _ => Role::New,
        };
        Self::whole(value_text(value), role)
    }

    /// The old value; `None` if unknown.
    pub fn old_value(value: Option<&Value<'_>>) -> Self {
        match value {
            None => Self::whole(UNKNOWN.to_owned(), Role::Dim),
            Some(Value::Absent) => Self::whole(ABSENT.to_owned(), Role::Dim),
            Some(value) => Self::whole(value_text(value), Role::Old),
        }
    }

    /// Whether brackets mark the part.
    fn bracketed(&self, styles: Styles) -> bool {
        self.part_role != self.role && !styles.on && !self.part.is_empty()
    }

    pub fn width(&self, styles: Styles) -> usize {
        let brackets = if self.bracketed(styles) { 2 } else { 0 };
        width_of(&self.before) + width_of(&self.part) + width_of(&self.after) + brackets
    }

    pub fn text(&self, styles: Styles) -> Text {
        self.join(styles, &self.before, &self.part, &self.after)
    }

    fn join(&self, styles: Styles, before: &str, part: &str, after: &str) -> Text {
        let (open, close) = match self.bracketed(styles) {
            true => ("[", "]"),
            false => ("", ""),
        };
        Text::of(self.role, before)
            .and(self.part_role, format!("{open}{part}{close}"))
            .and(self.role, after)
    }

    /// The same, of at most that width, with the part visible.
    pub fn fit(&self, styles: Styles, width: usize) -> Text {
        if self.width(styles) <= width {
            return self.text(styles);
        }
        if self.part_role == self.role {
            return Text::of(self.part_role, middle(&self.part, width));
        }
        let brackets = if self.bracketed(styles) { 2 } else { 0 };
        let room = width.saturating_sub(brackets);
        let around = width_of(&self.before) + width_of(&self.after);
        // A quarter is for the text around it, and more if there is room.
        let part = middle(&self.part, room - (room / 4).min(around));
        let left = room.saturating_sub(width_of(&part));
        let (before, after) = share(left, width_of(&self.before), width_of(&self.after));
        let (before, after) = (tail(&self.before, before), head(&self.after, after));
        self.join(styles, &before, &part, &after)
    }
}

impl Change {
    /// A change to a value, from another if that is known.
    pub fn new(old: Option<&Value<'_>>, new: &Value<'_>) -> Self {
        let (mut was, mut is) = (Side::old_value(old), Side::new_value(new));
        if let (Some(Value::Text(_)), Value::Text(_)) = (old, new) {
            mark(&mut was, &mut is);
        }
        Self {
            old: was,
            new: is,
            suffix: Text::default(),
        }
    }

    pub fn byte_len(&self) -> usize {
        let of = |side: &Side| side.before.len() + side.part.len() + side.after.len();
        of(&self.old) + of(&self.new) + self.suffix.len()
    }

    /// How wide it is, without its suffix.
    pub fn width(&self, styles: Styles) -> usize {
        self.old.width(styles) + width_of(ARROW) + self.new.width(styles)
    }

    /// The change on one line, of at most that width; `None` means unlimited.
    pub fn fit(&self, styles: Styles, width: Option<usize>) -> Text {
        let width = width.unwrap_or(usize::MAX);
        let (old, new) = (self.old.width(styles), self.new.width(styles));
        let all = self.width(styles);
        let mut text;
        if all <= width {
            text = self.old.text(styles).and(Role::Dim, ARROW);
            text.append(self.new.text(styles));
            if !self.suffix.is_empty() && all + 2 + self.suffix.width() <= width {
                text.push(Role::Plain, "  ");
                text.append(self.suffix.clone());
            }
            return text;
        }
        if let Some(shorter) = self.without_words() {
            return shorter.fit(styles, Some(width));
        }
        let room = width.saturating_sub(width_of(ARROW));
        let (old, new) = share(room, old, new);
        text = self.old.fit(styles, old).and(Role::Dim, ARROW);
        text.append(self.new.fit(styles, new));
        text
    }

    /// The change over several lines if it has no room on one: the old value, the new
    /// one, and the suffix.
    pub fn lines(&self, styles: Styles, room: Option<usize>) -> Vec<Text> {
        let all = self.width(styles) + 2 + self.suffix.width();
        let Some(room) = room.filter(|room| all > *room) else {
            return vec![self.fit(styles, None)];
        };
        let mut lines = if self.old.width(styles) <= SHORT {
            // A short one needs no separate line.
            let alone = Self {
                suffix: Text::default(),
                ..self.clone()
            };
            vec![alone.fit(styles, Some(room))]
        } else {
            let room = room.saturating_sub(2).max(8);
            let mut new = Text::of(Role::Dim, ARROW.trim_start());
            new.append(self.new.fit(styles, room));
            vec![self.old.fit(styles, room), new]
        };
        if !self.suffix.is_empty() {
            lines.push(self.suffix.clone());
        }
        lines
    }

    /// The same with [`ABSENT_SHORT`] for [`ABSENT`]; `None` if neither value is absent.
    fn without_words(&self) -> Option<Self> {
        let mut shorter = self.clone();
        let mut found = false;
        for side in [&mut shorter.old, &mut shorter.new] {
            if side.role == Role::Dim && side.part == ABSENT {
                ABSENT_SHORT.clone_into(&mut side.part);
                found = true;
            }
        }
        found.then_some(shorter)
    }
}

/// Shares room between two: one that needs less than half leaves the rest to the other.
fn share(room: usize, first: usize, second: usize) -> (usize, usize) {
    let half = room / 2;
    match (first <= half, second <= half) {
        (true, _) => (first, room - first),
        (false, true) => (room - second, second),
        (false, false) => (room - half, half),
    }
}

/// Marks the parts in which two long, similar texts differ.
fn mark(old: &mut Side, new: &mut Side) {
    let Some(parts) = differing(&old.part, &new.part, true) else {
        return;
    };
    let sides = [(old, Role::OldPart), (new, Role::NewPart)];
    for ((side, part_role), (before, part, after)) in sides.into_iter().zip(parts) {
        (side.before, side.part, side.after) = (before, part, after);
        side.part_role = part_role;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Styles = Styles { on: false };

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    fn line(change: &Change, width: Option<usize>) -> String {
        let mut line = String::new();
        change.fit(PLAIN, width).put(&mut line, PLAIN);
        line
    }

    #[test]
    fn the_part_that_differs_is_marked_and_stays_in_sight() {
        for (old, new, width, expected) in [
            ("Ja", "Nee", None, "Ja → Nee"),
            ("", " x", None, "\"\" → \" x\""),
            (
                "johny@example.com",
                "johny2@example.com",
                None,
                "[johny]@example.com → [johny2]@example.com",
            ),
            (
                "a street 12, in the town of Utrecht, the Netherlands",
                "a street 14, in the town of Utrecht, the Netherlands",
                Some(43),
                "…street [12], in th… → …street [14], in th…",
            ),
            (
                "nothing in common here",
                "x y z 1 2 3 4 5 6 7 8 9",
                Some(23),
                "nothi…here → x y z… 8 9",
            ),
        ] {
            let change = Change::new(Some(&text(old)), &text(new));
            assert_eq!(line(&change, width), expected);
        }
        let first = Change::new(None, &Value::Member(true));
        assert_eq!(line(&first, None), "? → yes");
        let made = Change::new(Some(&Value::Absent), &text("a long value"));
        assert_eq!(line(&made, Some(16)), "∅ → a long value");
        let gone = Change::new(Some(&text("?")), &Value::Absent);
        assert_eq!(line(&gone, None), "\"?\" → (absent)");
    }

    proptest! {
        #[test]
        fn a_change_fits_and_its_parts_make_the_values(
            old in "[ab 李\u{1b}é]{0,40}", new in "[ab 李\u{1b}é]{0,40}", width in 8_usize..60, on: bool
        ) {
            let styles = Styles { on };
            let change = Change::new(Some(&text(&old)), &text(&new));
            for (side, value) in [(&change.old, &old), (&change.new, &new)] {
                let all = format!("{}{}{}", side.before, side.part, side.after);
                prop_assert_eq!(all, quoted(value));
            }
            let fitted = change.fit(styles, Some(width));
            prop_assert!(fitted.width() <= width, "{fitted:?}");
        }
    }
}
