//! Sizes and spans of time in words.

use bytesize::ByteSize;

/// A number of bytes.
pub(super) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A span in its largest unit: `3 days`. Negative ones as none.
pub(super) fn span(seconds: i64) -> String {
    let units = [
        (365 * 86_400, "year"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
    ];
    let unit = units.iter().find(|(length, _)| seconds >= 2 * *length);
    let (count, name) = match unit {
        Some((length, name)) => (seconds / length, *name),
        None => (seconds.max(0), "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// A name or path as a shell takes it for one word.
pub(super) fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-,:@%+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let cases = [
            (-5, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_300, "2 hours"),
            (86_400, "24 hours"),
            (40 * 86_400, "40 days"),
            (800 * 86_400, "2 years"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(shell("/var/lib/profiletrail"), "/var/lib/profiletrail");
        assert_eq!(shell("a b'c"), "'a b'\\''c'");
        assert_eq!(shell(""), "''");
    }
}
