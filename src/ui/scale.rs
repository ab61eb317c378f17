//! From time to places on a line.

use super::when::Clock;

/// A span of time that is drawn from one end of a line to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub to: i64,
}

/// Lengths between ticks in seconds, and how a tick is written.
const STEPS: [(i64, &str); 14] = [
    (1, "%H:%M:%S"),
    (10, "%H:%M:%S"),
    (60, "%H:%M"),
    (600, "%H:%M"),
    (3_600, "%H:%M"),
    (3 * 3_600, "%-d %b %H:%M"),
    (12 * 3_600, "%-d %b %H:%M"),
    (86_400, "%-d %b"),
    (7 * 86_400, "%-d %b"),
    (30 * 86_400, "%-d %b %Y"),
    (91 * 86_400, "%b %Y"),
    (365 * 86_400, "%b %Y"),
    (10 * 365 * 86_400, "%Y"),
    (100 * 365 * 86_400, "%Y"),
];

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

    /// How long it is.
    pub const fn length(&self) -> i64 {
        self.to.saturating_sub(self.from)
    }

    /// The place of a moment in so many parts of the line; at its ends where it
    /// is beyond them.
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
        // On whole days of the zone, as far as its offset stays what it is.
        let offset = clock.format(self.from, "%z");
        let (hours, minutes) = (offset.get(1..3), offset.get(3..5));
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        let size = number(hours).unwrap_or(0) * 3_600 + number(minutes).unwrap_or(0) * 60;
        let offset = if offset.starts_with('-') { -size } else { size };
        let local = self.from.saturating_add(offset);
        let first = local
            .div_euclid(*step)
            .saturating_add(i64::from(local.rem_euclid(*step) != 0))
            .saturating_mul(*step)
            .saturating_sub(offset);
        (0..=TICKS + 1)
            .map(|number| first.saturating_add(number.saturating_mul(*step)))
            .take_while(|moment| *moment < self.to)
            .map(|moment| (moment, clock.format(moment, form)))
            .collect()
    }
}

/// A place in so many parts, as a percentage.
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
        assert_eq!(texts, ["11:00", "12:00", "13:00", "14:00"]);
    }

    proptest! {
        #[test]
        fn no_span_panics(from in any::<i64>(), to in any::<i64>(), at in any::<i64>()) {
            let clock = Clock { zone: chrono_tz::UTC, now: at };
            let scale = Scale::new(from, to);
            prop_assert!(scale.part(at, 600) <= 600);
            prop_assert!(scale.ticks(&clock).len() <= 10);
        }
    }
}
