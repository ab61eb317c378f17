//! Names with what stands behind them, below each other.

use std::io::{self, Write};

use super::text::Text;
use super::view::View;

/// The longest that a name is where there is a limit.
const NAME: usize = 24;

/// A name and what stands behind it.
pub type Row = (Text, Text);

/// Writes rows; where there is a limit, long values go over several lines.
pub fn write(rows: &[Row], view: &View, out: &mut dyn Write) -> io::Result<()> {
    let names = rows.iter().map(|(name, _)| name.width());
    let widest = names.max().unwrap_or(0);
    let widest = match view.width {
        Some(width) => widest.min(NAME).min(width / 3),
        None => widest.min(2 * NAME),
    };
    for (name, value) in rows {
        let (name, lines) = match view.width {
            None => (name.clone(), vec![value.clone()]),
            Some(width) => {
                let room = width.saturating_sub(widest + 4).max(8);
                (name.fit(widest), value.wrap(room))
            }
        };
        let mut shown = String::from("  ");
        name.put_padded(&mut shown, view.styles, widest);
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                shown.push_str(&" ".repeat(widest + 2));
            }
            shown.push_str("  ");
            line.put(&mut shown, view.styles);
            shown.push('\n');
        }
        out.write_all(shown.as_bytes())?;
    }
    Ok(())
}
