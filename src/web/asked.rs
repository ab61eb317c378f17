//! What an event asked for, against what came of it.

use maud::{Markup, html};

use super::text::{LONG, Name, Shown, Text};
use crate::history::Value;
use crate::query::{ExplainLine, Outcome};

/// A parameter, or something that changed unasked.
#[derive(Clone, Debug)]
pub struct Asked {
    name: Name,
    asked: Option<Text>,
    old: Shown,
    new: Shown,
    outcome: Outcome,
    is_there: bool,
}

impl Asked {
    /// From its line.
    pub fn new(line: &ExplainLine<'_>) -> Self {
        Self {
            name: Name::of(line.field.as_deref(), line.interest.as_deref()),
            asked: line.asked.as_deref().map(|asked| Text::new(asked, LONG)),
            old: Shown::of(line.old.as_ref(), LONG),
            new: Shown::of(Some(&line.new), LONG),
            outcome: line.outcome,
            is_there: line.new != Value::Absent,
        }
    }

    /// What came of it: a class, a word, and what that means.
    const fn told(&self) -> (&'static str, &'static str, &'static str) {
        match self.outcome {
            Outcome::Applied => ("good", "applied", "it is as asked, and was not before"),
            Outcome::AlreadySo => ("other", "already so", "it was so before"),
            Outcome::Coerced => (
                "unexplained",
                "coerced",
                "it became something else than was asked",
            ),
            Outcome::Ignored if !self.is_there => {
                ("bad", "ignored", "nothing of the profile is called so")
            }
            Outcome::Ignored => ("bad", "ignored", "it is as it was before"),
            Outcome::Unasked => (
                "unexplained",
                "unasked",
                "it changed without being asked for",
            ),
        }
    }
}

/// The table of them; `further` are left out.
pub fn table(asked: &[Asked], further: usize) -> Markup {
    html! {
        table.cards.detail {
                thead {
                    tr {
                        th scope="col" { "field" }
                        th scope="col" { "asked" }
                        th scope="col" { "before" }
                        th scope="col" { "after" }
                        th scope="col" { "what came of it" }
                    }
                }
                tbody {
                    @for one in asked {
                        @let (class, word, meaning) = one.told();
                        tr {
                            th scope="row" { (one.name) }
                            td data-label="asked" {
                                @match &one.asked {
                                    Some(asked) if asked.line().is_empty() => span.nothing { "(empty)" },
                                    Some(asked) => span.value { (asked) },
                                    None => span.nothing { "(nothing)" },
                                }
                            }
                            td data-label="before" { (one.old) }
                            td data-label="after" { (one.new) }
                            td data-label="what came of it" { span.badge.(class) { (word) } " " span.note { (meaning) } }
                        }
                    }
                }
        }
        @if further > 0 { p.note { (further) " more: profiletrail explain tells all." } }
    }
}
