//! What an event requested, and the outcome of each request.

use maud::{Markup, html};

use super::text::{LONG, Name, Shown, Text};
use crate::history::Value;
use crate::query::{ExplainLine, Outcome};

/// A parameter, or a change without a request.
#[derive(Clone, Debug)]
pub struct OutcomeRow {
    name: Name,
    asked: Option<Text>,
    old: Shown,
    new: Shown,
    outcome: Outcome,
    is_there: bool,
}

impl OutcomeRow {
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

    /// The outcome: a class, a word, and what that means.
    const fn outcome(&self) -> (&'static str, &'static str, &'static str) {
        match self.outcome {
            Outcome::Applied => ("good", "applied", "changed as requested"),
            Outcome::AlreadySo => ("other", "already so", "it already had this value"),
            Outcome::Coerced => (
                "unexplained",
                "coerced",
                "it became something other than requested",
            ),
            Outcome::Ignored if !self.is_there => (
                "bad",
                "ignored",
                "the profile has no such field or interest",
            ),
            Outcome::Ignored => ("bad", "ignored", "it did not change"),
            Outcome::Unasked => ("unexplained", "unasked", "it changed without a request"),
        }
    }
}

/// The table of them; `further` are left out.
pub fn table(asked: &[OutcomeRow], further: usize) -> Markup {
    html! {
        table.cards.detail {
                thead {
                    tr {
                        th scope="col" { "field" }
                        th scope="col" { "asked" }
                        th scope="col" { "before" }
                        th scope="col" { "after" }
                        th scope="col" { "outcome" }
                    }
                }
                tbody {
                    @for one in asked {
                        @let (class, word, meaning) = one.outcome();
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
                            td data-label="outcome" { span.badge.(class) { (word) } " " span.note { (meaning) } }
                        }
                    }
                }
        }
        @if further > 0 { p.note { (further) " more: profiletrail explain lists all." } }
    }
}
