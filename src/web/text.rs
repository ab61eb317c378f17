//! External text: shortened, with invisible characters shown as escapes.

use maud::{Markup, Render, html};

use super::differing::Parts;
use crate::format::plain;
use crate::history::Value;
use crate::query::lines::{ChangeLine, DiffLine};

/// The most characters of a name.
pub const NAME: usize = 80;

/// The most characters of a value in a list.
pub const SHORT: usize = 120;

/// The most characters of a value where there is room.
pub const LONG: usize = 1000;

/// A text as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    shown: Box<str>,
    /// How many characters were left out.
    rest: usize,
    /// A fingerprint of the whole text.
    fingerprint: u32,
}

impl Text {
    /// A text of at most `most` characters.
    pub fn new(text: &str, most: usize) -> Self {
        let end = text.char_indices().nth(most).map(|(end, _)| end);
        let (begin, rest) = text
            .split_at_checked(end.unwrap_or(text.len()))
            .unwrap_or((text, ""));
        Self {
            shown: plain(begin).into(),
            rest: rest.chars().count(),
            fingerprint: fingerprint(text),
        }
    }

    /// The text, with a mark where something was left out: for titles, which
    /// hold no elements.
    pub fn line(&self) -> String {
        let more = if self.rest > 0 { "…" } else { "" };
        format!("{}{more}", self.shown)
    }

    /// The same of fewer characters.
    fn shorter(&self, most: usize) -> String {
        match self.shown.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", self.shown.get(..end).unwrap_or_default()),
            None => self.line(),
        }
    }
}

/// An FNV-1a hash: equal for equal texts, and rarely for others.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

impl Render for Text {
    fn render(&self) -> Markup {
        html! {
            bdi { (&*self.shown) }
            @if self.rest > 0 { span.more { "… (" (self.rest) " more characters)" } }
        }
    }
}

/// A value of a field or an interest, ready to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A field's value.
    Text(Text),
    /// An interest's membership.
    Member(bool),
    /// It was not there.
    Absent,
    /// It is not known.
    Unknown,
}

impl Shown {
    /// A value of at most `most` characters; `None` is not known.
    pub fn of(value: Option<&Value<'_>>, most: usize) -> Self {
        match value {
            Some(Value::Text(text)) => Self::Text(Text::new(text, most)),
            Some(Value::Member(member)) => Self::Member(*member),
            Some(Value::Absent) => Self::Absent,
            None => Self::Unknown,
        }
    }

    /// One line of it.
    pub fn line(&self, most: usize) -> String {
        match self {
            Self::Text(text) if text.shown.is_empty() => "(empty)".to_owned(),
            Self::Text(text) => text.shorter(most),
            Self::Member(true) => "yes".to_owned(),
            Self::Member(false) => "no".to_owned(),
            Self::Absent => "(not there)".to_owned(),
            Self::Unknown => "(not known)".to_owned(),
        }
    }

    /// The fingerprint of a text, if it is one.
    pub const fn fingerprint(&self) -> Option<u32> {
        match self {
            Self::Text(text) => Some(text.fingerprint),
            _ => None,
        }
    }
}

impl Render for Shown {
    fn render(&self) -> Markup {
        match self {
            Self::Text(text) if !text.shown.is_empty() => html! { span.value { (text) } },
            Self::Member(true) => html! { span.value { "yes" } },
            other => html! { span.nothing { (other.line(20)) } },
        }
    }
}

/// The name of a field or of an interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: Text,
    /// Whether it is an interest's.
    pub interest: bool,
    /// The name unescaped, if it is short enough for a link.
    pub raw: Option<Box<str>>,
}

/// The longest name in bytes that is put into a link.
const IN_LINK: usize = 200;

impl Name {
    /// Of a field or of an interest.
    pub fn new(name: &str, interest: bool) -> Self {
        Self {
            text: Text::new(name, NAME),
            interest,
            raw: (name.len() <= IN_LINK).then(|| name.into()),
        }
    }

    /// Of the two keys of a line, of which one is there.
    pub fn of(field: Option<&str>, interest: Option<&str>) -> Self {
        match (field, interest) {
            (None, Some(interest)) => Self::new(interest, true),
            (field, _) => Self::new(field.unwrap_or_default(), false),
        }
    }
}

