//! External text: shortened, with invisible characters shown as escapes.

use std::borrow::Cow;

use maud::{Markup, Render, html};

use crate::format::{Cut, counted, differing, head, plain, tail};
use crate::history::{Cause, Subject, Value};
use crate::query::lines::ShowLine;

/// The most characters of a name.
pub const NAME: usize = 80;

/// The most characters of a value in a list.
pub const SHORT: usize = 120;

/// The maximum number of characters of a value.
pub const LONG: usize = 1000;

/// How wide the text around a difference is at most.
const AROUND: usize = 24;

/// A text as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    shown: Box<str>,
    /// How many characters were left out.
    rest: usize,
    /// A fingerprint of the whole text.
    pub fingerprint: u32,
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
            @if self.rest > 0 { span.more { "… (" (counted(self.rest as u64, "more character")) ")" } }
        }
    }
}

/// A value of a field or an interest, ready to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    Text(Text),
    Member(bool),
    Absent,
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
    pub text: Text,
    interest: bool,
    /// The named value, if it is short enough for a link.
    pub raw: Option<Subject<'static>>,
}

/// The longest name in bytes that is put into a link.
const IN_LINK: usize = 200;

impl Name {
    pub fn of(subject: &Subject<'_>) -> Self {
        Self {
            text: Text::new(subject.name(), NAME),
            interest: subject.is_interest(),
            raw: (subject.name().len() <= IN_LINK).then(|| subject.to_owned()),
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

/// The values of a state, each of at most `most` characters, with their subjects.
pub fn values<'s>(
    show: &'s ShowLine<'_>,
    most: usize,
) -> impl Iterator<Item = (Subject<'s>, Shown)> {
    let fields = show.fields.iter().map(move |(name, value)| {
        let name = Subject::Field(Cow::Borrowed(&**name));
        (name, Shown::Text(Text::new(value, most)))
    });
    let interests = show.interests.iter().map(|name| {
        let name = Subject::Interest(Cow::Borrowed(&**name));
        (name, Shown::Member(true))
    });
    fields.chain(interests)
}

/// The old and the new value, each of at most `most` characters; in two similar texts,
/// the differing part is marked.
pub fn change(old: Option<&Value<'_>>, new: &Value<'_>, most: usize) -> [Markup; 2] {
    let parts = match (old, new) {
        (Some(Value::Text(old)), Value::Text(new)) => differing(old, new, false),
        _ => None,
    };
    let Some([was, is]) = parts else {
        return [old, Some(new)].map(|value| Shown::of(value, most).render());
    };
    let shown = |(before, part, after): Cut, marked: fn(&str) -> Markup| {
        let part = plain(&head(&part, most));
        html! {
            span.value {
                bdi {
                    (plain(&tail(&before, AROUND)))
                    @if !part.is_empty() { (marked(&part)) }
                    (plain(&head(&after, AROUND)))
                }
            }
        }
    };
    [
        shown(was, |part| html! { del { (part) } }),
        shown(is, |part| html! { ins { (part) } }),
    ]
}

/// The word for why something changed, as a badge.
pub fn badge(cause: Cause) -> Markup {
    let (class, title) = match cause {
        Cause::Create => ("create", "the event created the profile"),
        Cause::Set => ("set", "the update names it"),
        Cause::Unexplained { .. } => (
            "unexplained",
            "it changed at some unseen moment before this event",
        ),
        Cause::Observed { .. } => (
            "unexplained",
            "an export shows it: it changed at some unseen moment before",
        ),
        Cause::Cascade => ("bad", "it ended with its profile, which was deleted"),
        Cause::FirstSeen => ("other", "what was before is not known"),
    };
    html! { span.badge.(class) title=(title) { (cause.name().replace('_', " ")) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_hides_is_shown_and_what_is_markup_is_escaped() {
        let text = Text::new("<b>\u{202e}\"x\n", 100).render().into_string();
        assert_eq!(text, "<bdi>&lt;b&gt;\\u{202e}&quot;x\\n</bdi>");
        let cut = Text::new("äöü", 2);
        assert_eq!(cut.line(), "äö…");
        assert!(cut.render().into_string().contains("(1 more character)"));
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
        let fingerprint = |text, most| Text::new(text, most).fingerprint;
        assert_eq!(fingerprint("ab", 9), fingerprint("ab", 1));
        assert_ne!(fingerprint("ab", 1), fingerprint("ac", 1));
    }

    #[test]
    fn the_differing_part_is_marked() {
        let text = |text: &'static str| Value::Text(text.into());
        let change =
            |old, new| change(Some(&text(old)), &text(new), 99).map(|markup| markup.into_string());
        let [old, new] = change("johny@example.com", "johnny@example.com");
        assert_eq!(
            old,
            "<span class=\"value\"><bdi>johny@example.com</bdi></span>"
        );
        assert_eq!(
            new,
            "<span class=\"value\"><bdi>john<ins>n</ins>y@example.com</bdi></span>"
        );
        let [_, new] = change("Utrecht", "Gouda");
        assert!(!new.contains("<ins>"), "{new}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_of_short_texts(old in "[abé\u{202e}]{12,20}", new in "[abé\u{202e}]{12,20}") {
            let values = [&old, &new].map(|text| Value::Text(text.as_str().into()));
            let shown = change(Some(&values[0]), &values[1], 99);
            for (shown, text) in shown.into_iter().zip([old, new]) {
                let mut shown = shown.into_string();
                for tag in ["<span class=\"value\">", "</span>", "<bdi>", "</bdi>", "<del>", "</del>", "<ins>", "</ins>"] {
                    shown = shown.replace(tag, "");
                }
                prop_assert_eq!(shown, plain(&text));
            }
        }
    }
}
