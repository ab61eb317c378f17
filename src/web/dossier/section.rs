//! The sections of the page.

use maud::{Markup, html};

/// The sections after the head, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Head,
    Now,
    Values,
    Gaps,
    Events,
    Evidence,
    Legend,
}

impl Section {
    /// The one after it.
    pub const fn next(self) -> Self {
        match self {
            Self::Head => Self::Now,
            Self::Now => Self::Values,
            Self::Values => Self::Gaps,
            Self::Gaps => Self::Events,
            Self::Events => Self::Evidence,
            Self::Evidence | Self::Legend => Self::Legend,
        }
    }

    /// Its id, its name, and what it is for.
    pub fn begin(self, at: Markup) -> Option<(&'static str, Markup, &'static str)> {
        let name = |name: &str| html! { (name) };
        Some(match self {
            Self::Head => return None,
            Self::Now => (
                "now",
                html! { "As it is on " (at) },
                "Every value, since when it holds, and how that is known.",
            ),
            Self::Values => (
                "values",
                name("Values over time"),
                "Each value with its beginning and its end. Green rows still hold.",
            ),
            Self::Gaps => (
                "gaps",
                name("What is not known"),
                "The known gaps of this trail.",
            ),
            Self::Events => (
                "events",
                name("The events"),
                "Every call in this dossier, the oldest first. Duplicates are counted above and left out.",
            ),
            Self::Evidence => (
                "evidence",
                name("How to check this"),
                "Copernica signs its calls; the proof of each is kept with it.",
            ),
            Self::Legend => ("words", name("What the words mean"), ""),
        })
    }

    /// What it says where it has no line.
    pub const fn empty(self) -> &'static str {
        match self {
            Self::Gaps => "Nothing is known to be missing.",
            Self::Events => "No event.",
            Self::Evidence => {
                "None of these events carries a signature that is kept, so none can be proven in this way."
            }
            _ => "None.",
        }
    }
}

/// How a stranger checks an event.
pub fn how_to_check() -> Markup {
    html! {
        p {
            "On the machine that keeps the trail, " code { "profiletrail evidence NUMBER --out FOLDER" }
            " writes an event's call as it arrived, what was signed, the signature, the key and the DNS record that published it, and how to check them with openssl. "
            code { "profiletrail verify" } " checks that no part of the trail is damaged."
        }
    }
}
