//! Spans of time as people type them.

use crate::store::{RetentionPeriod, YOUNGEST};

/// How long events are to be kept: `5y`, `18 months`, `90d`, …; at least a day.
pub fn parse_span(text: &str) -> Result<RetentionPeriod, String> {
    let wrong =
        || format!("{text:?} is not a span of at least a day: write 5y, '18 months' or 90d");
    let trimmed = text.trim();
    let (digits, unit) = trimmed.split_at(trimmed.bytes().take_while(u8::is_ascii_digit).count());
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    // Not the units of interim, which reads `m` as minutes and `monday` as a month.
    let span = match unit.trim_start().to_ascii_lowercase().as_str() {
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

#[cfg(test)]
mod tests {
    use super::*;

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
