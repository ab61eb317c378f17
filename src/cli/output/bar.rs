//! Text bars.

/// Eighths of a character, from none to seven.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar for a count; that of the most is `width` characters long.
pub fn bar(count: u64, most: u64, width: u64) -> String {
    let eighths = u128::from(count) * u128::from(width * 8) / u128::from(most.max(1));
    // Whatever is there is seen.
    let eighths = usize::try_from(eighths)
        .unwrap_or(0)
        .max(usize::from(count > 0));
    let part = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}
