//! Short pieces of text for people: values, times, columns.

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use super::sanitize::plain;
use crate::event::{ProfileKey, Zone};
use crate::history::Value;

/// The most characters of a value.
const LONGEST: usize = 60;

/// A value, short and in quotes; `?` where it is not known.
pub(super) fn value(value: Option<&Value<'_>>) -> String {
    match value {
        None => "?".to_owned(),
        Some(Value::Absent) => "(absent)".to_owned(),
        Some(Value::Member(true)) => "yes".to_owned(),
        Some(Value::Member(false)) => "no".to_owned(),
        Some(Value::Text(text)) => format!("'{}'", short(&plain(text))),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}

/// The name of a field or an interest.
pub(super) fn subject(field: Option<&str>, interest: Option<&str>) -> String {
    match (field, interest) {
        (Some(name), _) => short(&plain(name)),
        (None, Some(name)) => format!("interest {}", short(&plain(name))),
        (None, None) => String::new(),
    }
}

/// A label, or that there is none.
pub(super) fn label(label: Option<&str>) -> String {
    label.map_or_else(|| "(none)".to_owned(), plain)
}

/// How many profiles and subprofiles: `2 profiles`, `1 profile, 3 subprofiles`.
pub(super) fn profiles(profiles: u64, subprofiles: u64) -> String {
    use super::number::counted;
    match (profiles, subprofiles) {
        (_, 0) => counted(profiles, "profile"),
        (0, _) => counted(subprofiles, "subprofile"),
        _ => format!(
            "{}, {}",
            counted(profiles, "profile"),
            counted(subprofiles, "subprofile")
        ),
    }
}

/// `123` or `123/456`.
pub(super) fn who(profile: u64, subprofile: Option<u64>) -> String {
    let key = ProfileKey {
        profile,
        subprofile,
    };
    key.to_string()
}

/// An RFC 3339 time in the reader's zone.
pub(super) fn local(zone: Zone, time: &str, format: &str) -> String {
    match DateTime::parse_from_rfc3339(time) {
        Ok(time) => {
            let local = time.with_timezone(&Utc).with_timezone(&zone);
            local.format(format).to_string()
        }
        Err(_) => plain(time),
    }
}

/// Times with their zone.
pub(super) const SECONDS: &str = "%Y-%m-%d %H:%M:%S %Z";

/// From when until when, in the reader's zone; a day that is the same is told once.
pub(super) fn span(zone: Zone, since: &str, until: &str) -> String {
    let from = local(zone, since, "%Y-%m-%d %H:%M:%S");
    let to = local(zone, until, SECONDS);
    let same = matches!((from.get(..11), to.get(..11)), (Some(a), Some(b)) if a == b);
    let to = if same {
        to.get(11..).unwrap_or(&to)
    } else {
        &to
    };
    // In the hour that the clocks are put back the zones differ.
    let names = [since, until].map(|time| local(zone, time, "%Z"));
    match names {
        [a, b] if a != b => format!("{from} {a} to {to}"),
        _ => format!("{from} to {to}"),
    }
}

/// A line in bold type, where colours are wanted.
pub(super) fn bold(color: bool, text: &str) -> String {
    if color {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Rows whose cells stand below each other; those of numbers end alike. The
/// first row is the head. Nothing is wrapped, so that a command in the last
/// column can be copied.
pub(super) fn columns(rows: &[Vec<String>], numbers: &[usize], color: bool) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            if column > 0 {
                line.push_str("  ");
            }
            if numbers.contains(&column) {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        let line = line.trim_end();
        let line = if number == 0 {
            bold(color, line)
        } else {
            line.to_owned()
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_whatever_is_in_them() {
        let rows = [["A", "N", "END"], ["李雷", "5", ""], ["x", "1,000", "y z"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            columns(&rows, &[1], false),
            "A         N  END\n李雷      5\nx     1,000  y z\n"
        );
        assert_eq!(columns(&[], &[], true), "");
    }

    #[test]
    fn a_span_tells_its_day_once_and_its_zones_where_they_differ() {
        let zone = chrono_tz::Europe::Amsterdam;
        let told = |since, until| span(zone, since, until);
        assert_eq!(
            told("2025-10-09T08:00:00Z", "2025-10-09T09:00:00Z"),
            "2025-10-09 10:00:00 to 11:00:00 CEST"
        );
        assert_eq!(
            told("2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"),
            "2025-10-26 02:30:00 CEST to 02:30:00 CET"
        );
        assert_eq!(
            told("2025-10-09T08:00:00Z", "2025-10-09T22:00:00Z"),
            "2025-10-09 10:00:00 to 2025-10-10 00:00:00 CEST"
        );
    }

    #[test]
    fn values_are_short_and_harmless() {
        let text = |text: String| Value::Text(text.into());
        assert_eq!(value(Some(&text("\u{1b}[31m".into()))), "'\\u{1b}[31m'");
        assert_eq!(
            value(Some(&text("é".repeat(99)))).chars().count(),
            LONGEST + 2
        );
        assert_eq!(value(None), "?");
    }
}
