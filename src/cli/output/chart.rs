//! Bars and charts of text.

use std::io::{self, Write};

use crate::format::{Role, Text, View, grouped};

/// The longest bar beside other cells, in columns.
pub(super) const BAR: usize = 20;

/// The longest bar of a chart, in columns, …
const WIDTH: usize = 40;

/// … and its minimum beside a long name.
const LEAST: usize = 10;

/// Eighths of a character, from none to seven.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar for a count; that of the most is `width` characters long.
pub(super) fn bar(count: u64, most: u64, width: usize) -> String {
    let eighths = u128::from(count) * (width as u128 * 8) / u128::from(most.max(1));
    // Whatever is there is seen.
    let eighths = usize::try_from(eighths)
        .unwrap_or(0)
        .max(usize::from(count > 0));
    let part = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}

/// Writes rows of a name, a number and a bar; the most takes the whole width.
pub(super) fn bars(rows: &[(String, u64)], view: &View, out: &mut dyn Write) -> io::Result<()> {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let names: Vec<Text> = rows
        .iter()
        .map(|(name, _)| Text::of(Role::Plain, name.as_str()))
        .collect();
    let widest = names.iter().map(Text::width).max().unwrap_or(0);
    let numbers = grouped(most).len();
    // Two columns before the name, the number and the bar each.
    let room = view.width.map(|width| width.saturating_sub(numbers + 6));
    let widest = room.map_or(widest, |room| widest.min(room.saturating_sub(LEAST)));
    let longest = room.map_or(WIDTH, |room| room.saturating_sub(widest).min(WIDTH));
    for (name, (_, count)) in names.iter().zip(rows) {
        let mut line = String::from("  ");
        let name = name.fit(room.map(|_| widest));
        name.put_padded(&mut line, view.styles, widest);
        let bar = bar(*count, most, longest);
        line.push_str(&format!("  {:>numbers$}  {bar}", grouped(*count)));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Days (`YYYY-MM-DD`) in order as at most `rows` rows, if necessary added up by month or
/// year. Returns the unit of a row.
pub(super) fn gather(days: &[(String, u64)], rows: usize) -> (&'static str, Vec<(String, u64)>) {
    let by = |len: usize| {
        let mut gathered: Vec<(String, u64)> = Vec::new();
        for (day, count) in days {
            // From the end: a year may have a sign or more than four digits.
            let kept = day.len().saturating_sub(len);
            let name = day.get(..kept).unwrap_or(day);
            match gathered.last_mut() {
                Some((last, sum)) if last == name => *sum += count,
                _ => gathered.push((name.to_owned(), *count)),
            }
        }
        gathered
    };
    for (what, len) in [("day", 0), ("month", 3)] {
        let gathered = by(len);
        if gathered.len() <= rows {
            return (what, gathered);
        }
    }
    let mut years = by(6);
    let first = years.len().saturating_sub(rows);
    ("year", years.split_off(first))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn row(name: &str, count: u64) -> (String, u64) {
        (name.to_owned(), count)
    }

    #[test]
    fn bars_are_as_long_as_what_they_show() {
        let drawn = |rows: &[(String, u64)], width| {
            let mut out = Vec::new();
            bars(rows, &View::plain(width), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let rows = [row("a", 1_000), row("bcd", 500), row("é", 1), row("", 0)];
        let text = drawn(&rows, None);
        let full = "█".repeat(40);
        let half = "█".repeat(20);
        assert_eq!(
            text,
            format!("  a    1,000  {full}\n  bcd    500  {half}\n  é        1  ▏\n           0\n")
        );
        // A long name leaves room for the bar.
        let rows = [row("a name of thirty columns, about", 2)];
        assert_eq!(drawn(&rows, Some(30)), "  a name… about  2  ██████████\n");
    }

    #[test]
    fn days_are_added_up_where_there_are_many() {
        let days: Vec<_> = (1..=12)
            .flat_map(|month| (1..=9).map(move |day| row(&format!("2025-{month:02}-0{day}"), 2)))
            .collect();
        assert_eq!(gather(&days[..9], 30), ("day", days[..9].to_vec()));
        let (what, months) = gather(&days, 30);
        assert_eq!((what, months.len()), ("month", 12));
        assert_eq!(months[11], row("2025-12", 18));
        assert_eq!(gather(&days, 11), ("year", vec![row("2025", 216)]));
    }
}
