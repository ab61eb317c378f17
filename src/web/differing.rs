//! The difference between two long values.

use maud::{Markup, html};

use crate::format::plain;

/// Shorter common parts are not separated.
const LEAST: usize = 3;

/// The number of common characters shown around the difference.
const AROUND: usize = 24;

/// Two texts, split into a common prefix, the difference and a common suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    before: String,
    old: String,
    new: String,
    after: String,
}

impl Parts {
    /// Of two texts that differ and have enough in common; of what differs at
    /// most so many characters.
    pub fn of(old: &str, new: &str, most: usize) -> Option<Self> {
        let common = |one: &mut dyn Iterator<Item = char>,
                      other: &mut dyn Iterator<Item = char>| {
            let pairs = one.zip(other);
            let alike = pairs.take_while(|(one, other)| one == other);
            alike.fold((0, 0), |(bytes, count): (usize, usize), (one, _)| {
                (bytes + one.len_utf8(), count + 1)
            })
        };
        let (begin, begin_count) = common(&mut old.chars(), &mut new.chars());
        let (old_rest, new_rest) = (old.get(begin..)?, new.get(begin..)?);
        let (end, end_count) = common(&mut old_rest.chars().rev(), &mut new_rest.chars().rev());
        if begin_count + end_count < LEAST || old == new {
            return None;
        }
        let middle = |rest: &str| {
            let middle = rest.get(..rest.len() - end).unwrap_or_default();
            match middle.char_indices().nth(most) {
                Some((cut, _)) => format!("{}…", plain(middle.get(..cut).unwrap_or_default())),
                None => plain(middle),
            }
        };
        let before = old.get(..begin)?;
        let from = begin_count.saturating_sub(AROUND);
        let from_byte = before.char_indices().nth(from).map_or(0, |(at, _)| at);
        let after = old.get(old.len() - end..)?;
        let to_byte = after.char_indices().nth(AROUND).map(|(at, _)| at);
        Some(Self {
            before: format!(
                "{}{}",
                if from > 0 { "…" } else { "" },
                plain(before.get(from_byte..)?)
            ),
            old: middle(old_rest),
            new: middle(new_rest),
            after: format!(
                "{}{}",
                plain(after.get(..to_byte.unwrap_or(after.len()))?),
                if to_byte.is_some() { "…" } else { "" }
            ),
        })
    }

    /// The earlier text.
    pub fn old(&self) -> Markup {
        html! {
            bdi { (self.before) @if !self.old.is_empty() { del { (self.old) } } (self.after) }
        }
    }

    /// The later text.
    pub fn new_value(&self) -> Markup {
        html! {
            bdi { (self.before) @if !self.new.is_empty() { ins { (self.new) } } (self.after) }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_differing_part_is_marked() {
        let parts = Parts::of("johny@example.com", "johnny@example.com", 99).unwrap();
        assert_eq!(parts.old().into_string(), "<bdi>johny@example.com</bdi>");
        let new = parts.new_value().into_string();
        assert_eq!(new, "<bdi>john<ins>n</ins>y@example.com</bdi>");
        assert_eq!(Parts::of("Utrecht", "Gouda", 99), None);
        assert_eq!(Parts::of("abcd", "abcd", 99), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_of_short_texts(old in "[abé\u{202e}]{0,20}", new in "[abé\u{202e}]{0,20}") {
            if let Some(parts) = Parts::of(&old, &new, 99) {
                prop_assert_eq!(format!("{}{}{}", parts.before, parts.old, parts.after), plain(&old));
                prop_assert_eq!(format!("{}{}{}", parts.before, parts.new, parts.after), plain(&new));
            }
        }
    }
}
