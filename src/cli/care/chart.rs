//! Charts of text.

use crate::cli::bar::bar;
use crate::cli::output::grouped;

/// The longest bar, in characters.
const WIDTH: u64 = 40;

/// Rows of a name, a bar and a number; the most takes the whole width.
pub(super) fn bars(rows: &[(String, u64)]) -> String {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let names = rows.iter().map(|(name, _)| name.chars().count());
    let names = names.max().unwrap_or(0);
    let numbers = grouped(most).len();
    rows.iter()
        .map(|(name, count)| {
            let pad = " ".repeat(names - name.chars().count());
            let number = grouped(*count);
            let row = format!(
                "  {name}{pad}  {number:>numbers$}  {}",
                bar(*count, most, WIDTH)
            );
            format!("{}\n", row.trim_end())
        })
        .collect()
}

/// Days (`YYYY-MM-DD`) in their order as at most `rows` rows: as they are, or
/// added up by month or year. Tells what a row is.
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
mod tests {
    use super::*;

    fn row(name: &str, count: u64) -> (String, u64) {
        (name.to_owned(), count)
    }

    #[test]
    fn bars_are_as_long_as_what_they_show() {
        let text = bars(&[row("a", 1_000), row("bcd", 500), row("é", 1), row("", 0)]);
        let full = "█".repeat(40);
        let half = "█".repeat(20);
        assert_eq!(
            text,
            format!("  a    1,000  {full}\n  bcd    500  {half}\n  é        1  ▏\n           0\n")
        );
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
