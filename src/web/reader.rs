//! What a page needs to know of its reader: the clock, in whose zone, which the page names, times
//! are shown; the names of profiles; and the flags with which a command sees the same data.

use std::ops::Deref;

use chrono::{DateTime, NaiveDateTime, Utc};
use maud::{Markup, html};

use super::links;
use super::text::Text;
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::format::{plain, seconds_of};
pub use crate::query::Clock;

/// The most characters of a profile's name.
const TITLE: usize = 60;

/// Gives the names of profiles.
pub trait Titles {
    /// The name that is shown next to a (sub)profile's number, if any.
    fn title(&self, key: ProfileKey) -> Option<String>;
}

/// Only numbers.
impl Titles for () {
    fn title(&self, _: ProfileKey) -> Option<String> {
        None
    }
}

#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The zone and the present moment.
    pub clock: Clock,
    /// The flags that a command must repeat, with a leading space.
    pub flags: &'a str,
    pub titles: &'a dyn Titles,
}

impl Deref for Reader<'_> {
    type Target = Clock;

    fn deref(&self) -> &Clock {
        &self.clock
    }
}

impl Reader<'_> {
    /// A (sub)profile's number as a link, with its name.
    pub fn profile(&self, key: ProfileKey) -> Markup {
        html! { a href=(links::profile(key)) { (key) } (self.title(key)) }
    }

    /// A (sub)profile's name, if it has one.
    pub fn title(&self, key: ProfileKey) -> Markup {
        html! {
            @if let Some(title) = self.titles.title(key) { " " span.title { (Text::new(&title, TITLE)) } }
        }
    }

    /// A command with the same answer on a terminal.
    pub fn command(&self, text: &str) -> Markup {
        html! { pre.command { code { (plain(text)) (plain(self.flags)) } } }
    }

    /// The same within a sentence.
    pub fn code(&self, text: &str) -> Markup {
        html! { code { (plain(text)) (plain(self.flags)) } }
    }
}

impl Clock {
    /// What the zone's clocks show at a moment.
    pub fn local(&self, seconds: i64) -> NaiveDateTime {
        // Clamped to the years of answers, so that no zone overflows.
        let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
        let moment = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
        moment.with_timezone(&self.zone).naive_local()
    }

    /// The same in a form that chrono knows.
    pub fn format(&self, seconds: i64, form: &str) -> String {
        self.local(seconds).format(form).to_string()
    }

    /// A moment in whole.
    pub fn text(&self, seconds: i64) -> String {
        self.format(seconds, "%Y-%m-%d %H:%M:%S")
    }

    /// The same as an element.
    pub fn time(&self, seconds: i64) -> Markup {
        html! { time datetime=(seconds_to_rfc3339(seconds)) { (self.text(seconds)) } }
    }

    /// The heading of a column of times, with the zone.
    pub fn time_heading(&self) -> Markup {
        html! { "time " span.zone { (self.zone.name()) } }
    }

    /// A moment as an answer's line writes it, as an element.
    pub fn line(&self, rfc3339: &str) -> Markup {
        match seconds_of(rfc3339) {
            Some(seconds) => self.time(seconds),
            None => html! { (rfc3339) },
        }
    }

    /// How long ago a moment is, roughly.
    pub fn ago(&self, seconds: i64) -> String {
        let past = self.now.saturating_sub(seconds);
        let (count, unit) = match past.unsigned_abs() {
            0..60 => return "just now".to_owned(),
            span @ 60..3_600 => (span / 60, "minute"),
            span @ 3_600..86_400 => (span / 3_600, "hour"),
            span => (span / 86_400, "day"),
        };
        let many = if count == 1 { "" } else { "s" };
        if past < 0 {
            format!("in {count} {unit}{many}")
        } else {
            format!("{count} {unit}{many} ago")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_zone() {
        let clock = Clock {
            zone: chrono_tz::Europe::Amsterdam,
            now: 1_760_000_000,
        };
        assert_eq!(clock.text(1_760_000_000), "2025-10-09 10:53:20");
        assert_eq!(seconds_of("2025-10-09T08:53:20.5Z"), Some(1_760_000_000));
        for (seconds, text) in [
            (0, "just now"),
            (61, "1 minute ago"),
            (7_200, "2 hours ago"),
            (86_400 * 3, "3 days ago"),
            (-7_200, "in 2 hours"),
        ] {
            assert_eq!(clock.ago(clock.now - seconds), text);
        }
        assert_eq!(clock.text(i64::MAX), "+10000-01-01 00:59:59");
        assert!(clock.text(i64::MIN).starts_with("0000-01-01"));
    }
}
