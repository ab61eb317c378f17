//! Times as people write them, on the command line and in the query API.

use std::any::TypeId;
use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday};
use clap::{Arg, Command};
use interim::{Dialect, parse_date_string};

use crate::event::{Zone, local_to_utc, parse_timestamp, seconds_in_range};
use crate::store::{RetentionPeriod, YOUNGEST};

/// How a fraction of a second is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Up to the next whole second: for the bounds of a span.
    Up,
    /// Truncated: for a moment.
    Down,
}

/// The zone and the present moment: for reading times that name no zone, or are phrases, and
/// for showing times on pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Its zone.
    pub zone: Zone,
    /// The present moment in Unix seconds.
    pub now: i64,
}

/// Parses a time as Unix seconds, for the declarations of clap arguments. Its clock shows the
/// epoch in UTC: [`with_clock`] replaces it.
pub fn unix_time(text: &str) -> Result<i64, String> {
    let epoch = Clock {
        zone: Zone::UTC,
        now: 0,
    };
    parse_time(text, epoch, Rounding::Down)
}

/// Whether an argument is a time, parsed by [`unix_time`].
pub fn is_time(arg: &Arg) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    arg.get_value_parser().type_id() == TypeId::of::<i64>()
        && names.iter().any(|name| name.as_str() == "TIME")
}

/// The command, with its times parsed by this clock, and those that bound a span rounded up.
pub fn with_clock(command: Command, clock: Clock) -> Command {
    let command = command.mut_args(|arg| {
        if !is_time(&arg) {
            return arg;
        }
        let rounding = match arg.get_id().as_str() {
            "since" | "until" => Rounding::Up,
            _ => Rounding::Down,
        };
        arg.value_parser(move |text: &str| parse_time(text, clock, rounding))
    });
    command.mut_subcommands(|subcommand| with_clock(subcommand, clock))
}

/// The Unix seconds of a time: RFC 3339, a date (`2025-10-09` or `09-10-2025`), a
/// date and time in the zone, with or without seconds, `@` and Unix seconds, or a
/// phrase.
pub fn parse_time(text: &str, clock: Clock, rounding: Rounding) -> Result<i64, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "{text:?} is not a time: write 2025-10-09, 09-10-2025, '2025-10-09 08:53', \
             2025-10-09T08:53:20Z, @1760000000, yesterday, monday or '2 hours ago'"
        )
    };
    let found = if let Some(seconds) = text.strip_prefix('@') {
        seconds.parse().ok()
    } else if let Ok(time) = DateTime::parse_from_rfc3339(&with_seconds(text)) {
        let fraction = time.timestamp_subsec_nanos() > 0 && rounding == Rounding::Up;
        Some(time.timestamp() + i64::from(fraction))
    } else if let Some(local) = local_time(text) {
        Some(local_to_utc(clock.zone, local))
    } else if text.starts_with(|first: char| first.is_ascii_digit()) && text.contains('-') {
        // Something like 2025-13-01 is a typo, not a phrase.
        None
    } else if text.parse::<f64>().is_ok() {
        // So is a number: 1760000000 needs an @, and 0.5 is not a time of day.
        None
    } else {
        phrase(text, clock)
    };
    found
        .filter(|seconds| seconds_in_range(*seconds))
        .ok_or_else(wrong)
}

/// A date, year first or day first, with or without a time of the day, with or
/// without seconds.
fn local_time(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let time = time.trim_start();
    let date = match date.split('-').collect::<Vec<_>>()[..] {
        [day, month, year] if year.len() == 4 => format!("{year}-{month}-{day}"),
        _ => date.to_owned(),
    };
    let seconds = if time.len() == 5 { ":00" } else { "" };
    parse_timestamp(&format!("{date} {time}{seconds}"))
}

/// A weekday, alone or before a time of day: the last such moment that is not in
/// the future.
fn weekday(text: &str, now: DateTime<Zone>) -> Option<NaiveDateTime> {
    let (day, time) = text.split_once(' ').unwrap_or((text, ""));
    let day: Weekday = day.trim_end_matches(',').parse().ok()?;
    let time = match time.trim_start() {
        "" => NaiveTime::MIN,
        time => {
            let time = format!("today {time}");
            parse_date_string(&time, now, Dialect::Uk).ok()?.time()
        }
    };
    let back = now.weekday().days_since(day);
    let date = now.date_naive().checked_sub_days(Days::new(back.into()))?;
    let moment = date.and_time(time);
    if moment > now.naive_local() {
        return moment.checked_sub_days(Days::new(7));
    }
    Some(moment)
}