impl Render for Name {
    fn render(&self) -> Markup {
        html! {
            span.name { (self.text) }
            @if self.interest { " " span.kind { "interest" } }
        }
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of what.
    pub name: Name,
    /// What it was.
    pub old: Shown,
    /// What it became.
    pub new: Shown,
    /// The differing parts, if the texts have much in common.
    parts: Option<Parts>,
    /// Why; empty for a net difference.
    pub cause: Text,
    /// The earliest time at which it may have happened.
    pub since: Option<String>,
}

impl Change {
    /// From a line; values have at most `most` characters.
    pub fn new(line: &ChangeLine<'_>, most: usize) -> Self {
        let name = Name::of(line.field.as_deref(), line.interest.as_deref());
        let mut change = Self::between(name, line.old.as_ref(), &line.new, most);
        change.cause = Text::new(&line.cause, NAME);
        change.since.clone_from(&line.since);
        change
    }

    /// From a line of a net difference.
    pub fn difference(line: &DiffLine<'_>, most: usize) -> Self {
        let name = Name::of(line.field.as_deref(), line.interest.as_deref());
        Self::between(name, line.old.as_ref(), &line.new, most)
    }

    fn between(name: Name, old: Option<&Value<'_>>, new: &Value<'_>, most: usize) -> Self {
        let parts = match (old, new) {
            (Some(Value::Text(old)), Value::Text(new)) => Parts::of(old, new, most),
            _ => None,
        };
        Self {
            name,
            old: Shown::of(old, most),
            new: Shown::of(Some(new), most),
            parts,
            cause: Text::new("", NAME),
            since: None,
        }
    }

    /// What it was, with what differs marked.
    pub fn old(&self) -> Markup {
        match &self.parts {
            Some(parts) => html! { span.value { (parts.old()) } },
            None => html! { (self.old) },
        }
    }

    /// What it became, with what differs marked.
    pub fn new_value(&self) -> Markup {
        match &self.parts {
            Some(parts) => html! { span.value { (parts.new_value()) } },
            None => html! { (self.new) },
        }
    }

    /// The word for why, as a badge.
    pub fn badge(&self) -> Markup {
        let (class, title) = match &*self.cause.shown {
            "create" => ("create", "the event created the profile"),
            "set" => ("set", "the update names it"),
            "unexplained" => (
                "unexplained",
                "it changed at some unseen moment before this event",
            ),
            "observed" => (
                "unexplained",
                "an export shows it: it changed at some unseen moment before",
            ),
            "cascade" => ("bad", "it ended with its profile, which was deleted"),
            _ => ("other", "what was before is not known"),
        };
        html! { span.badge.(class) title=(title) { (self.cause.shown.replace('_', " ")) } }
    }
}

impl Render for Change {
    fn render(&self) -> Markup {
        html! {
            span.change {
                (self.name) ": "
                span.old { (self.old()) } " " span.arrow aria-label="became" { "→" } " "
                span.new { (self.new_value()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_shown_and_what_is_markup_is_escaped() {
        let text = Text::new("<b>\u{202e}\"x\n", 100).render().into_string();
        assert_eq!(text, "<bdi>&lt;b&gt;\\u{202e}&quot;x\\n</bdi>");
        let cut = Text::new("äöü", 2);
        assert_eq!(cut.line(), "äö…");
        assert!(cut.render().into_string().contains("(1 more characters)"));
        assert_eq!(Text::new("äöü", 3).line(), "äöü");
    }

    #[test]
    fn every_value_has_a_word() {
        let text = |text: &'static str| Value::Text(text.into());
        assert_eq!(Shown::of(Some(&text("")), 9).line(9), "(empty)");
        assert_eq!(Shown::of(None, 9).line(9), "(not known)");
        assert_eq!(Shown::of(Some(&Value::Absent), 9).line(9), "(not there)");
        assert_eq!(Shown::of(Some(&Value::Member(true)), 9).line(9), "yes");
        assert_eq!(Shown::of(Some(&text("abcdef")), 9).line(3), "abc…");
        let one = Shown::of(Some(&text("a")), 9);
        assert_eq!(
            one.fingerprint(),
            Shown::of(Some(&text("a")), 1).fingerprint()
        );
        assert_ne!(
            one.fingerprint(),
            Shown::of(Some(&text("b")), 1).fingerprint()
        );
    }
}
