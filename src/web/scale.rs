//! Maps times to positions on a line.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};

use super::reader::Clock;
use crate::event::local_to_utc;

/// A span of time that is drawn from one end of a line to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub to: i64,
}

/// Lengths between ticks in seconds, and how a tick is written.
const STEPS: [(i64, &str); 24] = [
    (1, "%H:%M:%S"),
    (5, "%H:%M:%S"),
    (10, "%H:%M:%S"),
    (30, "%H:%M:%S"),
    (60, "%H:%M"),
    (300, "%H:%M"),
    (600, "%H:%M"),
    (1_800, "%H:%M"),
    (3_600, "%H:%M"),
    (2 * 3_600, "%H:%M"),
    (3 * 3_600, "%-d %b %H:%M"),
    (6 * 3_600, "%-d %b %H:%M"),
    (12 * 3_600, "%-d %b %H:%M"),
    (86_400, "%-d %b"),
    (2 * 86_400, "%-d %b"),
    (4 * 86_400, "%-d %b"),
    (7 * 86_400, "%-d %b"),
    (14 * 86_400, "%-d %b"),
    (MONTH, "%b %Y"),
    (2 * MONTH, "%b %Y"),
    (3 * MONTH, "%b %Y"),
    (12 * MONTH, "%b %Y"),
    (120 * MONTH, "%Y"),
    (1200 * MONTH, "%Y"),
];

/// About a month: ticks so far from each other are at the first of one.
const MONTH: i64 = 30 * 86_400;

/// From the epoch, a Thursday, to the first Monday.
const MONDAY: i64 = 4 * 86_400;

/// The most ticks.
const TICKS: i64 = 8;

impl Scale {
    /// From a second up to another; at least a second long.
    pub fn new(from: i64, to: i64) -> Self {
        Self {
            from,
            to: to.max(from.saturating_add(1)),
        }
    }

    pub const fn length(&self) -> i64 {
        self.to.saturating_sub(self.from)
    }

    /// The place of a moment on a line of `parts` places; its ends also represent
    /// everything beyond them.
    pub fn part(&self, seconds: i64, parts: u32) -> u32 {
        let past = i128::from(seconds.clamp(self.from, self.to)) - i128::from(self.from);
        let length = i128::from(self.to) - i128::from(self.from);
        let part = past * i128::from(parts) / length.max(1);
        u32::try_from(part).unwrap_or(parts)
    }

    /// The place of a moment as a percentage.
    pub fn percent(&self, seconds: i64) -> String {
        percent(self.part(seconds, 10_000), 10_000)
    }

    /// Moments to write below the line, and how.
    pub fn ticks(&self, clock: &Clock) -> Vec<(i64, String)> {
        let fits = |(step, _): &&(i64, &str)| self.length() / step <= TICKS;
        let Some((step, form)) = STEPS.iter().find(fits).or(STEPS.last()) else {
            return Vec::new();
        };
        // By the zone's own clock, so that days are whole ones whenever it is put
        // forward or back; weeks begin on Mondays.
        let begin = clock.local(self.from);
        let moment = |count: i64| -> Option<i64> {
            let local = if *step >= MONTH {
                let step = step / MONTH;
                let first = i64::from(begin.year()) * 12 + i64::from(begin.month0());
                let month = (first.div_euclid(step) + count) * step;
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                let month = u32::try_from(month.rem_euclid(12)).ok()? + 1;
                NaiveDate::from_ymd_opt(year, month, 1)?.and_time(NaiveTime::MIN)
            } else {
                let shift = if *step % (7 * 86_400) == 0 { MONDAY } else { 0 };
                let first = begin.and_utc().timestamp().saturating_sub(shift);
                let place = (first.div_euclid(*step) + count).saturating_mul(*step);
                DateTime::from_timestamp(place.saturating_add(shift), 0)?.naive_utc()
            };
            Some(local_to_utc(clock.zone, local))
        };
        // The first tick names the year, and each that begins another one.
        let mut known = None;
        (0..=TICKS + 2)
            .filter_map(moment)
            .filter(|moment| (self.from..self.to).contains(moment))
            .map(|moment| {
                let year = Some(clock.local(moment).year());
                let is_new = std::mem::replace(&mut known, year) != year;
                let text = match is_new && form.ends_with("%b") {
                    true => clock.format(moment, "%-d %b %Y"),
                    false => clock.format(moment, form),
                };
                (moment, text)
            })
            .collect()
    }
}

/// A place on a line of `parts` places, as a percentage.
pub fn percent(part: u32, parts: u32) -> String {
    let hundredths = u64::from(part) * 10_000 / u64::from(parts.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_within_the_line() {
        let scale = Scale::new(100, 300);
        assert_eq!(scale.percent(100), "0.00%");
        assert_eq!(scale.percent(201), "50.50%");
        assert_eq!(scale.percent(900), "100.00%");
        assert_eq!(Scale::new(5, 5).length(), 1);
    }

    #[test]
    fn ticks_are_at_whole_hours_of_the_zone() {
        let clock = Clock {
            zone: chrono_tz::Europe::Amsterdam,
            now: 0,
        };
        let ticks = Scale::new(1_760_000_000, 1_760_000_000 + 4 * 3_600).ticks(&clock);
        let texts: Vec<_> = ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "11:00", "11:30", "12:00", "12:30", "13:00", "13:30", "14:00", "14:30"
            ]
        );
        let texts = |days: i64| {
            let ticks = Scale::new(1_760_000_000, 1_760_000_000 + days * 86_400).ticks(&clock);
            ticks.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        // Days, Mondays and the first of months; a new year is named.
        assert_eq!(
            texts(30),
            [
                "11 Oct 2025",
                "15 Oct",
                "19 Oct",
                "23 Oct",
                "27 Oct",
                "31 Oct",
                "4 Nov",
                "8 Nov"
            ]
        );
        assert_eq!(texts(90).into_iter().last().as_deref(), Some("5 Jan 2026"));
        assert_eq!(
            texts(700),
            [
                "Jan 2026", "Apr 2026", "Jul 2026", "Oct 2026", "Jan 2027", "Apr 2027", "Jul 2027"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_span_panics(from in any::<i64>(), to in any::<i64>(), at in any::<i64>()) {
            let clock = Clock { zone: chrono_tz::UTC, now: at };
            let scale = Scale::new(from, to);
            prop_assert!(scale.part(at, 600) <= 600);
            prop_assert!(scale.ticks(&clock).len() <= 11);
        }
    }
}