/// An RFC 3339 time whose seconds were left out, with them.
fn with_seconds(text: &str) -> Cow<'_, str> {
    let shape = |at: usize| text.as_bytes().get(at).copied();
    match (shape(13), shape(16)) {
        (Some(b':'), Some(b'Z' | b'z' | b'+' | b'-')) if text.is_char_boundary(16) => {
            let (time, zone) = text.split_at(16);
            Cow::Owned(format!("{time}:00{zone}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Some months or years ago, at the same time of day, which interim leaves out.
fn months_ago(text: &str, now: DateTime<Zone>) -> Option<NaiveDateTime> {
    let (count, unit) = match text.strip_suffix(" ago") {
        Some(rest) => {
            let (count, unit) = rest.split_once(' ')?;
            (count.parse::<u32>().ok()?, unit.trim_start())
        }
        None => (1, text.strip_prefix("last ")?),
    };
    let months = match unit.strip_suffix('s').unwrap_or(unit) {
        "month" => count,
        "year" => count.checked_mul(12)?,
        _ => return None,
    };
    now.naive_local().checked_sub_months(Months::new(months))
}

fn phrase(text: &str, Clock { zone, now }: Clock) -> Option<i64> {
    let now = DateTime::<Utc>::from_timestamp(now, 0)?.with_timezone(&zone);
    let midnight = |date: NaiveDate| local_to_utc(zone, date.and_time(NaiveTime::MIN));
    // Whole days, as journalctl takes them.
    let text = text.to_ascii_lowercase();
    let text = match text.split_once(' ') {
        Some(("a" | "an", rest)) => format!("1 {rest}"),
        _ => text,
    };
    match text.as_str() {
        "now" => Some(now.timestamp()),
        "noon" => Some(local_to_utc(zone, now.date_naive().and_hms_opt(12, 0, 0)?)),
        "today" | "midnight" => Some(midnight(now.date_naive())),
        "yesterday" => Some(midnight(now.date_naive().checked_sub_days(Days::new(1))?)),
        "tomorrow" => Some(midnight(now.date_naive().checked_add_days(Days::new(1))?)),
        text if can_be_phrase(text) => match weekday(text, now).or_else(|| months_ago(text, now)) {
            Some(local) => Some(local_to_utc(zone, local)),
            None => Some(parse_date_string(text, now, Dialect::Uk).ok()?.timestamp()),
        },
        _ => None,
    }
}

/// Whether a lower-case text can be a phrase. interim panics at words of 16
/// letters, at capitals in some places, and at numbers that overflow.
fn can_be_phrase(text: &str) -> bool {
    let runs_to = |most: usize, kind: fn(&u8) -> bool| {
        let mut runs = text.as_bytes().split(|byte| !kind(byte));
        runs.all(|run| run.len() <= most)
    };
    text.is_ascii() && runs_to(15, u8::is_ascii_alphabetic) && runs_to(5, u8::is_ascii_digit)
}

/// A duration as [`parse_duration`] reads it, in seconds.
pub fn parse_seconds(text: &str) -> Result<i64, String> {
    let duration = parse_duration(text)?;
    i64::try_from(duration.as_secs()).map_err(|_| "it is too long".to_owned())
}

/// A duration: `90s`, `30m`, `6h`, `2d`; at least a second.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write 90s, 30m, 6h or 2d");
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let unit = match unit.as_str() {
        "s" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        _ => return Err(wrong()),
    };
    match u64::from(number) * unit {
        0 => Err(wrong()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// How long events are to be kept: `5y`, `18 months`, `90d`, …; at least a day.
pub fn parse_span(text: &str) -> Result<RetentionPeriod, String> {
    let wrong =
        || format!("{text:?} is not a span of at least a day: write 5y, '18 months' or 90d");
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    // Not interim's units, which take `m` for minutes and `monday` for a month.
    let span = match unit.as_str() {
        "h" | "hour" | "hours" => number.checked_mul(3_600).map(RetentionPeriod::Seconds),
        "d" | "day" | "days" => Some(RetentionPeriod::Days(number)),
        "w" | "week" | "weeks" => number.checked_mul(7).map(RetentionPeriod::Days),
        "month" | "months" => Some(RetentionPeriod::Months(number)),
        "y" | "year" | "years" => number.checked_mul(12).map(RetentionPeriod::Months),
        _ => None,
    };
    span.filter(|span| match *span {
        RetentionPeriod::Seconds(seconds) => i64::from(seconds) >= YOUNGEST,
        RetentionPeriod::Days(number) | RetentionPeriod::Months(number) => number > 0,
    })
    .ok_or_else(wrong)
}

/// A number and the unit behind it, in lower case: of `18 Months`.
fn number_and_unit(text: &str) -> Option<(u32, String)> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    Some((digits.parse().ok()?, unit.trim_start().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock {
        zone: chrono_tz::Europe::Amsterdam,
        // 2025-10-09T08:53:20Z, a Thursday.
        now: 1_760_000_000,
    };

    fn read(text: &str) -> Result<i64, String> {
        parse_time(text, CLOCK, Rounding::Up)
    }

    #[test]
    fn every_form_is_read() {
        for (text, seconds) in [
            ("2025-10-09T08:53:20Z", 1_760_000_000),
            ("2025-10-09T10:53:20+02:00", 1_760_000_000),
            ("2025-10-09T08:53:19.5Z", 1_760_000_000),
            ("2025-10-09", 1_759_960_800),
            ("2025-10-09 10:53:20", 1_760_000_000),
            ("@1760000000", 1_760_000_000),
            ("@-5", -5),
            ("now", 1_760_000_000),
            ("today", 1_759_960_800),
            ("yesterday", 1_759_874_400),
            ("2 hours ago", 1_759_992_800),
            ("3 days ago", 1_759_740_800),
            ("1 week ago", 1_759_395_200),
            ("2025-10-09 10:53", 1_759_999_980),
            ("2025-10-09T08:53Z", 1_759_999_980),
            ("2025-10-09 10:53+02:00", 1_759_999_980),
            ("midnight", 1_759_960_800),
            ("noon", 1_760_004_000),
            ("an hour ago", 1_759_996_400),
            ("1 month ago", 1_757_408_000),
            ("last month", 1_757_408_000),
            ("a year ago", 1_728_464_000),
            ("2 years ago", 1_696_841_600),
            ("2025-10-09T10:53", 1_759_999_980),
            ("09-10-2025", 1_759_960_800),
            ("09-10-2025 10:53", 1_759_999_980),
            ("09-10-2025 10:53:20", 1_760_000_000),
            ("thursday", 1_759_960_800),
            ("Wednesday", 1_759_874_400),
            ("fri", 1_759_442_400),
            ("Friday 8PM", 1_759_514_400),
            ("thursday 10:00", 1_759_996_800),
            ("thursday 11:00", 1_759_395_600),
        ] {
            assert_eq!(read(text), Ok(seconds), "{text}");
        }
        let cut = parse_time("2025-10-09T08:53:19.5Z", CLOCK, Rounding::Down);
        assert_eq!(cut, Ok(1_759_999_999));
    }

    #[test]
    fn invalid_times_are_refused_with_examples() {
        for text in [
            "",
            "x",
            "2025-13-01",
            "2025-02-30",
            "30-02-2025",
            "9-10-2025",
            "09-10-25",
            "2025-10-09 10",
            "2025-10-09 10:5",
            "monday monday",
            "@",
            "@1.5",
            "0.5",
            "7",
            "1760000000",
            "@99999999999999",
            "99999999999 years ago",
            "4294967295 pm",
            "weloe3LLLLL33333312202",
            "9 ammmmmmmmmmmmmmm",
            "é",
        ] {
            assert!(
                read(text).is_err_and(|wrong| wrong.contains("yesterday")),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("1s", 1),
            ("90 seconds", 90),
            ("30m", 1_800),
            ("6h", 21_600),
            (" 2 Days ", 172_800),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "6",
            "0h",
            "-1h",
            "h",
            "1w",
            "1.5h",
            "4294967296s",
            "1h 30m",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_read_and_are_at_least_a_day() {
        for (text, keep) in [
            ("5y", RetentionPeriod::Months(60)),
            ("1 year", RetentionPeriod::Months(12)),
            ("18 months", RetentionPeriod::Months(18)),
            ("90d", RetentionPeriod::Days(90)),
            ("1 day", RetentionPeriod::Days(1)),
            ("2 weeks", RetentionPeriod::Days(14)),
            ("24h", RetentionPeriod::Seconds(86_400)),
        ] {
            assert_eq!(parse_span(text), Ok(keep), "{text}");
        }
        for text in [
            "",
            "5",
            "0d",
            "-1d",
            "23h",
            "10m",
            "1s",
            "5 years ago",
            "next year",
            "y",
            "2.5y",
            "99999999999y",
            "4294967295y",
            "monday",
            "5 monday",
            "1 day 2 hours",
        ] {
            assert!(
                parse_span(text).is_err_and(|wrong| wrong.contains("5y")),
                "{text}"
            );
        }
    }
}
