//! The reader of an answer: zone, width, colours and the present; and how times are shown.

use std::time::Duration;

use chrono::DateTime;

use super::sanitize::plain;
use super::text::Styles;
use crate::event::Zone;

/// A narrower output is laid out tightly.
const NARROW: usize = 100;

#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The zone in which times are shown.
    pub zone: Zone,
    pub styles: Styles,
    /// The width in columns; `None` means unlimited.
    pub width: Option<usize>,
    /// The present in Unix seconds.
    pub now: i64,
    /// The moment that the question names.
    pub at: Option<i64>,
}

impl View {
    /// One in UTC without colours.
    #[cfg(test)]
    pub fn plain(width: Option<usize>) -> Self {
        Self {
            zone: Zone::UTC,
            styles: Styles { on: false },
            width,
            now: 0,
            at: None,
        }
    }

    /// Whether a line has little room.
    pub fn is_narrow(&self) -> bool {
        self.width.is_some_and(|width| width < NARROW)
    }

    /// An RFC 3339 time in the reader's zone, and the zone's short name.
    pub fn split_zone(&self, text: &str) -> (String, String) {
        let time = self.time(text);
        match time.rsplit_once(' ') {
            Some((time, zone)) => (time.to_owned(), zone.to_owned()),
            None => (time, String::new()),
        }
    }

    /// A time range; the common day and zone are shown once.
    pub fn format_range(&self, first: &str, last: &str) -> String {
        let ((begin, zone), (end, last_zone)) = (self.split_zone(first), self.split_zone(last));
        if zone != last_zone {
            return format!("{begin} {zone} to {end} {last_zone}");
        }
        let day = begin.split(' ').next().unwrap_or_default();
        let end = end.strip_prefix(day).map_or(end.as_str(), str::trim_start);
        format!("{begin} to {end} {zone}")
    }

    /// An RFC 3339 time in the reader's zone.
    pub fn time(&self, text: &str) -> String {
        shown(text, self.zone)
    }

    /// Unix seconds in the reader's zone.
    pub fn moment(&self, seconds: i64) -> String {
        self.time(&crate::event::seconds_to_rfc3339(seconds))
    }

    /// How long before the moment of a question a time was: `3 days ago`.
    pub fn age(&self, time: &str) -> String {
        let Ok(time) = DateTime::parse_from_rfc3339(time) else {
            return String::new();
        };
        let seconds = self.at.unwrap_or(self.now).saturating_sub(time.timestamp());
        let mut words = timeago::Formatter::new();
        if self.at.is_some() {
            words.ago("before").too_low("just then");
        } else {
            words.too_low("just now");
        }
        words.convert(Duration::from_secs(seconds.try_into().unwrap_or(0)))
    }
}

/// How long something took: `12 days`.
pub fn format_duration(seconds: i64) -> String {
    let mut words = timeago::Formatter::new();
    words.ago("").too_low("0 seconds");
    words.convert(Duration::from_secs(seconds.try_into().unwrap_or(0)))
}

/// An RFC 3339 time in a zone, with the zone's name.
pub fn shown(text: &str, zone: Zone) -> String {
    DateTime::parse_from_rfc3339(text).map_or_else(
        |_| plain(text),
        |time| {
            let local = time.with_timezone(&zone);
            local.format("%Y-%m-%d %H:%M:%S %Z").to_string()
        },
    )
}

/// The Unix seconds of a time of a line.
pub fn seconds_of(rfc3339: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(rfc3339).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_count_from_the_requested_moment() {
        let view = View {
            zone: chrono_tz::Europe::Amsterdam,
            styles: Styles { on: false },
            width: None,
            now: 1_760_000_000,
            at: None,
        };
        for (time, at, age) in [
            ("2025-10-09T08:53:20Z", None, "just now"),
            ("2025-10-06T08:53:20Z", None, "3 days ago"),
            ("2025-10-06T08:53:20Z", Some(1_759_744_400), "1 hour before"),
            ("2025-10-09T08:53:21Z", None, "just now"),
            ("2020-10-07T08:53:20Z", None, "5 years ago"),
            ("no time", None, ""),
        ] {
            assert_eq!(View { at, ..view }.age(time), age, "{time}");
        }
        for (first, last, shown) in [
            (
                "2025-10-09T08:53:20Z",
                "2025-10-09T09:53:20Z",
                "2025-10-09 10:53:20 to 11:53:20 CEST",
            ),
            (
                "2025-10-09T08:53:20Z",
                "2025-10-10T08:53:20Z",
                "2025-10-09 10:53:20 to 2025-10-10 10:53:20 CEST",
            ),
            (
                "2025-10-09T08:53:20Z",
                "2025-12-10T08:53:20Z",
                "2025-10-09 10:53:20 CEST to 2025-12-10 09:53:20 CET",
            ),
        ] {
            assert_eq!(view.format_range(first, last), shown);
        }
        assert_eq!(view.moment(1_760_000_000), "2025-10-09 10:53:20 CEST");
        assert_eq!(view.time("\u{1b}"), "\\u{1b}");
    }
}
