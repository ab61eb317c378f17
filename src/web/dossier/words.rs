//! The plain-language text of a dossier.
//!
//! All external text passes through [`plain`], so that it cannot hide parts or change
//! the text direction. The template escapes it.

use maud::{Markup, html};

use crate::event::{Zone, seconds_to_rfc3339};
use crate::format::{plain, shown};
use crate::history::{Ending, Origin, Subject, Value};
use crate::query::lines::ChangeLine;

/// Says things in the reader's zone.
#[derive(Clone, Copy)]
pub struct Words {
    pub zone: Zone,
}

/// Text from outside.
pub fn text(text: &str) -> Markup {
    html! { bdi { (plain(text)) } }
}

/// The subject of a change or a value.
pub fn subject(subject: &Subject<'_>) -> Markup {
    html! { @if subject.is_interest() { "interest " } (text(subject.name())) }
}

/// A value, so that an empty one can be seen.
pub fn value(value: &Value<'_>) -> Markup {
    match value {
        Value::Absent => html! { span.none { "not there" } },
        Value::Member(true) => html! { "yes" },
        Value::Member(false) => html! { "no" },
        Value::Text(empty) if empty.is_empty() => html! { span.none { "empty" } },
        Value::Text(value) => text(value),
    }
}

/// The sender of a call, and the evidence for it.
pub fn sender(
    label: Option<&str>,
    remote: Option<&str>,
    verified: Option<bool>,
    key: Option<&str>,
) -> Markup {
    html! {
        @if let Some(label) = label { "label " b { (text(label)) } ", " }
        @if let Some(remote) = remote { "from " (text(remote)) ", " }
        @match (verified, key) {
            (Some(true), Some(key)) => { "signed by Copernica and checked, with the key " code { (plain(key)) } },
            (Some(true), None) => "signed by Copernica and checked",
            (Some(false), _) => span.warn { "not signed" },
            (None, _) => span.note { "its signature was not checked" },
        }
    }
}

/// The source of an observed event, which is not a call.
pub fn observed(label: Option<&str>, seen: &str) -> Markup {
    html! {
        @if let Some(label) = label { "label " b { (text(label)) } ", " }
        span.warn {
            @if seen == "gone" { "not a call: missing from an export" } @else { "not a call: shown by an export" }
        }
    }
}

impl Words {
    /// A time of an answer.
    pub fn time(self, time: &str) -> Markup {
        let shown = shown(time, self.zone);
        html! { time datetime=(plain(time)) { (shown) } }
    }

    /// The same in Unix seconds.
    pub fn moment(self, seconds: i64) -> Markup {
        self.time(&seconds_to_rfc3339(seconds))
    }

    /// The cause of a change, in words.
    pub fn cause(self, cause: &str, not_before: Option<i64>) -> Markup {
        let since = not_before.map(|since| self.moment(since));
        html! {
            @match cause {
                "create" => "set when the profile was created",
                "set" => "set by this call",
                "unexplained" => span.warn {
                    "changed unseen" @if let Some(since) = since { " at some moment since " (since) }
                },
                "observed" => span.warn {
                    "shown by an export"
                    @if let Some(since) = since { "; changed unseen at some moment since " (since) }
                },
                "first_seen" => span.warn { "first seen here; what it was before is not known" },
                "cascade" => "ended with its profile",
                "baseline" => span.warn { "known from when older events were removed" },
                "delete" => "deleted",
                other => (text(other)),
            }
        }
    }

    /// The event that began a value.
    pub fn origin(self, origin: &Origin) -> Markup {
        html! {
            "event " (origin.seq) " (" (text(&origin.event_type)) "): " (self.cause(&origin.cause, origin.not_before))
            @if !matches!(&*origin.cause, "baseline" | "observed") {
                "; " (sender(origin.label.as_deref(), origin.remote.as_deref(), origin.verified, None))
            }
        }
    }

    /// The event that ended a value.
    pub fn ending(self, ending: &Ending) -> Markup {
        let what = match (&*ending.cause, ending.not_before) {
            ("set", _) => html! { "another value was set" },
            ("create", _) => html! { "it was created again with another value" },
            ("unexplained", Some(since)) => html! {
                span.warn { "found changed; it was still so on " (self.moment(since)) }
            },
            ("observed", Some(since)) => html! {
                span.warn { "an export shows it changed; it was still so on " (self.moment(since)) }
            },
            ("delete", _) => html! { "deleted" },
            (cause, _) => self.cause(cause, None),
        };
        html! { "event " (ending.seq) ": " (what) }
    }

    pub fn change(self, change: &ChangeLine<'_>) -> Markup {
        html! {
            div.change {
                b { (subject(&change.subject)) } ": "
                @match &change.old {
                    None => span.none { "not known" },
                    Some(Value::Absent) => (value(&Value::Absent)),
                    Some(old) => span.old { (value(old)) },
                }
                " → " span.new { (value(&change.new)) } " "
                span.note { "(" (self.cause(change.cause.name(), change.cause.since())) ")" }
            }
        }
    }
}

/// How an outsider checks an event.
pub fn how_to_check(checkpoint: Option<&str>) -> Markup {
    html! {
        @if let Some(checkpoint) = checkpoint {
            p {
                "When this was made, all events of the trail were in this signed checkpoint; "
                code { "profiletrail prove NUMBER --out FOLDER" }
                " writes the proof that an event is in it, which needs nothing of the trail:"
            }
            pre { (text(checkpoint)) }
        }
        p {
            "On the machine that keeps the trail, " code { "profiletrail evidence NUMBER --out FOLDER" }
            " writes an event's call as it arrived, what was signed, the signature, the key and the DNS record that published it, and how to check them with openssl. "
            code { "profiletrail verify" } " checks that no part of the trail is damaged."
        }
    }
}

pub fn legend() -> Markup {
    let words = include_str!("words.txt").lines();
    let words = words.filter_map(|line| line.split_once(": "));
    html! {
        dl {
            @for (word, meaning) in words {
                dt { (word) }
                dd { (meaning) }
            }
        }
        p {
            "Invisible characters, and characters that change the direction of text, are written as "
            code { "\\n" } " or " code { "\\u{202e}" } "; the lines of "
            code { "profiletrail dossier … --format jsonl" } " have every value exactly as it was sent."
        }
    }
}
